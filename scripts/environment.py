"""Prepare a virtual environment for work on this project. Do nothing if it is ready.

    python scripts/environment.py FOLDER [REQUIREMENT ...]

Installs the project (editable) with the given extras and packages. A REQUIREMENT that starts with a bracket names
extras of the project, such as '[dev]'; `-r FILE` has its meaning for pip. A stamp file records the requirements. An
environment that is incomplete, was moved, or belongs to another interpreter is created again. This script needs only
the standard library.
"""

import hashlib
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

OLDEST = (3, 11)
VERSION = sys.version.split()[0]
ROOT = Path(__file__).resolve().parent.parent
PROBE = "import l0, pathlib; print(pathlib.Path(l0.__file__).resolve().parents[2])"


def fingerprint(requirements: list[str]) -> str:
    """Return a hash of the requirements. If it differs from the stamp, the environment must be updated."""
    files = [ROOT / "pyproject.toml", *(ROOT / item for item in requirements if item.endswith(".txt"))]
    parts = [*(file.read_bytes() for file in files), *(item.encode() for item in requirements)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def left_out(version: tuple[int, int], project: str) -> list[str]:
    """Return the optional packages that ``project``, the text of pyproject.toml, excludes on this Python version."""
    limited = re.findall(r"\"([\w-]+)[^\";]*; python_version < '3\.(\d+)'\"", project)
    return sorted({name for name, minor in limited if version >= (3, int(minor))})


def works(python: Path) -> bool:
    """Return True if the environment has this interpreter's version and imports the project from this folder."""
    script = f"import sys; assert sys.version_info == {tuple(sys.version_info)!r}; {PROBE}"
    try:
        probe = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return probe.returncode == 0 and probe.stdout.strip() == str(ROOT)


def install(python: Path, requirements: list[str]) -> None:
    """Install the project and its requirements with the environment's own pip."""
    extras = "".join(item for item in requirements if item.startswith("["))
    others = [item for item in requirements if not item.startswith("[")]
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]
    subprocess.run([*command, "--editable", f".{extras}", *others], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def prepare(folder: Path, requirements: list[str]) -> None:
    """Install `requirements` into the environment in `folder`. Raises the errors of pip and venv."""
    python, stamp = folder / "bin" / "python", folder / "ready"
    wanted = fingerprint(requirements)
    usable = stamp.is_file() and works(python)
    if usable and stamp.read_text() == wanted:
        return
    started = time.monotonic()
    if usable:
        print(f"{folder.name}: requirements have changed, installing", flush=True)
    else:
        print(f"{folder.name}: creating it with Python {VERSION}; this takes a minute or two", flush=True)
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    stamp.unlink(missing_ok=True)  # if this is interrupted from here on, the environment counts as incomplete
    install(python, requirements)
    stamp.write_text(wanted)
    if missing := left_out(sys.version_info[:2], (ROOT / "pyproject.toml").read_text()):
        print(f"{folder.name}: without {', '.join(missing)}, which have no wheels for Python {VERSION}", flush=True)
    print(f"{folder.name}: ready after {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is required, this is {VERSION}: try `make setup PYTHON=python3.12`")
    try:
        prepare(ROOT / sys.argv[1], sys.argv[2:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{sys.argv[1]}: not ready, this command failed: {' '.join(map(str, error.cmd))}")

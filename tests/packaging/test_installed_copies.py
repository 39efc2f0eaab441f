"""The built wheel in separate environments, as a user installs it: `make package` runs these tests.

They need the files in `dist/`, the package registry, and the Pythons of this machine.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
interpreter = runpy.run_path(str(ROOT / "scripts" / "matrix.py"))["interpreter"]
CHECKERS = {
    "mypy": ["mypy", "--strict", "--no-incremental", "--python-executable"],
    "pyright": ["pyright", "--pythonpath"],
}
OFFERS = """
import importlib.resources
from importlib.metadata import entry_points
import l0, l0.simulator.answers, l0.viewer
assert "site-packages" in l0.__file__, l0.__file__
assert (importlib.resources.files("l0.viewer") / "static" / "vendor" / "uplot" / "uPlot.esm.js").is_file()
for name in l0.__all__:
    getattr(l0, name)
names = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
assert {"l0_openai", "l0_anthropic"} <= names, names
print(l0.__version__)
"""


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command outside of the tree, without what points Python to it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "L0_"))}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )


def installed(version: str, folder: Path, extras: str) -> Path:
    """Install the wheel with a Python of this version. Return the environment's Python."""
    found = interpreter(version)
    if found is None:
        pytest.skip(f"no Python {version} on this machine: install it, or put it on the PATH")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    python = folder / "environment" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q", f"{wheel}{extras}"]
    for command in ([found, "-m", "venv", folder / "environment"], install, [python, "-m", "pip", "check"]):
        done = run(command, folder)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return python


@pytest.fixture(scope="module")
def user_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with openai for programs and type checkers."""
    return installed(".".join(map(str, sys.version_info[:2])), tmp_path_factory.mktemp("user"), "[openai]")


@pytest.mark.parametrize("version", PYTHONS)
def test_wheel_installs_alone(version: str, tmp_path: Path) -> None:
    python = installed(version, tmp_path, "")
    done = run([python, "-W", "error", "-c", OFFERS], tmp_path)
    assert done.returncode == 0, done.stderr
    for command in ([python, "-m", "l0"], [python.with_name("l0")]):
        assert run([*command, "--version"], tmp_path).stdout == f"l0-otel {done.stdout}"


@pytest.mark.parametrize(
    ("program", "output"),
    [("with_module.py", "ab"), ("with_function.py", "text 42"), ("with_both.py", "text ")],
    ids=["module", "function", "both"],
)
def test_program_runs(user_python: Path, tmp_path: Path, program: str, output: str) -> None:
    done = run([user_python, "-W", "error", PROGRAMS / program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert output in done.stdout


@pytest.mark.parametrize("checker", CHECKERS)
def test_type_checkers_see_the_types_of_the_installed_copy(user_python: Path, tmp_path: Path, checker: str) -> None:
    """Programs are copied out of the tree, whose settings do not count then. Each mistake is found, and no other."""
    for program in PROGRAMS.glob("*.py"):
        (tmp_path / program.name).write_bytes(program.read_bytes())
    command = [sys.executable, "-m", *CHECKERS[checker], user_python, *sorted(file.name for file in tmp_path.iterdir())]
    done = run(command, tmp_path)
    assert done.returncode == 1, f"{done.stdout}{done.stderr}"
    errors = [line for line in done.stdout.splitlines() if " error: " in line]
    assert [line for line in errors if "wrong.py:" not in line] == []
    assert {line.split("wrong.py:")[1].split(":")[0] for line in errors} == {"6", "7", "8", "9"}

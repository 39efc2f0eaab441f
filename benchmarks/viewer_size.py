"""The disk space that the extra `viewer` takes beyond a plain install: `python -m benchmarks.viewer_size`.

Installs the project into a new environment without and with the extra, as a user's pip does. Exit code: 1 if the extra
takes more than 15 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

MAX_MB = 15
_ROOT = Path(__file__).parents[1]


def installed_bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file and folder in an environment's site-packages."""
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    return {
        path.name: sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        for path in packages.iterdir()
    }


def measure() -> dict[str, float]:
    """Return what the extra adds to site-packages, in MB, the largest first."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        python = next(
            path for path in (environment / "bin/python", environment / "Scripts/python.exe") if path.exists()
        )
        sizes = []
        for extra in ("", "[viewer]"):
            subprocess.run([python, "-m", "pip", "install", "-q", f"{_ROOT}{extra}"], check=True)
            sizes.append(installed_bytes(environment))
    before, after = sizes
    added = {name: (size - before.get(name, 0)) / 1e6 for name, size in after.items()}
    return dict(sorted(added.items(), key=lambda item: -item[1]))


def main() -> int:
    """Return 0 if the extra takes at most `MAX_MB`, else 1."""
    added = measure()
    for name, size in list(added.items())[:8]:
        print(f"  {size:5.1f} MB  {name}")
    total = sum(added.values())
    print(f"the extra viewer takes {total:.1f} MB")
    return 0 if total <= MAX_MB else 1


if __name__ == "__main__":
    sys.exit(main())

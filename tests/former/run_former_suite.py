"""Run the test suite of L0 for Python (the distribution ``ai2070-l0``) by its names against this package.

    python tests/former/run_former_suite.py [PYTEST ARGUMENT ...]

It downloads the source of that distribution, of which nothing is kept here, and prints by file how many tests pass. The
interpreter that runs it has this package, pytest and pytest-asyncio. Fails if fewer pass than `AT_LEAST`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "former"
VERSION = "0.21.1"
AT_LEAST = 245
"""The number of its tests that pass. It may only rise."""
RESULT = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) (tests/[\w/]+\.py)", re.MULTILINE)


def source() -> Path:
    """Download and unpack the source, if it is not there. Return its folder."""
    unpacked = FOLDER / f"ai2070_l0-{VERSION}"
    if not unpacked.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        wanted = ["--no-deps", "--no-binary", ":all:", "--dest", str(FOLDER), f"ai2070-l0=={VERSION}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
        with tarfile.open(FOLDER / f"ai2070_l0-{VERSION}.tar.gz") as packed:
            packed.extractall(FOLDER, filter="data")
    return unpacked


def run(suite: Path, arguments: list[str]) -> str:
    """Run the suite outside of its own source, and return what pytest prints."""
    folder = FOLDER / "suite"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(suite / "tests", folder / "tests")
    shutil.copy(suite / "pyproject.toml", folder)
    options = ["-q", "-p", "former_names", "-p", "no:cacheprovider", "-W", "ignore", "--tb=no", "-rA"]
    command = [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", *arguments]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    return done.stdout


def main() -> None:
    """Print the table of results."""
    output = run(source(), sys.argv[1:])
    results = Counter((file, result) for result, file in RESULT.findall(output))
    for file in sorted({file for file, _ in results}):
        passed, failed = results[file, "PASSED"], results[file, "FAILED"]
        print(f"{passed:5} of {passed + failed:4}  {file}")
    passed = sum(count for (_, result), count in results.items() if result == "PASSED")
    print(f"{passed:5} pass; at least {AT_LEAST} are expected")
    print(output.strip().splitlines()[-1])
    if passed < AT_LEAST and not sys.argv[1:]:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Run the tests that touch the SDKs against the SDK versions and Python versions that the project supports.

    python scripts/matrix.py sdk       the oldest, a middle and the newest version of each SDK
    python scripts/matrix.py python    the newest SDKs on every supported Python that is on this machine

Each combination has an environment of its own (`.venv-<name>`), made once. Ends with one line per combination, and with
status 1 if any of them failed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("tests/unit", "tests/traffic", "tests/faults", "tests/parity")
SDKS = {
    # The oldest of everything that pyproject.toml promises to work with.
    "oldest": [
        "openai==1.60.0",
        "anthropic==0.40.0",
        "wrapt==1.16.0",
        "opentelemetry-api==1.35.0",
        "opentelemetry-sdk==1.35.0",
        "opentelemetry-instrumentation==0.56b0",
        "opentelemetry-exporter-otlp-proto-http==1.35.0",
    ],
    # The last of openai 2 and the first anthropic that iterates a copy of the stream.
    "middle": ["openai==2.54.0", "anthropic==1.17.0"],
    "newest": ["openai", "anthropic"],
}
PYTHONS = ("3.12", "3.13", "3.14")  # 3.11, the reference, is what `make test` runs on


def interpreter(version: str) -> str | None:
    """An interpreter of that version that starts: one on the PATH, else one that pyenv keeps off it."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(map(str, kept.glob(f"{version}.*/bin/python")), reverse=True)]
    for python in filter(None, found):
        if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def tests(name: str, python: str, packages: list[str]) -> str:
    """Run the rooms in the environment of that name; returns 'passed' or what failed."""
    print(f"\n== {name}: {', '.join(packages)}", flush=True)
    folder = f".venv-{name}"
    setup = [python, "scripts/environment.py", folder, "[test]", *packages]
    if subprocess.run(setup, cwd=ROOT, check=False).returncode:
        return "FAILED: no environment"
    rooms = [room for room in ROOMS if (ROOT / room).is_dir()]
    pytest = [f"{folder}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *rooms]
    status = subprocess.run(pytest, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    return f"FAILED: pytest ended with status {status}" if status else "passed"


def main(axis: str) -> int:
    """Run one axis of the matrix and report it; returns the exit status."""
    results: dict[str, str] = {}
    if axis == "sdk":
        results = {name: tests(name, sys.executable, packages) for name, packages in SDKS.items()}
    else:
        for version in PYTHONS:
            python = interpreter(version)
            found = python and tests(f"python{version}", python, SDKS["newest"])
            results[f"python{version}"] = found or f"skipped: no Python {version} on this machine"
    print(f"\n== {axis} matrix")
    for name, result in results.items():
        print(f"{name:12} {result}")
    return int(any(result.startswith("FAILED") for result in results.values()))


if __name__ == "__main__":
    if sys.argv[1:] not in (["sdk"], ["python"]):
        sys.exit("Say which axis of the matrix to run: sdk or python")
    sys.exit(main(sys.argv[1]))

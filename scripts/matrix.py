"""Run the tests that depend on the SDKs or on Python against the other supported versions.

    python scripts/matrix.py [oldest] [middle] [httpcore-1.0.7] ... [python3.12] ...     all of them by default

``oldest`` and ``middle`` are versions of the SDKs, on the running Python. The entries named after a transport run the
tests of direct reading on that version of the transport. The others are Python versions with the newest SDKs, and are
skipped if this machine does not have them. The newest SDKs on the running Python are left to `make test`. Each run has
its own environment (`.venv-<name>`), created once; there are as many parallel runs as cores. Prints one line per run,
and exits with status 1 if any run failed.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SDKS = {
    # The oldest supported versions of pyproject.toml.
    "oldest": [
        "openai==1.60.0",
        "anthropic==0.40.0",
        "wrapt==1.16.0",
        "opentelemetry-api==1.37.0",
        "opentelemetry-sdk==1.37.0",
        "opentelemetry-instrumentation==0.58b0",
        "opentelemetry-exporter-otlp-proto-http==1.37.0",
    ],
    # The last of openai 2 and the first anthropic that iterates a copy of the stream. litellm needs openai 2.
    "middle": ["openai==2.54.0", "anthropic==1.17.0", "litellm==1.106.2"],
}
_BEFORE_HTTPX2 = ["openai==2.54.0", "anthropic==0.125.0"]
TRANSPORTS = {
    "httpcore-1.0.7": [*_BEFORE_HTTPX2, "httpx==0.27.2", "httpcore==1.0.7", "h11==0.14.0"],
    "httpcore-1.0.8": [*_BEFORE_HTTPX2, "httpx==0.28.1", "httpcore==1.0.8", "h11==0.14.0"],
    "httpcore-1.0.9": [*_BEFORE_HTTPX2, "httpx==0.28.1", "httpcore==1.0.9", "h11==0.16.0"],
    # The oldest that openai 3 or anthropic 2 accepts, and one between it and the newest.
    "httpcore2-2.12.0": ["openai", "anthropic", "httpx2==2.12.0"],
    "httpcore2-2.14.0": ["openai", "anthropic", "httpx2==2.14.0"],
}
PYTHONS = ("3.12", "3.13", "3.14")
NEWEST = ["openai", "anthropic"]
SDK_TESTS = (
    "tests/unit/stainless",
    "tests/unit/l0_openai",
    "tests/unit/dialects",
    "tests/unit/fastpath",
    "tests/unit/telemetry",
    "tests/unit/simulator/test_sdks.py",
    "tests/unit/simulator/test_wire.py",
    "tests/fidelity",
    "tests/traffic",
    "tests/faults",
    "tests/parity",
    "tests/journeys",
)
TRANSPORT_TESTS = (
    "tests/unit/stainless/test_direct_proof.py",
    "tests/unit/stainless/test_direct_reading.py",
    "tests/unit/stainless/test_asyncio_reading.py",
    "tests/journeys/test_direct_reading.py",
    "tests/journeys/test_connection_reuse.py",
    "tests/journeys/test_closing.py",
    "tests/wires",
)
PYTHON_TESTS = ("tests/unit", "tests/faults/test_deadlines.py", "tests/parity", "tests/journeys")
EXCLUDED = (
    "tests/journeys/sdk_suites",  # `make test-sdk`
    "tests/journeys/test_zero_code.py",  # tests OpenTelemetry's launcher, not the SDKs
    "tests/journeys/test_readme.py",  # the README and the tutorial show the newest SDKs
    "tests/journeys/test_pages.py",
)


def interpreter(version: str) -> str | None:
    """Return a working interpreter of that version, from the PATH or from pyenv; ``None`` if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)]
    for python in filter(None, found):
        if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def run(name: str) -> str:
    """Run the tests of one entry in its environment. Return 'passed ...', 'FAILED: ...' or 'skipped: ...'."""
    if name in SDKS:
        return tests(name, sys.executable, SDKS[name], SDK_TESTS)
    if name in TRANSPORTS:
        return tests(name, sys.executable, TRANSPORTS[name], TRANSPORT_TESTS)
    python = interpreter(name.removeprefix("python"))
    return tests(name, python, NEWEST, PYTHON_TESTS) if python else "skipped: not installed on this machine"


def tests(name: str, python: str, packages: list[str], paths: tuple[str, ...]) -> str:
    """Create the environment and run the tests in it. Print the output of the tests once they have ended."""
    started = time.monotonic()
    folder = f".venv-{name}"
    setup = [python, "scripts/environment.py", folder, "[test]", *packages]
    pytest = [f"{folder}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    pytest += [f"--ignore={path}" for path in EXCLUDED]
    for step, command in (("no environment", setup), ("pytest", pytest)):
        ended = subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if ended.returncode or command is pytest:
            print(f"\n== {name}: {', '.join(packages)}\n{ended.stdout}", flush=True)
        if ended.returncode:
            return f"FAILED: {step} (status {ended.returncode})"
    return f"passed in {time.monotonic() - started:.0f} s"


def main(names: list[str]) -> int:
    """Run the named entries and print a summary. Return the exit status."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(names, pool.map(run, names), strict=True))
    print("\n== matrix")
    for name, result in results.items():
        print(f"{name:12} {result}")
    return int(any(result.startswith("FAILED") for result in results.values()))


if __name__ == "__main__":
    KNOWN = [*SDKS, *TRANSPORTS, *(f"python{version}" for version in PYTHONS)]
    if unknown := set(sys.argv[1:]) - set(KNOWN):
        sys.exit(f"Not in the matrix: {', '.join(sorted(unknown))}; allowed: {', '.join(KNOWN)}")
    sys.exit(main(sys.argv[1:] or KNOWN))

"""Run OpenTelemetry's own suites for openai and anthropic with l0 in the place of their instrumentations.

    python tests/journeys/otel_suites/run_otel_suites.py [openai] [anthropic]

Prints how many tests met l0 and pass, and which do not, by file. They test names of theirs as well as behaviour, so
that status 0 says only that the suites ran; `docs/telemetry.md` says why what fails does. Needs the environment of
`make test-peers`. Status 2: the sources cannot be had.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "sdk_suites"))

from sdists import UnavailableError, unpacked  # noqa: E402 - it stands in the folder beside


def run(folder: Path) -> dict[str, str]:
    """Outcomes of the tests of one suite in which l0 was at work."""
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "outcomes.json"
        keys = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}
        own = {"PYTHONPATH": str(HERE), "OTEL_SUITE_RESULTS": str(results)}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "tests",
            "-q",
            "--tb=no",
            "-p",
            "otel_suite_plugin",
            "-o",
            "addopts=",
        ]
        options = [
            "-c",
            "pyproject.toml",
            "-o",
            "asyncio_default_fixture_loop_scope=function",
            "-p",
            "no:cacheprovider",
            "--timeout=20",
            "--continue-on-collection-errors",
            "-n0",
        ]
        ended = subprocess.run(
            [*command, *options],
            cwd=folder,
            env=os.environ | keys | own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if not results.is_file():
            raise RuntimeError(f"pytest ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}"[-4000:])
        outcomes: dict[str, str] = json.loads(results.read_text())
    return outcomes


def main(sdks: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    for sdk in sdks or ("openai", "anthropic"):
        package = f"opentelemetry-instrumentation-genai-{sdk}"
        try:
            folder = unpacked(package.replace("-", "_"), version(package))
        except UnavailableError as error:
            print(error, file=sys.stderr)
            return 2
        outcomes = run(folder)
        found = Counter((test.partition("::")[0], outcome) for test, outcome in outcomes.items())
        passed = sum(outcome == "passed" for outcome in outcomes.values())
        print(f"{package} {version(package)}: l0 was at work in {len(outcomes)} tests, {passed} pass", flush=True)
        for (file, outcome), count in sorted(found.items()):
            print(f"  {count:4} {outcome} {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

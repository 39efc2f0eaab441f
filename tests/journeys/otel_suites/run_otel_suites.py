"""Run OpenTelemetry's own suites for openai and anthropic with l0 in the place of their instrumentations.

    python tests/journeys/otel_suites/run_otel_suites.py [openai] [anthropic]

Holds every test of theirs to `openai.toml` and `anthropic.toml`, which say what passes and why the others cannot. Needs
the environment of `make test-peers`. Status 0: the lists say exactly what happened; 1: they do not; 2: the sources
cannot be had.
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

from lists import HERE, PASSES, read
from sdists import UnavailableError, unpacked

_OPTIONS = (
    *("-c", "pyproject.toml", "-o", "addopts=", "-o", "asyncio_default_fixture_loop_scope=function"),
    *("-p", "otel_suite_plugin", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-n0"),
    *("-q", "--tb=no", "--timeout=20", "--continue-on-collection-errors"),
)


def run(folder: Path) -> dict[str, str]:
    """Return the result of each test of one suite."""
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "outcomes.json"
        keys = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}
        own = {"PYTHONPATH": str(HERE), "OTEL_SUITE_RESULTS": str(results)}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "tests", *_OPTIONS],
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


def check(sdk: str) -> bool:
    """Run one suite, and say what was found. Raises `UnavailableError`."""
    package = f"opentelemetry-instrumentation-genai-{sdk}"
    suite = read(sdk)
    outcomes = run(unpacked(package.replace("-", "_"), version(package)))
    counted = Counter(map(suite.reason, outcomes))
    print(
        f"{package} {version(package)}, {sdk} {version(sdk)}: {counted[PASSES]} of {len(outcomes)} tests pass with l0"
    )
    for reason, count in counted.most_common():
        if reason != PASSES:
            print(f"  {count:4} cannot: {reason}")
    problems = list(suite.problems(outcomes))
    for problem in problems:
        print(f"  WRONG {problem}")
    sys.stdout.flush()
    return not problems


def main(sdks: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    try:
        good = [check(sdk) for sdk in sdks or ("openai", "anthropic")]
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

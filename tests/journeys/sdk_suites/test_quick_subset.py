"""The part of the SDKs' own suites that `make test` runs, bare and under `l0.instrument()`: streaming and helpers."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOM = Path(__file__).parent
ROOT = ROOM.parents[2]
NEEDED = "import pytest_asyncio, pytest_timeout, respx, inline_snapshot, http_snapshot, packaging, l0"
UNAVAILABLE = 2


def interpreter() -> str | None:
    """Return the first interpreter that has the packages of the suites: of their own environment, or this one."""
    candidates = [os.environ.get("SDK_SUITES_PYTHON"), str(ROOT / ".venv-suites/bin/python"), sys.executable]
    for python in filter(None, candidates):
        try:
            probe = subprocess.run([python, "-c", NEEDED], capture_output=True, check=False)
        except OSError:
            continue
        if probe.returncode == 0:
            return python
    return None


@pytest.mark.skipif("CI" in os.environ, reason="CI runs the whole suites: make test-sdk")
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_what_passes_bare_passes_instrumented(sdk: str, environment_before: Mapping[str, str]) -> None:
    python = interpreter()
    if python is None:
        pytest.skip("no environment for the SDKs' own suites: `make suites` makes it")
    command = [python, str(ROOM / "compare_suites.py"), "--quick", sdk]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment_before, capture_output=True, text=True, check=False, timeout=900
    )
    if ended.returncode == UNAVAILABLE:
        pytest.skip(ended.stderr.strip())  # the user may be offline
    assert ended.returncode == 0, ended.stdout + ended.stderr
    passed = int(ended.stdout.split(": ", 1)[1].split()[0])
    assert passed > 50, f"a comparison of so few tests proves nothing:\n{ended.stdout}"

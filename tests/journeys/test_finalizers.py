"""No finalizer and no signal handler may wait for a lock that its own thread holds.

The storm runs in its own process: if something would wait forever, it ends with the stack.
"""

import subprocess
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).with_name("finalizer_storm.py")


@pytest.mark.parametrize("where", ["locks", "signals", "everywhere"])
@pytest.mark.parametrize("flavour", ["threads", "asyncio"])
def test_streams_that_end_at_the_worst_of_moments(flavour: str, where: str) -> None:
    done = subprocess.run(
        [sys.executable, STORM, flavour, where], capture_output=True, text=True, timeout=660, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert done.stdout.startswith("ended ")

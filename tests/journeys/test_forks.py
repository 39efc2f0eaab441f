"""A forked child never waits for a lock that a thread of its parent's holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from l0.simulator.server import Simulator

SCRIPT = Path(__file__).with_name("forked_with_locks.py")
PLACES = (
    "config",
    "discovery",
    "sdk_instrumentor",
    "adapters",
    "watchdog",
    "finalizers",
    "slo_storage",
    "breaker",
)
"""Modules whose locks must be among those that are held."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_while_every_lock_is_held_uses_all_of_l0_and_ends(sim: Simulator, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, sim.openai, sim.anthropic, tmp_path / "slo.db"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert all(f".{module}:" in done.stdout for module in PLACES), done.stdout

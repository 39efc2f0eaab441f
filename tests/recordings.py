"""Recorded bodies of real providers. They stay beside the project and may be absent, which is a visible skip."""

import os
from pathlib import Path

import pytest

_GIVEN = os.environ.get("TEST_TRAFFIC")
TRAFFIC = Path(_GIVEN or Path(__file__).parents[2] / "shared" / "traffic")
ABSENT = "" if _GIVEN or TRAFFIC.is_dir() else f"no recorded bodies in {TRAFFIC}: set TEST_TRAFFIC to their folder"
"""Reason for a skip without the recordings. If their folder is configured, a test fails instead of being skipped."""
needs_traffic = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)

"""Recorded bodies of real providers. They stay beside the project and may be absent, which is a visible skip."""

import os
from pathlib import Path

import pytest

_GIVEN = os.environ.get("TEST_TRAFFIC")
TRAFFIC = Path(_GIVEN or Path(__file__).parents[2] / "shared" / "traffic")
ABSENT = "" if _GIVEN or TRAFFIC.is_dir() else f"no recorded bodies in {TRAFFIC}: set TEST_TRAFFIC to their folder"
"""Why what needs them is skipped. Where somebody said where they are, nothing is: it fails if they are not there."""
needs_traffic = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)

"""Puts the helpers' folders on the path, which pytest's importlib mode leaves off."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path += [str(_TESTS / room) for room in ("stateful", "faults", "traffic")]

"""Lets the tests here share the kit of simulated traffic."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

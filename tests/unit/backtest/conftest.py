"""Lets the tests here share `backtest_kit`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

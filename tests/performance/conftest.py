"""Lets the tests here share `calls_per_token`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

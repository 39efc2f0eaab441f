"""Makes the kits here and next door importable; a simulator, and what it has seen."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent)]

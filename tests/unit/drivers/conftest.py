"""Makes the fakes here, and the makers of calls next door, importable."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "engine")]

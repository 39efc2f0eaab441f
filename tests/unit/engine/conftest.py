"""Makes the makers of calls and failures importable; pytest's importlib mode leaves this folder off the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

"""pytest's importlib mode leaves the helpers' folder off the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

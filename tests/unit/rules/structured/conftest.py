"""Make the shared helpers importable: pytest's importlib mode does not add this folder to the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

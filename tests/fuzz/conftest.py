"""Makes the helpers beside the tests importable; pytest's importlib mode leaves this folder off the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "fidelity"))

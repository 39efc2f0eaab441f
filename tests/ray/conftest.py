"""Ray, in its own environment: `make test-ray` runs these tests."""

import os
import sys
from pathlib import Path

collect_ignore_glob = [] if os.environ.get("TEST_RAY") else ["test_*.py"]
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("unit/backtest", "unit")]

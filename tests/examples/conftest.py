"""The programs in examples/, run by the commands that they print, each in another process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l0.simulator.server import Simulator
from l0.testing import simulator

# pytest's importlib mode leaves the helpers' folder off the path
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running

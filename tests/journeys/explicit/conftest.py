"""The kit's folder on the path, and both ways to stand: with the SDKs patched, and without."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import l0
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folder off the path
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def anyio_backend() -> str:
    """Tests that are coroutines run on asyncio."""
    return "asyncio"


@pytest.fixture(params=["patched", "bare"])
def standing(request: pytest.FixtureRequest, sim: Simulator) -> Iterator[str]:
    if request.param == "patched":
        l0.instrument()
    yield request.param
    l0.uninstrument()

"""A real Redis that is killed and comes back, in its own environment: `make test-fleet` runs these tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l0.simulator.server import Simulator
from l0.testing import simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from redis_server import RedisServer

collect_ignore_glob = [] if os.environ.get("TEST_FLEET") else ["test_*.py"]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis without data on a loopback port."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as made:
        yield made

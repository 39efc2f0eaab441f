"""Whatever a test patches is undone, so that every other test meets bare SDKs."""

from collections.abc import Iterator

import pytest

import l0
from l0.simulator.server import Simulator
from l0.testing import simulator


@pytest.fixture
def instrumented() -> Iterator[None]:
    l0.instrument()
    yield
    l0.uninstrument()


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with simulator() as running:
        yield running

"""What several rooms of tests share: a provider to call and a loop to call it from."""

import asyncio
from collections.abc import Iterator

import pytest

from l0.simulator.server import Simulator
from l0.testing import simulator


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulated OpenAI and Anthropic, the same for a whole file: `reset()` it where its ledger counts."""
    with simulator() as running:
        yield running


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for the async cases of a file, so that a client's connections outlive a case."""
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()

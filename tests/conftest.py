"""What several rooms of tests share: a provider to call and a loop to call it from."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from installed import HAS_RESPONSES, needs_responses

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cases of tables that call the Responses API are skipped, visibly, where the installed openai has none."""
    for item in items:
        if not HAS_RESPONSES and "responses" in re.split(r"\W+", item.name):
            item.add_marker(needs_responses)

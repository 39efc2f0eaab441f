"""A simulator that plays fixed bodies, clients that do not wait between retries, and an exporter of spans."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.drivers.session import Session
from l0.simulator.server import Simulator
from l0.testing import simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "traffic")]

from faults_kit import Stage


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


@pytest.fixture(scope="module")
def stage(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Stage]:
    """Everything that a cell of the table needs; l0 is off until a cell switches it on."""
    with pytest.MonkeyPatch.context() as patch:
        for sdk in (openai, anthropic):
            patch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
        patch.setattr(Session, "delay", _impatient(Session.delay))
        made = Stage(sim, loop)
        yield made
        made.close()
        l0.uninstrument()


def _impatient(delay: Any) -> Any:
    def bounded(session: Session, command: Any) -> float:
        seconds: float = delay(session, command)
        assert seconds < 2, f"a call would sleep for {seconds} s"
        return seconds

    return bounded

"""A simulator that plays fixed bodies, clients that do not wait between retries, and an exporter of spans."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

import l0
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "traffic")]

from faults_kit import Stage, forbid_long_sleeps
from server_time import ServerTime


@pytest.fixture(scope="module")
def stage(clock: ServerTime, sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Stage]:
    """Everything that a cell of the table needs, in virtual time; l0 is off until a cell switches it on."""
    with pytest.MonkeyPatch.context() as patch:
        for sdk in (openai, anthropic):
            patch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
        forbid_long_sleeps(patch)
        made = Stage(sim, loop)
        yield made
        made.close()
        l0.uninstrument()


@pytest.fixture(scope="module")
def on(stage: Stage) -> Iterator[None]:
    """l0 is on, without a policy, for a whole file."""
    stage.on()
    yield
    l0.uninstrument()

"""A simulator that plays fixed bodies, clients that do not wait between retries, and an exporter of spans."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import anyio
import openai
import pytest

import l0
from l0.runtime import async_driver, sync_driver
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "traffic")]

from faults_kit import Stage


@pytest.fixture(scope="module")
def stage(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Stage]:
    """Everything that a cell of the table needs; l0 is off until a cell switches it on."""
    with pytest.MonkeyPatch.context() as patch:
        for sdk in (openai, anthropic):
            patch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
        for module in (time, anyio):
            patch.setattr(module, "sleep", _impatient(module.sleep))
        for driver, name in ((sync_driver, "wait_unless_stopped"), (async_driver, "sleep")):
            patch.setattr(driver, name, _impatient(getattr(driver, name)))
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


def _impatient(sleep: Any) -> Any:
    """No call may sleep for long: a retry that would is told from one that waits for a moment."""

    def bounded(seconds: float, *call: Any) -> Any:
        assert seconds < 2, f"a call would sleep for {seconds} s"
        return sleep(seconds, *call)

    return bounded

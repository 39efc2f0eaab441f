"""google-genai against the simulator, in its own environment: `make test-providers` runs these tests."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import l0
from l0.runtime import async_driver, sync_driver
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("google_genai", "faults", "traffic")]


@pytest.fixture(scope="module")
def stage(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """Clients of every transport, and the spans that calls leave; l0 is off until a test switches it on."""
    from google_kit import GoogleStage

    made = GoogleStage(sim, loop)
    yield made
    made.close()
    l0.uninstrument()


@pytest.fixture
def on(stage: Any) -> Iterator[None]:
    """l0 is on, without a policy, and knows that this origin ends its streams."""
    stage.on()
    yield
    l0.uninstrument()


@pytest.fixture(autouse=True, scope="module")
def _no_long_waits() -> Iterator[None]:
    """No call may sleep for long: a retry that would is told from one that waits for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        for driver, name in ((sync_driver, "wait_unless_stopped"), (async_driver, "sleep")):
            patch.setattr(driver, name, _impatient(getattr(driver, name)))
        yield


def _impatient(sleep: Any) -> Any:
    def bounded(seconds: float, *call: Any) -> Any:
        assert seconds < 2, f"a call would sleep for {seconds} s"
        return sleep(seconds, *call)

    return bounded

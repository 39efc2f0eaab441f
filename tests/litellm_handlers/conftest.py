"""litellm against the simulator, each version in a separate environment: `make test-providers` runs these tests."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import l0
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("litellm_handlers", "faults", "traffic")]
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for its prices


@pytest.fixture(scope="module")
def stage(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """Calls of litellm, and the spans that they leave; l0 is off until a test switches it on."""
    from faults_kit import forbid_long_sleeps
    from litellm_kit import LitellmStage

    with pytest.MonkeyPatch.context() as patch:
        forbid_long_sleeps(patch)
        made = LitellmStage(sim, loop)
        yield made
        l0.uninstrument()
        made.close()


@pytest.fixture
def on(stage: Any) -> Iterator[None]:
    """l0 is on, without a policy, and knows that this origin ends its streams."""
    stage.on()
    yield
    l0.uninstrument()

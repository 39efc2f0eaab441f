"""boto3 against the simulator, in its own environment: `make test-providers` runs these tests."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import l0
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("bedrock", "faults", "traffic")]


@pytest.fixture(scope="module")
def stage(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """Clients, and the spans that calls leave; l0 is off until a test switches it on."""
    from bedrock_kit import BedrockStage

    made = BedrockStage(sim, loop)
    yield made
    made.close()
    l0.uninstrument()


@pytest.fixture
def on(stage: Any) -> Iterator[None]:
    """l0 is on, without a policy."""
    stage.on()
    yield
    l0.uninstrument()


@pytest.fixture(autouse=True, scope="module")
def _no_waits() -> Iterator[None]:
    """A retry waits for no time: botocore's delay is a random share of its bound."""
    from l0_bedrock import bedrock_call_adapter

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bedrock_call_adapter, "random", SimpleNamespace(random=lambda: 0.0))
        yield

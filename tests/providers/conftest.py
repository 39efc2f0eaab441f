"""One stage per SDK that is installed: a simulator, clients that do not wait between retries, and spans."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import l0
from l0.simulator.server import Simulator

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("providers", "faults", "traffic", "performance")]

from faults_kit import forbid_long_sleeps
from tried_sdks import TRIED, ProviderStage


@pytest.fixture(scope="module", params=TRIED, ids=str)
def stage(request: pytest.FixtureRequest, sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[ProviderStage]:
    """Everything that a test of one SDK needs; l0 is off until the test switches it on."""
    package = request.param.package
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[f"{package.__name__}._base_client"], "INITIAL_RETRY_DELAY", 0.001)
        forbid_long_sleeps(patch)
        made = ProviderStage(sim, loop, request.param)
        yield made
        made.close()
        l0.uninstrument()

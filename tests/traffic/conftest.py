"""A simulator, clients of the real SDKs, and one event loop for all async cases."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import l0
from l0.simulator.server import Simulator

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves the helpers' folder off the path

from traffic_kit import Player, Received, Sample, recorded, shipped


@pytest.fixture(scope="module")
def player(sim: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[Player]:
    made = Player(sim, loop)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bare(player: Player) -> Iterator[dict[Sample, Received]]:
    """Collect the results without L0 for every body, then switch L0 on."""
    samples = (*recorded(), *shipped())
    l0.uninstrument()
    got = {sample: player.play(sample, sync=True) for sample in samples}
    l0.instrument(l0.Policy(truncation="strict"))
    yield got
    l0.uninstrument()

"""Provide a simulator and clients of the real SDKs."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from recordings import ABSENT, TRAFFIC

from l0.simulator.server import Simulator
from l0.testing import simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def client(sim: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0, timeout=120) as made:
        yield made


@pytest.fixture
def claude(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=sim.anthropic, max_retries=0, timeout=120) as made:
        yield made


@pytest.fixture(scope="session")
def traffic() -> Path:
    if ABSENT:
        pytest.skip(ABSENT)
    return TRAFFIC

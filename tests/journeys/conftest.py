"""A simulator, and spans of every call."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.runtime.waiting_calls import WaitingCalls
from l0.simulator.server import Simulator
from l0.testing import simulator

# pytest's importlib mode leaves the helpers' folder off the path
sys.path.append(str(Path(__file__).parent))

from journeys_kit import Heard, Spans, close_all


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


@pytest.fixture
def sim(running: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """The simulator, with nothing in its script; retries of the SDKs do not wait."""
    for sdk in (openai, anthropic):
        monkeypatch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
    running.reset()
    yield running
    close_all()
    l0.uninstrument()


@pytest.fixture
def spans(sim: Simulator) -> Iterator[Spans]:
    """l0 is on, and its spans are kept."""
    made = Spans()
    made.instrument()
    yield made
    l0.uninstrument()


@pytest.fixture
def heard(sim: Simulator) -> Iterator[Heard]:
    """l0 is on, and its spans and figures are kept."""
    made = Heard()
    made.instrument()
    yield made
    l0.uninstrument()


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a call waits for a backoff."""
    begun = threading.Event()
    wake_by = WaitingCalls.wake_by

    @contextmanager
    def note(waiting: WaitingCalls, ending: Any, alarm: Any) -> Iterator[None]:
        with wake_by(waiting, ending, alarm):
            begun.set()
            yield

    monkeypatch.setattr(WaitingCalls, "wake_by", note)
    return begun

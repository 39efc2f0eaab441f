"""The connection to Redis is never in the way: calls wait briefly, once, and not at all if Redis is away."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from time import sleep
from typing import Any

import pytest
from makers import in_child

from l0.shared_state.fleet import fleet as module
from l0.shared_state.fleet.fleet import LONGEST_WAIT_S, Fleet, FleetRequest
from l0.shared_state.fleet.fleet_budget import FleetBudget

pytest.importorskip("redis", reason="redis is not installed: pip install 'l0-otel[redis]'")
TARGET = ("openai", "gpt-4o")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


def fleet_at(server: socket.socket) -> Fleet:
    return Fleet(f"redis://:secret@127.0.0.1:{server.getsockname()[1]}/0")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits of calls, in s, as they happen."""
    found: list[float] = []
    wait = FleetRequest.wait

    def noted(request: FleetRequest, seconds: float) -> bool:
        found.append(seconds)
        return wait(request, seconds)

    monkeypatch.setattr(FleetRequest, "wait", noted)
    return found


def wait_until(condition: Any) -> None:
    while not condition():
        sleep(0.001)


def test_redis_that_does_not_answer_is_waited_for_once(listener: socket.socket, waits: list[float]) -> None:
    fleet = fleet_at(listener)
    budget = FleetBudget(fleet, TARGET)
    assert [budget.spend() for _ in range(9)] == [True] * 5 + [False] * 4  # the local rules
    assert waits == [LONGEST_WAIT_S]
    fleet.stop()


def test_redis_that_is_away_is_not_asked(
    listener: socket.socket, waits: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_INTERVAL_S", 0.01)
    fleet = fleet_at(listener)
    listener.close()
    attempts = threading.Semaphore(0)
    lose = fleet._mark_away
    monkeypatch.setattr(fleet, "_mark_away", lambda *given: (lose(*given), attempts.release()))
    with caplog.at_level(logging.WARNING, "l0"):
        fleet.begin()
        for _ in range(3):
            assert attempts.acquire(timeout=60)
    budget = FleetBudget(fleet, TARGET)
    assert [budget.spend() for _ in range(6)] == [True] * 5 + [False]
    assert waits == []
    fleet.stop()
    (warning,) = caplog.messages
    assert "does not answer (ConnectionError)" in warning
    assert "secret" not in warning


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_is_a_member_with_a_thread_of_its_own_later(listener: socket.socket) -> None:
    fleet = fleet_at(listener)
    fleet.begin()
    member = fleet.member

    def is_new() -> bool:
        before = fleet._thread is None and fleet.member != member and not fleet.away
        fleet.begin()
        return before and fleet._thread is not None

    assert in_child(is_new) == b"yes"
    assert fleet.member == member
    fleet.stop()


def test_machine_without_threads_follows_the_local_rules(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    fleet = fleet_at(listener)
    assert FleetBudget(fleet, TARGET).spend()
    assert fleet.away

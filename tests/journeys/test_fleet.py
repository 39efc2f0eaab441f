"""The setting `fleet`: bad values, a missing extra, and a Redis that is away. `tests/fleet` has a real one."""

import logging
import sys
from typing import Any

import pytest
from journeys_kit import CHATTING, chat_client

import l0
from l0.config import CONFIG
from l0.model.policy_from_environment import read_environment
from l0.shared_state.shared import SharedState
from l0.simulator.server import Simulator

NOWHERE = "redis://:secret@127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has made no call yet."""
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())


@pytest.mark.parametrize("given", [True, 6379, "", "localhost:6379", "http://user:secret@localhost", "redis://a:b"])
def test_bad_fleet_is_refused(sim: Simulator, given: Any) -> None:
    with pytest.raises(l0.PolicyError, match=r"^fleet: got .*, allowed: the URL of a Redis") as caught:
        l0.instrument(fleet=given)
    assert "secret" not in str(caught.value)
    assert CONFIG.fleet is None


def test_bad_variable_is_ignored_with_a_problem() -> None:
    settings = read_environment({"L0_FLEET": "http://user:secret@localhost"})
    assert settings.fleet is None
    (problem,) = settings.problems
    assert problem.startswith("L0_FLEET: got 'http://localhost'")


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_calls_are_whole_without_redis(
    sim: Simulator, by: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    policy = l0.Policy(retry=l0.Retry(base_delay=0), budget=True, breaker=True)
    if by == "variable":
        monkeypatch.setenv("L0_FLEET", NOWHERE)
    l0.instrument(policy, fleet=NOWHERE if by == "argument" else None)
    fleet = CONFIG.shared_state.fleet
    assert fleet is not None
    with caplog.at_level(logging.WARNING, "l0"):
        client = chat_client(sim)
        for _ in range(3):
            sim.script("status 503")
            assert list(client.chat.completions.create(**CHATTING, stream=True))
        while not fleet.away:
            pass
    assert sum("does not answer" in text for text in caplog.messages) == 1
    assert "secret" not in caplog.text
    monkeypatch.delenv("L0_FLEET", raising=False)
    l0.uninstrument()
    l0.instrument()
    assert CONFIG.shared_state.fleet is None


def test_false_leaves_the_fleet_of_the_variable(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L0_FLEET", NOWHERE)
    l0.instrument(fleet=False)
    assert CONFIG.shared_state.fleet is None


def test_missing_extra(sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'l0-otel\[redis\]'"):
        l0.instrument(fleet=NOWHERE)
    monkeypatch.setenv("L0_FLEET", NOWHERE)
    with caplog.at_level(logging.WARNING, "l0"):
        l0.instrument()
    assert CONFIG.shared_state.fleet is None
    assert caplog.messages == ["L0_FLEET is ignored: a fleet needs redis: pip install 'l0-otel[redis]'"]

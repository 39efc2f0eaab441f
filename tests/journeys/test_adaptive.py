"""Adaptive first-content deadlines: the usual time of the provider limits the wait, if there is a fallback."""

import asyncio
from typing import Any

import pytest
from journeys_kit import CHATTING, MESSAGING, Spans, async_chat_client, chat_client, claude

import l0
from l0.config import CONFIG
from l0.shared_state import quantiles
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

POLICY = l0.Policy(retry=l0.Retry(max_retries=0), adaptive=True, fallback=l0.Fallback(model="spare"))
QUIET = Fault.stall(at_event=1, seconds=30)
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> SharedState:
    """No call was made yet, and a deadline may be as short as a quarter of a second: nobody wants to wait for two."""
    monkeypatch.setattr(quantiles, "SHORTEST", 0.25)
    monkeypatch.setattr(CONFIG, "shared_state", made := SharedState())
    return made


def ask(sim: Simulator, times: int = 1, **more: Any) -> list[Any]:
    """The chunks of the last of so many calls."""
    client = chat_client(sim)
    return [list(client.chat.completions.create(**CHATTING | more, stream=True)) for _ in range(times)][-1]


def learn(
    shared_state: SharedState, seconds: float = 0.01, model: str = "gpt-4o", number: int = quantiles.MIN_COUNT
) -> None:
    """So many first tokens that took so long."""
    for _ in range(number):
        shared_state.first_token_latencies["openai", model, "small"].add(seconds)


def models(sim: Simulator) -> list[str]:
    return [request.body["model"] for request in sim.requests]


def test_adaptive_deadline_leaves_an_unusually_slow_provider(sim: Simulator, spans: Spans, fresh: SharedState) -> None:
    l0.instrument(POLICY)
    ask(sim, quantiles.MIN_COUNT)
    seen = fresh.first_token_latencies["openai", "gpt-4o", "small"]
    assert len(seen) == quantiles.MIN_COUNT
    sim.reset()
    sim.script(QUIET)
    chunks = ask(sim)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert models(sim) == ["gpt-4o", "spare"]
    assert spans.ends[-1][0] == "recovered_fallback"
    assert sim.wait_idle(120)
    assert sim.requests[0].disconnected
    assert len(seen) == quantiles.MIN_COUNT + 1, "the wait that was given up counts too"


def test_async_as_well(sim: Simulator, fresh: SharedState) -> None:
    l0.instrument(POLICY)
    learn(fresh)
    sim.script(QUIET)

    async def journey() -> list[Any]:
        async with async_chat_client(sim) as client:
            return [chunk async for chunk in await client.chat.completions.create(**CHATTING, stream=True)]

    assert asyncio.run(journey())[-1].choices[0].finish_reason == "stop"
    assert models(sim) == ["gpt-4o", "spare"]


def test_the_last_one_that_could_be_asked_is_waited_for(sim: Simulator, fresh: SharedState) -> None:
    l0.instrument(POLICY)
    learn(fresh)
    learn(fresh, model="spare")
    sim.script(QUIET, Fault.stall(at_event=1, seconds=0.6))
    assert ask(sim)[-1].choices[0].finish_reason == "stop"
    assert models(sim) == ["gpt-4o", "spare"]


def test_adaptive_deadline_needs_a_fallback(sim: Simulator, fresh: SharedState) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=0), adaptive=True))
    learn(fresh)
    sim.script(Fault.stall(at_event=1, seconds=0.6))
    assert ask(sim)[-1].choices[0].finish_reason == "stop"
    assert len(sim.requests) == 1


def test_adaptive_deadline_needs_enough_calls(sim: Simulator, fresh: SharedState) -> None:
    l0.instrument(POLICY)
    learn(fresh, number=quantiles.MIN_COUNT - 1)
    sim.script(Fault.stall(at_event=1, seconds=0.6))
    ask(sim)
    assert models(sim) == ["gpt-4o"]


def test_the_users_own_limit_stays_the_limit(sim: Simulator, fresh: SharedState) -> None:
    learn(fresh, seconds=30.0)
    l0.instrument(l0.Policy(**{name: getattr(POLICY, name) for name in ("retry", "adaptive", "fallback")},
                            timeout=l0.Timeout(initial_token=3_000)))  # fmt: skip
    sim.script(QUIET)
    ask(sim)
    assert models(sim) == ["gpt-4o", "spare"]


def test_longer_prompts_and_other_providers_have_figures_of_their_own(sim: Simulator, fresh: SharedState) -> None:
    l0.instrument(POLICY)
    learn(fresh)
    ask(sim, 3, messages=[{"role": "user", "content": "long " * 2_000}])
    list(claude(sim).messages.create(**MESSAGING, stream=True))
    sizes = {key: len(fresh.first_token_latencies[key]) for key in list(fresh.first_token_latencies._values)}
    assert sizes[("openai", "gpt-4o", "small")] == quantiles.MIN_COUNT
    assert sizes[("openai", "gpt-4o", "medium")] == 3
    assert sizes[("anthropic", MESSAGING["model"], "small")] == 1

"""A provider that fails altogether for a while: what calls with a retry budget cost it, and what stacked retries do."""

import asyncio
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING, MESSAGING, Spans, async_chat_client, chat_client, claude

import l0
from l0.health.budget import CAPACITY, FLOOR, REFUND
from l0.health.shared import Health
from l0.patching.switchboard import SWITCHBOARD
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

CALLS = 40
BUCKET = round(CAPACITY - FLOOR)
"""Requests beyond the calls themselves, of one provider and model, until something succeeds again."""
RETRY = l0.Retry(attempts=3, max_retries=6, base_delay=0)
THRIFTY = l0.Policy(retry=RETRY, budget=True)
DOWN = Fault.status(503)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Health:
    """A process that has made no call yet."""
    monkeypatch.setattr(SWITCHBOARD, "health", made := Health())
    return made


def stacked(client: Any, times: int = 3) -> None:
    """Retries around an SDK that has its own: what many applications do."""
    for _ in range(times):
        try:
            client.chat.completions.create(**CHATTING)
        except openai.APIError:
            continue
        return


def test_retries_on_retries_multiply(sim: Simulator) -> None:
    """Bare: every call is nine requests. With l0 under the same loop: three, and the bucket."""
    sim.script(*[DOWN] * 9 * CALLS)
    client = chat_client(sim)
    for _ in range(CALLS):
        stacked(client)
    assert len(sim.requests) == 9 * CALLS
    sim.reset()
    sim.script(*[DOWN] * 9 * CALLS)
    l0.instrument(THRIFTY)
    for _ in range(CALLS):
        stacked(client)
    assert len(sim.requests) == 3 * CALLS + BUCKET


def test_without_a_budget_every_call_takes_all_its_retries(sim: Simulator) -> None:
    sim.script(*[DOWN] * 7 * CALLS)
    l0.instrument(l0.Policy(retry=RETRY))
    client = chat_client(sim)
    for _ in range(CALLS):
        stacked(client, times=1)
    assert len(sim.requests) == 7 * CALLS


@pytest.mark.parametrize("broken", [DOWN, Fault.refuse("rst"), Fault.cut(at_event=1), Fault.empty()], ids=str)
def test_calls_at_once_share_one_bucket(sim: Simulator, spans: Spans, broken: Fault) -> None:
    sim.script(*[broken] * 2 * CALLS)
    l0.instrument(THRIFTY)

    async def journey() -> list[Any]:
        async def one(client: Any) -> None:
            async for _ in await client.chat.completions.create(**CHATTING, stream=True):
                pass

        async with async_chat_client(sim) as client:
            return await asyncio.gather(*(one(client) for _ in range(CALLS)), return_exceptions=True)

    ends = asyncio.run(journey())
    assert all(isinstance(end, openai.APIError) for end in ends)
    assert len(sim.requests) == CALLS + BUCKET
    assert spans.ends == [("failed", "ERROR")] * CALLS


def test_a_resumed_answer_is_paid_from_the_same_bucket(sim: Simulator) -> None:
    sim.script(*[Fault.cut(at_event=6)] * 2 * CALLS)
    l0.instrument(l0.Policy(retry=RETRY, budget=True, resume="exact"))
    client = chat_client(sim)
    for _ in range(CALLS):
        with pytest.raises(l0.StreamInterrupted):
            list(client.chat.completions.create(**CHATTING, stream=True))
    assert len(sim.requests) == CALLS + BUCKET


def test_buckets_are_per_provider_and_model(sim: Simulator) -> None:
    sim.script(*[DOWN] * 99)
    l0.instrument(THRIFTY)
    client, other = chat_client(sim), claude(sim)
    for _ in range(10):
        for model in ("one", "two"):
            with pytest.raises(openai.APIError):
                client.chat.completions.create(**CHATTING | {"model": model})
        with pytest.raises(Exception, match="503"):
            other.messages.create(**MESSAGING)
    models = [request.body["model"] for request in sim.requests]
    assert {model: models.count(model) for model in set(models)} == dict.fromkeys(
        ("one", "two", MESSAGING["model"]), 10 + BUCKET
    )


def test_what_succeeds_fills_the_bucket_again(sim: Simulator, fresh: Health) -> None:
    sim.script(*[DOWN] * (CALLS + BUCKET))
    l0.instrument(THRIFTY)
    client = chat_client(sim)
    for _ in range(CALLS):
        stacked(client, times=1)
    for _ in range(20):  # the provider is back
        client.chat.completions.create(**CHATTING)
    level = fresh.budgets["openai", CHATTING["model"]].level
    assert level == pytest.approx(FLOOR + 20 * REFUND)
    sim.reset()
    sim.script(*[DOWN] * 9)
    stacked(client, times=1)
    assert len(sim.requests) == 1 + round(20 * REFUND / 1.0)


def test_waits_that_the_server_asked_for_are_not_counted(sim: Simulator, fresh: Health) -> None:
    sim.script(*[Fault.status(429, {"retry-after-ms": "1"})] * 7 * 5)
    l0.instrument(THRIFTY)
    for _ in range(5):
        stacked(chat_client(sim), times=1)
    assert len(sim.requests) == 7 * 5
    assert fresh.budgets["openai", CHATTING["model"]].level == CAPACITY

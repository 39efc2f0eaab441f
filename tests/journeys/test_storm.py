"""A provider that fails altogether for a while: what calls with a retry budget cost it, and what stacked retries do."""

import asyncio
import email.utils
import time
from typing import Any

import anthropic
import openai
import pytest
from journeys_kit import CHATTING, MESSAGING, Spans, async_chat_client, chat_client, claude, sync_and_async

import l0
from l0.config import CONFIG
from l0.runtime import async_driver, sync_driver
from l0.shared_state.budget import CAPACITY, FLOOR, REFUND
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

CALLS = 40
BUCKET = round(CAPACITY - FLOOR)
"""Requests beyond the calls themselves, of one provider and model, until something succeeds again."""
RETRY = l0.Retry(attempts=3, max_retries=6, base_delay=0)
THRIFTY = l0.Policy(retry=RETRY, budget=True)
DOWN = Fault.status(503)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> SharedState:
    """A process that has made no call yet."""
    monkeypatch.setattr(CONFIG, "shared_state", made := SharedState())
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


def test_what_succeeds_fills_the_bucket_again(sim: Simulator, fresh: SharedState) -> None:
    sim.script(*[DOWN] * (CALLS + BUCKET))
    l0.instrument(THRIFTY)
    client = chat_client(sim)
    for _ in range(CALLS):
        stacked(client, times=1)
    for _ in range(20):  # the provider is back
        client.chat.completions.create(**CHATTING)
    level = fresh.retry_budgets["openai", CHATTING["model"]].level
    assert level == pytest.approx(FLOOR + 20 * REFUND)
    sim.reset()
    sim.script(*[DOWN] * 9)
    stacked(client, times=1)
    assert len(sim.requests) == 1 + round(20 * REFUND / 1.0)


# What the server says of waiting

PAST = email.utils.formatdate(time.time() - 3600, usegmt=True)
NO_WAITS: dict[str, dict[str, str]] = {
    "nothing": {},
    "zero": {"retry-after": "0"},
    "zero milliseconds": {"retry-after-ms": "0"},
    "a millisecond": {"retry-after-ms": "1"},
    "a thousandth": {"retry-after": "0.001"},
    "a past date": {"retry-after": PAST},
    "both": {"retry-after-ms": "1", "retry-after": "0"},
    "a reset now": {"x-ratelimit-reset-requests": "0s", "x-ratelimit-remaining-requests": "0"},
    "a reset at once": {"x-ratelimit-reset-tokens": "1ms", "x-ratelimit-remaining-tokens": "0"},
    "a past reset": {"anthropic-ratelimit-requests-reset": "2020-01-01T00:00:00Z"},
    "nonsense": {"retry-after": "soon"},
    "a retry": {"x-should-retry": "true", "retry-after-ms": "1"},
}
"""Headers that ask for no real wait, in every spelling."""
RETRIES: dict[str, l0.Retry | None] = {
    "none": None,
    "at once": RETRY,
    "short": l0.Retry(base_delay=0.001),
    "default": l0.Retry(),
}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that calls would have slept, instead of sleeping them."""
    seconds: list[float] = []

    def noted(wait: float, _: Any) -> None:
        seconds.append(wait)

    async def anoted(wait: float, _: Any) -> None:
        seconds.append(wait)

    for sdk in (openai, anthropic):
        monkeypatch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.5)
    monkeypatch.setattr(sync_driver, "wait_unless_stopped", noted)
    monkeypatch.setattr(async_driver, "sleep", anoted)
    return seconds


def storm(sim: Simulator, *, sync: bool) -> float:
    """Requests per call of so many calls that all fail."""

    async def journey() -> None:
        async with async_chat_client(sim) as client:
            for _ in range(CALLS):
                with pytest.raises(openai.APIError):
                    await client.chat.completions.create(**CHATTING)

    if sync:
        client = chat_client(sim)
        for _ in range(CALLS):
            with pytest.raises(openai.APIError):
                client.chat.completions.create(**CHATTING)
    else:
        asyncio.run(journey())
    return len(sim.requests) / CALLS


@sync_and_async
@pytest.mark.parametrize("headers", NO_WAITS.values(), ids=NO_WAITS)
def test_retry_budget_bounds_a_storm_for_any_retry_after(
    sim: Simulator, slept: list[float], headers: dict[str, str], sync: bool
) -> None:
    l0.instrument(THRIFTY)
    down = Fault.status(429, headers)
    sim.script(*[down] * 7 * CALLS)
    assert storm(sim, sync=sync) == (CALLS + BUCKET) / CALLS
    sim.reset()
    sim.script(*[down] * 7 * CALLS)
    assert storm(sim, sync=sync) == 1.0


@pytest.mark.parametrize("retry", [None, l0.Retry(base_delay=0.001), l0.Retry()], ids=["sdk", "short", "default"])
@pytest.mark.parametrize("headers", NO_WAITS.values(), ids=NO_WAITS)
def test_retry_budget_bounds_a_storm_for_any_backoff(
    sim: Simulator, slept: list[float], headers: dict[str, str], retry: l0.Retry | None
) -> None:
    l0.instrument(l0.Policy(retry=retry, budget=True))
    sim.script(*[Fault.status(503, headers)] * 7 * CALLS)
    assert storm(sim, sync=True) == (CALLS + BUCKET) / CALLS


@sync_and_async
@pytest.mark.parametrize("headers", NO_WAITS.values(), ids=NO_WAITS)
def test_a_server_never_shortens_the_backoff_of_a_policy(
    sim: Simulator, slept: list[float], headers: dict[str, str], sync: bool
) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=1.0, strategy="exponential", max_delay=8.0)))
    sim.script(*[Fault.status(429, headers)] * 7)
    if sync:
        stacked(chat_client(sim), times=1)
    else:
        asyncio.run(one_async(sim))
    assert slept == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert len(sim.requests) == 7


async def one_async(sim: Simulator) -> None:
    async with async_chat_client(sim) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**CHATTING)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "11"},
        {"retry-after-ms": "11000"},
        {"x-ratelimit-reset-requests": "11s", "x-ratelimit-remaining-requests": "0"},
    ],
    ids=str,
)
def test_real_waits_that_the_server_asked_for_are_waited_and_not_counted(
    sim: Simulator, slept: list[float], fresh: SharedState, headers: dict[str, str]
) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(), budget=True))
    sim.script(*[Fault.status(429, headers)] * 7 * 5)
    for _ in range(5):
        stacked(chat_client(sim), times=1)
    assert slept == [11.0] * 6 * 5  # longer than any backoff of our own
    assert len(sim.requests) == 7 * 5
    assert fresh.retry_budgets["openai", CHATTING["model"]].level == CAPACITY


def test_without_a_policy_for_retries_a_real_wait_is_the_sdks_and_not_counted(
    sim: Simulator, slept: list[float], fresh: SharedState
) -> None:
    l0.instrument(l0.Policy(budget=True))
    sim.script(*[Fault.status(429, {"retry-after": "9"})] * 3)
    stacked(chat_client(sim), times=1)
    assert slept == [9.0] * 2
    assert fresh.retry_budgets["openai", CHATTING["model"]].level == CAPACITY


def test_without_a_policy_the_sdks_own_figure_stays(sim: Simulator, slept: list[float]) -> None:
    l0.instrument()
    sim.script(*[Fault.status(429, {"retry-after-ms": "1"})] * 3)
    stacked(chat_client(sim), times=1)
    assert slept == [0.001] * 2

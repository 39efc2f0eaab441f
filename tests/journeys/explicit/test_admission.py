"""Breakers and budgets of the explicit API: each leg is counted by the provider and model that it requests."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import openai
import pytest
from explicit_kit import CHATTING, MESSAGING, async_client, chat, client, messages
from journeys_kit import Heard

import l0
from l0 import Policy, Retry, Timeout
from l0.config import CONFIG
from l0.model.call_events import BreakerChanged, CallEvent
from l0.shared_state.breaker import SAMPLES
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

pytestmark = pytest.mark.anyio
ONCE, TWICE = (Retry(max_retries=number, base_delay=0.001, max_delay=0.001) for number in (0, 1))
OPENAI, ANTHROPIC = ("openai", CHATTING["model"]), ("anthropic", MESSAGING["model"])


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as in a process that has made no call yet."""
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())


def no_openai(sim: Simulator) -> None:
    """From now on, only Anthropic's models answer."""
    sim.on(model=CHATTING["model"], reply=Fault.status(503))


def asked(sim: Simulator) -> int:
    return sum(request.path.endswith("/chat/completions") for request in sim.requests)


def test_open_breaker_of_the_primary_goes_to_the_fallback(sim: Simulator, heard: Heard) -> None:
    no_openai(sim)
    policy = Policy(retry=TWICE, breaker=True)
    with client(sim, chat) as first, client(sim, messages) as second:
        for _ in range(SAMPLES):
            assert l0.run_sync(lambda: chat(first), fallbacks=[lambda: messages(second)], policy=policy).read()
    assert asked(sim) == SAMPLES
    assert {target for target, _ in CONFIG.shared_state.breakers.items()} >= {OPENAI, ANTHROPIC}
    assert CONFIG.shared_state.breakers[ANTHROPIC].state == "closed"


async def test_open_breaker_of_the_primary_goes_to_the_fallback_in_async_code(sim: Simulator, heard: Heard) -> None:
    no_openai(sim)
    policy = Policy(retry=TWICE, breaker=True)
    async with async_client(sim, chat) as first, async_client(sim, messages) as second:
        for _ in range(SAMPLES):
            stream = await l0.run(lambda: chat(first), fallbacks=[lambda: messages(second)], policy=policy)
            assert await stream.read()
    assert asked(sim) == SAMPLES
    assert CONFIG.shared_state.breakers[ANTHROPIC].state == "closed"


def test_one_source_function_for_two_models_has_two_breakers(sim: Simulator, heard: Heard) -> None:
    no_openai(sim)
    policy = Policy(retry=ONCE, breaker=True)

    def ask(model: str) -> str:
        return l0.run_sync(lambda: made.chat.completions.create(**CHATTING | {"model": model}), policy=policy).read()

    with client(sim, chat, max_retries=0) as made:
        for _ in range(SAMPLES):
            with pytest.raises(openai.InternalServerError):
                ask(CHATTING["model"])
        with pytest.raises(openai.APIConnectionError, match="circuit breaker of openai gpt-4o is open") as raised:
            ask(CHATTING["model"])
        assert ask("another")
    assert str(raised.value).endswith("breaker=False disables it; no request was sent.")
    assert asked(sim) == SAMPLES + 1


def test_opened_breaker_is_reported_and_logged(sim: Simulator, heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    no_openai(sim)
    policy, events = Policy(retry=ONCE, breaker=True), list[CallEvent]()
    with client(sim, chat, max_retries=0) as made:
        for _ in range(SAMPLES):
            with pytest.raises(openai.InternalServerError):
                l0.run_sync(lambda: chat(made), policy=policy, observers=[lambda _, event: events.append(event)])
    assert [text for text in caplog.messages if "circuit breaker opened" in text] == [
        "openai gpt-4o: the circuit breaker opened: calls are refused, because too many failed"
    ]
    changes = [event for event in events if isinstance(event, BreakerChanged)]
    assert [(change.provider, change.model, change.state) for change in changes] == [(*OPENAI, "open")]


def test_stalls_that_the_call_itself_ends_open_the_breaker(sim: Simulator, heard: Heard) -> None:
    sim.on(model=CHATTING["model"], reply=Fault.stall(at_event=3))
    policy = Policy(retry=ONCE, breaker=True, timeout=Timeout(inter_token=timedelta(milliseconds=20)))
    with client(sim, chat, max_retries=0) as made:
        for _ in range(SAMPLES):
            with pytest.raises(l0.StreamInterrupted):
                l0.run_sync(lambda: chat(made), policy=policy).read()
    assert CONFIG.shared_state.breakers[OPENAI].state == "open"


def failing_text() -> Iterator[str]:
    raise ConnectionError("no answer")


def good_text() -> Iterator[str]:
    yield "All is well."


def closure(text: Callable[[], Iterator[str]]) -> Callable[[], Iterator[str]]:
    """Return a function with the name and the code of all such functions."""

    def source() -> Iterator[str]:
        return text()

    return source


@pytest.mark.parametrize("wrapped", [partial, closure])
def test_sources_without_a_known_provider_are_counted_by_leg(wrapped: Callable[[Any], Any]) -> None:
    policy = Policy(retry=ONCE, breaker=True)
    for _ in range(SAMPLES + 1):
        assert l0.run_sync(wrapped(failing_text), fallbacks=[wrapped(good_text)], policy=policy).read()


def test_failures_of_one_provider_leave_the_budget_of_the_next(sim: Simulator, heard: Heard) -> None:
    no_openai(sim)
    policy = Policy(retry=TWICE, budget=True)
    with client(sim, chat) as first, client(sim, messages) as second:
        for _ in range(6):
            l0.run_sync(lambda: chat(first), fallbacks=[lambda: messages(second)], policy=policy).read()
        assert asked(sim) == 11  # five retries, until the budget is used up
        sim.on(model=MESSAGING["model"], reply=Fault.status(503), times=1)
        assert l0.run_sync(lambda: messages(second), policy=policy).read()
    levels = {target: budget.level for target, budget in CONFIG.shared_state.retry_budgets.items()}
    assert levels[OPENAI] == 5
    assert levels[ANTHROPIC] > 9

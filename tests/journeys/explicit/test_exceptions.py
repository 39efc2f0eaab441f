"""Exceptions of the explicit API: also of the class of the SDK that served the attempt, and their notes."""

import pickle
import re
from datetime import timedelta
from typing import Any

import anthropic
import anyio
import openai
import pytest
from explicit_kit import Ask, asks, async_client, chat, chat_whole, client, messages, messages_whole, responses

import l0
from l0 import Fallback, Guardrails, Policy, Retry, StreamInterrupted, Timeout
from l0.config import CONFIG
from l0.shared_state.breaker import SAMPLES
from l0.shared_state.budget import CAPACITY
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ONCE = Retry(max_retries=0)
BREAKS: dict[str, tuple[Fault | None, dict[str, Any], str]] = {
    "rule": (
        None,
        {"guardrails": [Guardrails.pattern_rule([re.compile("[a-z]")], "no letters")]},
        "guardrail_violation",
    ),
    "stall": (Fault.stall(at_event=6), {"timeout": Timeout(inter_token=timedelta(milliseconds=20))}, "stalled"),
    "total": (Fault.stall(at_event=0), {"timeout": Timeout(total=timedelta(milliseconds=50))}, "total_timeout"),
}
BUILT_IN = {"rule": Exception, "stall": TimeoutError, "total": TimeoutError}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as in a process that has made no call yet."""
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", BREAKS)
@asks(chat, responses, messages, chat_whole, messages_whole)
def test_failure_that_l0_finds_is_of_the_sdks_class(
    sim: Simulator, spans: Any, ask: Ask, name: str, *, is_async: bool
) -> None:
    if name == "stall" and ask in (chat_whole, messages_whole):
        pytest.skip("the answer does not stream")
    fault, options, reason = BREAKS[name]
    if ask in (chat_whole, messages_whole):
        fault = Fault.no_headers() if name == "total" else None
    sim.script(fault)

    async def call() -> None:
        async with async_client(sim, ask, max_retries=0) as made:
            await (await l0.run(lambda: ask(made), retry=ONCE, **options)).read()

    sdk = anthropic if ask in (messages, messages_whole) else openai
    with pytest.raises(sdk.APIError) as raised:
        if is_async:
            anyio.run(call)
        else:
            with client(sim, ask, max_retries=0) as made:
                l0.run_sync(lambda: ask(made), retry=ONCE, **options).read()
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert isinstance(error, BUILT_IN[name])
        assert isinstance(error, StreamInterrupted)
        assert error.reason == reason


FAULTS = {
    "truncated": Fault.clean_end(at_event=5),
    "incomplete_read": Fault.cut(at_event=5),
    "malformed": Fault.malformed(),
    "stalled": Fault.stall(at_event=5),
}


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("reason", FAULTS)
@asks(chat, messages)
def test_message_attempts_and_notes_agree(sim: Simulator, spans: Any, ask: Ask, reason: str, retries: int) -> None:
    l0.instrument(Policy(truncation="strict"))
    sim.on(reply=FAULTS[reason])
    retry = Retry(max_retries=retries, base_delay=0, max_delay=0)
    timeout = Timeout(inter_token=timedelta(milliseconds=20) if reason == "stalled" else None)
    with client(sim, ask, max_retries=0) as made, pytest.raises(StreamInterrupted) as raised:
        l0.run_sync(lambda: ask(made), retry=retry, timeout=timeout).read()
    error, requests = raised.value, retries + 1
    assert (error.reason, error.attempts) == (reason, requests)
    limit = f"all retries are used (Retry.max_retries={retries})"
    assert str(error).endswith(f"attempt {requests} of {requests}. No further attempt: {limit}.")
    assert f"{len(error.partial_text)} characters had arrived" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    notes = [note.partition(" failed: ")[0] for note in getattr(error, "__notes__", [])]
    assert notes == ([f"l0: attempt {number + 1}" for number in range(requests)] if retries else [])


def test_notes_and_log_name_the_legs(sim: Simulator, spans: Any, caplog: pytest.LogCaptureFixture) -> None:
    once_more = Retry(max_retries=1, base_delay=0.001, max_delay=0.001)
    sim.on(reply=Fault.status(503))
    with client(sim, chat) as first, client(sim, messages) as second, pytest.raises(anthropic.APIError) as raised:
        l0.run_sync(lambda: chat(first), fallbacks=[lambda: messages(second)], retry=once_more)
    limit = "all retries are used (Retry.max_retries=1 for the primary and for each fallback)"
    reason, *attempts = raised.value.__notes__
    assert reason == f"l0: no further attempt: {limit}"
    assert [note.partition(" failed")[0] for note in attempts] == [
        "l0: attempt 1 (gpt-4o)",
        "l0: attempt 2 (gpt-4o)",
        "l0: attempt 3 (claude-test at anthropic)",
        "l0: attempt 4 (claude-test at anthropic)",
    ]
    (line,) = caplog.messages
    assert line.startswith("openai chat gpt-4o: failed after 4 attempts: ")
    assert limit in line


def test_notes_say_that_the_budget_refused_a_retry_before_a_fallback(sim: Simulator, spans: Any) -> None:
    l0.instrument(Policy(budget=True, retry=Retry(max_retries=1, base_delay=0), fallback=[Fallback(model="spare")]))
    sim.on(reply=Fault.status(503))
    with client(sim, chat) as made:
        for _ in range(int(CAPACITY)):
            with pytest.raises(openai.InternalServerError) as raised:
                chat(made)
    refused = [note for note in raised.value.__notes__ if "attempt 1 (gpt-4o) failed" in note]
    assert ["; no retry: the retry budget of openai gpt-4o is used up" in note for note in refused] == [True]


def test_leg_that_an_open_breaker_refuses_is_no_attempt(sim: Simulator, spans: Any) -> None:
    policy = Policy(breaker=True, retry=ONCE, fallback=[Fallback(model="spare")])
    l0.instrument(policy)
    sim.on(reply=Fault.status(503))
    with client(sim, chat) as made:
        for _ in range(SAMPLES):
            with pytest.raises(openai.APIError) as raised:
                chat(made)
        with pytest.raises(openai.APIConnectionError) as raised:
            chat(made)
    texts = [str(raised.value), *raised.value.__notes__]
    assert not any("attempt" in text for text in texts)
    assert [text.partition(": breaker_open")[0] for text in texts[1:]] == [
        "l0: no request (gpt-4o)",
        "l0: no request (spare)",
    ]

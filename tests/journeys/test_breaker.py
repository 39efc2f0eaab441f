"""A provider that keeps failing is not asked any more, but for a probe now and then; time passes when the test says."""

import threading
from functools import partial
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING, Spans, chat_client
from makers import Clock
from recorded_breaker import BreakerChange, RecordedBreaker

import l0
from l0.config import CONFIG
from l0.shared_state.breaker import COOLDOWN, SAMPLES, Breakers, BreakerState
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ONCE = l0.Retry(max_retries=0)
GUARDED = l0.Policy(retry=ONCE, breaker=True, truncation="strict")
DOWN = Fault.status(503)
TARGET = ("openai", CHATTING["model"])


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def changes(time: Clock, monkeypatch: pytest.MonkeyPatch) -> list[BreakerChange]:
    """Return the changes of the breakers of a process that has made no call yet."""
    found: list[BreakerChange] = []
    monkeypatch.setattr("l0.shared_state.breaker.Breaker", partial(RecordedBreaker, changes=found))
    shared_state = SharedState()
    shared_state.breakers = Breakers(time)
    monkeypatch.setattr(CONFIG, "shared_state", shared_state)
    return found


@pytest.fixture
def client(sim: Simulator) -> openai.OpenAI:
    return chat_client(sim)


def ask(client: openai.OpenAI, **more: Any) -> None:
    """One call, read to its end."""
    for _ in client.chat.completions.create(**CHATTING | more, stream=True):
        pass


def failing(sim: Simulator, client: openai.OpenAI, time: Clock, calls: int = SAMPLES) -> None:
    """So many calls of a second each, all of which fail."""
    sim.script(*[DOWN] * calls)
    for _ in range(calls):
        time.now += 1
        with pytest.raises(openai.InternalServerError):
            ask(client)


def states(changes: list[BreakerChange]) -> list[BreakerState]:
    return [change.after for change in changes]


def test_it_opens_and_calls_are_refused_without_a_request(
    sim: Simulator, client: openai.OpenAI, spans: Spans, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    assert states(changes) == [BreakerState.OPEN]
    assert CONFIG.shared_state.breakers[TARGET].state is BreakerState.OPEN
    before = len(sim.requests)
    with pytest.raises(openai.APIConnectionError, match="breaker"):
        ask(client)
    assert len(sim.requests) == before
    assert spans.ends[-1] == ("failed", "ERROR")
    assert len(spans.ends) == SAMPLES + 1
    ask(client, model="another")  # its neighbour is not touched


def test_one_probe_at_a_time_and_it_closes(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    time.now += COOLDOWN + 1
    before = len(sim.requests)
    probe = client.chat.completions.create(**CHATTING, stream=True)
    next(probe)
    assert states(changes) == [BreakerState.OPEN, BreakerState.HALF_OPEN]
    with pytest.raises(openai.APIConnectionError, match="breaker"):
        ask(client)
    assert len(sim.requests) == before + 1
    list(probe)
    assert states(changes) == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]
    ask(client)
    assert len(sim.requests) == before + 2


def test_a_probe_that_fails_opens_it_again(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    time.now += COOLDOWN + 1
    sim.script(Fault.cut(at_event=8))
    with pytest.raises(l0.StreamInterrupted):
        ask(client)
    assert states(changes) == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.OPEN]
    with pytest.raises(openai.APIConnectionError, match="breaker"):
        ask(client)
    time.now += COOLDOWN + 1
    ask(client)
    assert states(changes)[3:] == [BreakerState.HALF_OPEN, BreakerState.CLOSED]


def test_abandoned_probe_admits_the_next_one(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    time.now += COOLDOWN + 1
    client.chat.completions.create(**CHATTING, stream=True).close()
    assert states(changes) == [BreakerState.OPEN, BreakerState.HALF_OPEN]
    ask(client)
    assert states(changes)[2:] == [BreakerState.CLOSED]


def test_streams_under_way_are_not_touched(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    stream = client.chat.completions.create(**CHATTING, stream=True)
    first = next(stream)
    failing(sim, client, time)
    assert states(changes) == [BreakerState.OPEN]
    rest = list(stream)
    assert rest[-1].choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in (first, *rest)} == {first.id}


def test_open_breaker_falls_back_at_once(sim: Simulator, client: openai.OpenAI, spans: Spans, time: Clock) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    sim.reset()
    with l0.policy(fallback=l0.Fallback(model="spare")):
        ask(client)
    assert [request.body["model"] for request in sim.requests] == ["spare"]
    assert spans.ends[-1][0] == "recovered_fallback"


def test_breaker_ignores_bad_requests_and_cancelled_calls(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    sim.script(*[Fault.status(400)] * (SAMPLES * 2))
    for _ in range(SAMPLES * 2):
        time.now += 1
        with pytest.raises(openai.BadRequestError):
            ask(client)
    for _ in range(SAMPLES):
        time.now += 1
        client.chat.completions.create(**CHATTING, stream=True).close()
    assert changes == []


def test_threads_that_fail_together_open_it_once(
    sim: Simulator, client: openai.OpenAI, time: Clock, changes: list[BreakerChange]
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time, SAMPLES - 1)
    sim.script(*[DOWN] * 99)
    refused: list[BaseException] = []

    def one() -> None:
        for _ in range(4):
            try:
                ask(client)
            except openai.APIError as error:
                refused.append(error)

    time.now += 1
    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 24
    assert states(changes) == [BreakerState.OPEN]
    assert len(sim.requests) < SAMPLES - 1 + 24


def test_a_breaker_that_opens_while_a_retry_waits_ends_the_call(
    sim: Simulator, client: openai.OpenAI, spans: Spans, time: Clock
) -> None:
    """With no request under way: its span ends all the same."""
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=6, base_delay=0), breaker=True))
    sim.script(*[DOWN] * 40)
    for _ in range(3):
        time.now += 1
        with pytest.raises(openai.APIError):
            ask(client)
    assert len(sim.requests) == SAMPLES
    assert spans.ends == [("failed", "ERROR")] * 3


def test_error_of_an_open_breaker_names_the_model_and_the_time_left(
    sim: Simulator, client: openai.OpenAI, time: Clock
) -> None:
    l0.instrument(GUARDED)
    failing(sim, client, time)
    time.now += 10
    with pytest.raises(openai.APIConnectionError) as raised:
        ask(client)
    model = CHATTING["model"]
    assert f"the circuit breaker of openai {model} is open for another {COOLDOWN - 10:.1f} s" in str(raised.value)


def test_error_of_a_used_up_budget_has_a_note_with_its_share(sim: Simulator, client: openai.OpenAI) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0, max_delay=0, max_retries=9), budget=True))
    sim.script(*[DOWN] * 9)
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client)
    note = (
        f"l0: no further attempt: the retry budget of openai {CHATTING['model']} is used up. It allows one more request"
    )
    assert any(one.startswith(note) for one in raised.value.__notes__)
    sim.reset()

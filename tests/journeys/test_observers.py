"""Observers of the user: what they learn of every kind of call, and that their defects never reach the call."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING, MESSAGING, Spans, async_chat_client, chat_client, claude, exhausted, sync_and_async

import l0
from l0 import Fallback, Guardrails, Hedge, Policy, Retry
from l0.runtime.finalizers import LATER
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault as F
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_rate_limiter import LogRateLimiter

PAGE = Path(__file__).parents[2] / "docs" / "observers.md"
WORDS = "The tide forgets the names we wrote, the gulls forget the shore."
NOW, NEVER = Retry(base_delay=0), Retry(max_retries=0)
BROKEN = Reply(answer=Answer(text=WORDS), fault=F.cut(at_event=5))
pytestmark = pytest.mark.usefixtures("clock")


class Recorder(l0.types.Observer):
    """Keeps a line per event, from public fields only."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver:
        self.lines.append(f"call {call.provider} {call.operation} {call.model} streaming={call.streaming}")
        return _Lines(self.lines)


class _Lines(l0.types.CallObserver):
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._last = 0.0

    def notify(self, event: l0.types.CallEvent) -> None:
        assert event.at >= self._last
        self._last = event.at
        self._lines.append(line(event))


def line(event: l0.types.CallEvent) -> str:
    """Describe an event without what differs between runs."""
    match event:
        case l0.types.AttemptStarted(attempt=attempt):
            how = " hedge" * attempt.hedge + (f" resume={attempt.resume}" if attempt.resume else "")
            return f"started {attempt.number} leg={attempt.leg}{how}"
        case l0.types.AttemptEnded(failure=l0.types.Failure() as failure):
            return f"failed {event.number} {failure.cause} {failure.category} status={event.status} {event.action}"
        case l0.types.AttemptEnded():
            return f"ended {event.number} status={event.status}{' lost' * event.lost}"
        case l0.types.RuleMatched(violation=violation):
            return f"rule {violation.rule} {violation.severity} at={violation.at} {event.action}"
        case l0.types.BreakerChanged():
            return f"breaker {event.provider} {event.model} {event.state}"
        case l0.types.ShadowDecision():
            return f"shadow {event.action} {event.cause}"
        case l0.types.CallEnded():
            cause = event.failure.cause if event.failure is not None else None
            return f"{event.outcome} {cause} attempts={event.attempts} leg={event.leg} {event.policy_field}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The server's script, the policy, and the lines that an observer writes after the first, which names the call."""

    script: tuple[Any, ...]
    lines: tuple[str, ...]
    policy: Policy = field(default_factory=lambda: Policy(retry=NOW))
    stream: bool = True
    leave: bool = False


SCENARIOS = {
    "success": Scenario(
        script=(None,),
        lines=("started 1 leg=0", "ended 1 status=200", "ok None attempts=1 leg=0"),
    ),
    "whole answer": Scenario(
        script=(None,),
        stream=False,
        lines=("started 1 leg=0", "ended 1 status=None", "ok None attempts=1 leg=0"),
    ),
    "retry": Scenario(
        script=(F.status(503),),
        lines=(
            "started 1 leg=0",
            "failed 1 unavailable transient status=503 retry",
            "started 2 leg=0",
            "ended 2 status=200",
            "recovered_retry None attempts=2 leg=0",
        ),
    ),
    "fallback": Scenario(
        script=(F.status(503),),
        policy=Policy(retry=NEVER, fallback=Fallback(model="gpt-4o-mini")),
        lines=(
            "started 1 leg=0",
            "failed 1 unavailable transient status=503 fallback",
            "started 2 leg=1",
            "ended 2 status=200",
            "recovered_fallback None attempts=2 leg=1",
        ),
    ),
    "resume": Scenario(
        script=(BROKEN, Answer(text=WORDS)),
        policy=Policy(retry=NOW, resume="exact"),
        lines=(
            "started 1 leg=0",
            "failed 1 incomplete_read network status=200 resume",
            "started 2 leg=0 resume=exact",
            "ended 2 status=200",
            "recovered_resume None attempts=2 leg=0",
        ),
    ),
    "hedge": Scenario(
        script=(F.no_headers(3600),),
        policy=Policy(hedge=Hedge(after=400), retry=NOW),
        lines=(
            "started 1 leg=0",
            "started 2 leg=0 hedge",
            "ended 1 status=None lost",
            "ended 2 status=200",
            "recovered_hedge None attempts=2 leg=0",
        ),
    ),
    "finding of a guardrail": Scenario(
        script=(Answer(text=WORDS),),
        policy=Policy(guardrails=Guardrails.pattern_rule(["gulls"], "it is about birds", severity="warning")),
        lines=(
            "started 1 leg=0",
            "rule pattern warning at=41 recorded",
            "ended 1 status=200",
            "ok None attempts=1 leg=0",
        ),
    ),
    "failure": Scenario(
        script=(F.status(503), F.status(503)),
        policy=Policy(retry=Retry(base_delay=0, max_retries=1)),
        lines=(
            "started 1 leg=0",
            "failed 1 unavailable transient status=503 retry",
            "started 2 leg=0",
            "failed 2 unavailable transient status=503 raise",
            "failed unavailable attempts=2 leg=0 Retry.max_retries",
        ),
    ),
    "failure after content": Scenario(
        script=(BROKEN,),
        lines=(
            "started 1 leg=0",
            "failed 1 incomplete_read network status=200 raise",
            "failed incomplete_read attempts=1 leg=0 Policy.resume",
        ),
    ),
    "cancel": Scenario(
        script=(Answer(text=WORDS),),
        leave=True,
        lines=("started 1 leg=0", "ended 1 status=200", "cancelled None attempts=1 leg=0"),
    ),
    "shadow mode": Scenario(
        script=(F.status(503),),
        policy=Policy(mode="shadow", retry=NOW),
        lines=(
            "started 1 leg=0",
            "shadow retry unavailable",
            "failed 1 unavailable transient status=503 retry",
            "started 2 leg=0",
            "ended 2 status=200",
            "recovered_retry None attempts=2 leg=0",
        ),
    ),
}


def play(sim: Simulator, scenario: Scenario) -> str:
    """Make the call. Return what the user received."""
    text: list[str] = []
    with suppress(openai.APIError):
        answer: Any = chat_client(sim).chat.completions.create(**CHATTING, stream=scenario.stream)
        if not scenario.stream:
            return str(answer.choices[0].message.content)
        for chunk in answer:
            text += [choice.delta.content or "" for choice in chunk.choices]
            if scenario.leave:
                answer.close()
                break
    return "".join(text)


async def play_async(sim: Simulator, scenario: Scenario) -> str:
    text: list[str] = []
    async with async_chat_client(sim) as client:
        with suppress(openai.APIError):
            answer: Any = await client.chat.completions.create(**CHATTING, stream=scenario.stream)
            if not scenario.stream:
                return str(answer.choices[0].message.content)
            async for chunk in answer:
                text += [choice.delta.content or "" for choice in chunk.choices]
                if scenario.leave:
                    await answer.close()
                    break
    return "".join(text)


def played(sim: Simulator, loop: asyncio.AbstractEventLoop, scenario: Scenario, sync: bool) -> str:
    sim.script(*scenario.script)
    text = play(sim, scenario) if sync else loop.run_until_complete(play_async(sim, scenario))
    LATER.finish()
    return text


@sync_and_async
@pytest.mark.parametrize("name", SCENARIOS)
def test_observer_receives(sim: Simulator, loop: asyncio.AbstractEventLoop, name: str, sync: bool) -> None:
    scenario, recorder = SCENARIOS[name], Recorder()
    l0.instrument(scenario.policy, observers=[recorder])
    played(sim, loop, scenario, sync)
    assert recorder.lines == [f"call openai chat gpt-4o streaming={scenario.stream}", *scenario.lines]


def test_observer_receives_a_breaker(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    from l0.config import CONFIG
    from l0.shared_state import shared
    from l0.shared_state.shared import SharedState

    made = shared.Breaker
    monkeypatch.setattr(shared, "Breaker", lambda *args, **more: made(*args, **more, samples=1))
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())
    recorder = Recorder()
    l0.instrument(Policy(retry=NEVER, breaker=True), observers=[recorder])
    sim.script(F.status(503))
    for _ in range(2):
        play(sim, SCENARIOS["failure"])
    assert "breaker openai gpt-4o open" in recorder.lines
    assert recorder.lines[-1] == "failed breaker_open attempts=0 leg=0 Policy.breaker"


class Ends(l0.types.Observer, l0.types.CallObserver):
    """Keeps the end of each call."""

    def __init__(self) -> None:
        self.found: list[l0.types.CallEnded] = []

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver:
        return self

    def notify(self, event: l0.types.CallEvent) -> None:
        if isinstance(event, l0.types.CallEnded):
            self.found.append(event)


@pytest.fixture
def ends(sim: Simulator) -> list[l0.types.CallEnded]:
    """The end of each call, as an observer receives it."""
    observer = Ends()
    l0.instrument(observers=[observer])
    return observer.found


def test_end_holds_figures_of_the_answer(sim: Simulator, ends: list[l0.types.CallEnded]) -> None:
    sim.script(Answer(text=WORDS))
    play(sim, SCENARIOS["success"])
    (end,) = ends
    assert end.text == WORDS
    assert WORDS not in repr(end)
    assert end.stream_stats is not None
    assert end.stream_stats.chunks > 3
    assert end.stream_stats.first_chunk is not None
    assert 0 < end.stream_stats.first_chunk <= end.stream_stats.duration
    assert end.metadata is not None
    assert end.metadata.finish_reasons == ("stop",)
    assert end.wasted_tokens is None


@pytest.mark.parametrize("explicit", [False, True], ids=["SDK", "explicit API"])
@pytest.mark.parametrize("fault", [F.clean_end(at_event=5), F.cut(at_event=5), F.in_band_error(at_event=5)], ids=str)
def test_failure_of_a_broken_stream_has_the_id_of_its_request(
    sim: Simulator, ends: list[l0.types.CallEnded], fault: F, *, explicit: bool
) -> None:
    sim.script(fault)
    policy = l0.policy(retry=NEVER, truncation="strict")
    with policy, claude(sim) as client, pytest.raises(l0.StreamInterrupted) as raised:
        if explicit:
            l0.run_sync(lambda: client.messages.create(**MESSAGING, stream=True), retry=NEVER).read()
        else:
            exhausted(client.messages.create(**MESSAGING, stream=True))
    (end,) = ends
    assert end.failure is not None
    assert raised.value.request_id == end.failure.request_id
    assert end.failure.request_id is not None
    assert end.failures == (end.failure,)


def test_tokens_count_for_the_leg_that_spent_them(sim: Simulator, ends: list[l0.types.CallEnded]) -> None:
    sim.script(Reply(fault=F.clean_end(at_event=1)), Answer(text=WORDS))
    with l0.policy(retry=NEVER, truncation="strict", fallback=Fallback(model="other")), claude(sim) as client:
        exhausted(client.messages.create(**MESSAGING, stream=True))
    (end,) = ends
    assert end.outcome == "recovered_fallback"
    assert end.metadata is not None
    spent = {leg: metadata.input_tokens for leg, metadata in end.tokens_by_leg.items()}
    assert spent.keys() == {0, 1}
    assert sum(count or 0 for count in spent.values()) == end.metadata.input_tokens
    assert end.tokens_by_leg[1].model == "other"


class Broken(l0.types.Observer, l0.types.CallObserver):
    """Raises in one of its methods."""

    def __init__(self, method: str) -> None:
        self._method = method

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver:
        self._fail("observe")
        return self

    def notify(self, event: l0.types.CallEvent) -> None:
        self._fail("notify")

    def active(self) -> AbstractContextManager[object]:
        self._fail("active")
        return self._context()

    @contextmanager
    def _context(self) -> Iterator[None]:
        self._fail("enter")
        with suppress(Exception):  # a context that hides the exceptions of the request
            yield
        self._fail("leave")

    def headers(self) -> dict[str, str]:
        return {}

    def _fail(self, method: str) -> None:
        if method == self._method:
            raise LookupError("the text of the answer")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(CALL_LOG, "_rate_limiter", LogRateLimiter())
    caplog.set_level(logging.WARNING, "l0")
    return caplog


@sync_and_async
@pytest.mark.parametrize("method", ["observe", "notify", "active", "enter", "leave", "nothing"])
@pytest.mark.parametrize("name", ["success", "retry", "failure", "resume", "cancel"])
def test_observer_that_raises_changes_no_call(
    sim: Simulator, loop: asyncio.AbstractEventLoop, log: pytest.LogCaptureFixture, method: str, name: str, sync: bool
) -> None:
    scenario = SCENARIOS[name]
    l0.instrument(scenario.policy)
    expected = played(sim, loop, scenario, sync)
    sim.reset()
    log.clear()
    recorder = Recorder()
    l0.instrument(observers=[Broken(method), recorder])
    assert played(sim, loop, scenario, sync) == expected
    assert recorder.lines[1:] == [*scenario.lines]
    said = [record.getMessage() for record in log.records if "Broken" in record.getMessage()]
    called = {"enter": "active", "leave": "active"}.get(method, method)
    assert all(text.startswith(f"Broken.{called} failed and is ignored: LookupError at ") for text in said)
    assert bool(said) == (method != "nothing")
    assert "the text" not in log.text


def test_explicit_call_survives_an_observer_that_raises(sim: Simulator, log: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    for method in ("notify", "active", "enter", "leave", "headers"):
        recorder.lines.clear()
        l0.instrument(observers=[Broken(method), recorder])
        client = chat_client(sim)
        answer = l0.run_sync(lambda client=client: client.chat.completions.create(**CHATTING, stream=True))
        assert answer.read()
        LATER.finish()
        assert recorder.lines[1:] == [*SCENARIOS["success"].lines]


def test_observer_that_always_raises_does_not_flood_the_log(sim: Simulator, log: pytest.LogCaptureFixture) -> None:
    l0.instrument(observers=[Broken("notify")])
    for _ in range(40):
        play(sim, replace(SCENARIOS["success"], stream=False))
    CALL_LOG.flush()
    lines = [record for record in log.records if "Broken" in record.getMessage()]
    assert len(lines) == 6
    assert vars(lines[-1])["l0_count"] == 40 * 3 - 5
    assert lines[-1].getMessage().endswith(" s: observer_failed (Broken): 115")


def test_observers_of_a_later_instrument_replace_the_earlier_ones(sim: Simulator) -> None:
    first, second = Recorder(), Recorder()
    l0.instrument(observers=[first])
    l0.instrument(observers=[second])
    play(sim, SCENARIOS["success"])
    assert (bool(first.lines), bool(second.lines)) == (False, True)
    l0.uninstrument()
    l0.instrument()
    play(sim, SCENARIOS["success"])
    assert len(second.lines) == 4


def page_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_function_gets_the_events_of_every_call(sim: Simulator, loop: asyncio.AbstractEventLoop, sync: bool) -> None:
    got: list[tuple[str, str]] = []
    recorder = Recorder()
    l0.instrument(observers=[lambda call, event: got.append((call.model, line(event))), recorder])
    played(sim, loop, SCENARIOS["retry"], sync)
    assert got == [("gpt-4o", text) for text in recorder.lines[1:]]
    assert len(got) > 3


def test_function_that_raises_does_not_reach_the_call(sim: Simulator, log: pytest.LogCaptureFixture) -> None:
    def broken(call: l0.types.Call, event: l0.types.CallEvent) -> None:
        raise LookupError("the text")

    l0.instrument(observers=[broken])
    play(sim, SCENARIOS["success"])
    assert "LookupError at " in log.text
    assert "the text" not in log.text


def test_coroutine_function_is_refused() -> None:
    async def later(call: l0.types.Call, event: l0.types.CallEvent) -> None: ...

    with pytest.raises(l0.PolicyError, match=r"observers: .*functions of"):
        l0.instrument(observers=[later])  # type: ignore[list-item]


def test_call_names_the_span_of_the_call(sim: Simulator, spans: Spans) -> None:
    seen: set[tuple[str, str]] = set()
    l0.instrument(observers=[lambda call, event: seen.add((call.trace_id, call.span_id))])
    play(sim, SCENARIOS["success"])
    context = spans.only.context
    assert context is not None
    assert seen == {(f"{context.trace_id:032x}", f"{context.span_id:016x}")}


def test_call_without_a_tracer_names_no_span(sim: Simulator) -> None:
    seen: set[tuple[str, str]] = set()
    l0.instrument(observers=[lambda call, event: seen.add((call.trace_id, call.span_id))])
    play(sim, SCENARIOS["success"])
    assert seen == {("", "")}


def test_example_of_a_retry_runs(sim: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    exec(page_blocks()[0], {})
    sim.script(*SCENARIOS["retry"].script)
    play(sim, SCENARIOS["retry"])
    assert re.search(r"^gpt-4o: \w+, attempt 2 follows in [\d.]+ s$", capsys.readouterr().out, re.MULTILINE)


def test_code_of_the_page_runs(sim: Simulator) -> None:
    block = "import l0\n" + page_blocks()[1]
    made: dict[str, Any] = {}
    observer = block.replace("l0.instrument(observers=[FailedCalls()])", "observer = FailedCalls()")
    assert observer != block
    exec(observer, made)
    l0.instrument(observers=[made["observer"]])
    sim.script(F.status(401))
    play(sim, SCENARIOS["failure"])
    play(sim, SCENARIOS["success"])
    assert made["observer"].causes == [("gpt-4o", "authentication")]

"""One call at run time, with an SDK that does as it is told; through both drivers, which must do the same."""

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pytest
from driver_fakes import (
    DONE,
    FRAME,
    TOOL,
    AsyncFakeBody,
    Broken,
    FakeBody,
    FakeCallAdapter,
    FakePump,
    FakeReader,
    Listener,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import make_call, make_failure

from l0 import Guardrails
from l0.engine.commands import Finish, Raise, Wait
from l0.engine.machine import CallState
from l0.engine.signals import Slow
from l0.model.call import Call, Outcome, RetrySafety
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Hedge, Hold, Policy, Retry, Timeout
from l0.runtime import async_driver, output_buffer, sync_driver
from l0.runtime.body_parser import END
from l0.runtime.call_runtime import CANCELLED, AttemptOver, CallRuntime
from l0.runtime.finalizers import LATER
from l0.runtime.watchdog import Expired
from l0.shared_state.shared import SharedState

RULE = Guardrails.pattern_rule()

AT_ONCE = Policy(retry=Retry(base_delay=0))


@dataclass
class Played:
    """The observations of a user and an observer of one streamed call."""

    items: list[Any]
    error: BaseException | None
    listener: Listener
    body: Any
    call_adapter: FakeCallAdapter
    runtime: CallRuntime


def play(
    flavour: str, call: Call, *attempts: Any, call_adapter: FakeCallAdapter | None = None, read_event: int | None = None
):
    """Run a call whose headers are there; ``take``: how many items the user reads before they stop."""
    call_adapter = call_adapter or FakeCallAdapter()
    listener = Listener()
    made = CallRuntime(call, call_adapter, [listener], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, "req_1")
    items: list[Any] = []
    error: BaseException | None = None
    if flavour == "sync":
        body: Any = FakeBody(made, *attempts)
        stream = sync_driver.relay(made, body)
        try:
            for item in stream:
                items.append(item)
                if len(items) == read_event:
                    break
        except BaseException as raised:
            error = raised
        stream.close()
        LATER.finish()
    else:
        body = AsyncFakeBody(made, *attempts)

        async def consume() -> None:
            stream = async_driver.relay(made, body)
            try:
                async for item in stream:
                    items.append(item)
                    if len(items) == read_event:
                        break
            finally:
                await stream.aclose()

        try:
            asyncio.run(consume())
        except BaseException as raised:
            error = raised
    return Played(items, error, listener, body, call_adapter, made)


sync_and_async = pytest.mark.parametrize("flavour", ["sync", "async"])


@sync_and_async
def test_answer_is_delivered_in_order_and_reported_once(flavour):
    played = play(flavour, make_call(), [[FRAME, "a"], ["b", "c"], [DONE]])
    assert (played.items, played.error) == ([FRAME, "a", "b", "c"], None)
    assert played.listener.told == ["start 1", "end 1 ok", "call ok"]
    assert played.listener.end.text == "abc"
    assert played.call_adapter.whole_streams == 1
    assert played.body.closes >= 1


@sync_and_async
def test_events_after_the_terminal_one_are_not_delivered(flavour):
    played = play(flavour, make_call(), [["a", DONE, "b"], ["c"]])
    assert (played.items, played.error) == (["a"], None)


@sync_and_async
def test_before_the_commit_point_a_restart_is_invisible(flavour):
    played = play(flavour, make_call(policy=AT_ONCE), [[FRAME], Broken("rst")], [[FRAME, "a"], [DONE]])
    assert (played.items, played.error) == ([FRAME, "a"], None)
    assert played.listener.told == ["start 1", "end 1 reset", "start 2", "end 2 ok", "call recovered_retry"]
    assert played.call_adapter.resends == [0, 1]
    assert played.listener.end.attempts == 2


@sync_and_async
def test_after_the_commit_point_the_failure_is_raised(flavour):
    error = Broken("rst")
    played = play(flavour, make_call(policy=AT_ONCE), [["a"], error], [["never"]])
    assert (played.items, played.error) == (["a"], error)
    assert played.listener.end.outcome is Outcome.FAILED
    assert played.listener.end.failure.error is error
    assert played.body.reopened == []


@sync_and_async
def test_content_of_a_failing_read_is_delivered(flavour):
    failure = make_failure(Cause.MALFORMED)
    played = play(flavour, make_call(policy=AT_ONCE), [["a"], ["b", failure, "c"]])
    assert played.items == ["a", "b"]
    assert isinstance(played.error, Broken)


@sync_and_async
def test_missing_terminal_event_fails_a_strict_call(flavour):
    strict = play(flavour, make_call(strict=True), [["a"]])
    assert strict.items == ["a"]
    assert "truncated after 'a'" in str(strict.error)
    assert strict.call_adapter.whole_streams == 0


@sync_and_async
def test_elsewhere_it_is_accepted_with_a_warning_and_marked(flavour, caplog):
    with caplog.at_level(logging.WARNING, "l0"):
        warned = play(flavour, make_call(strict=False), [["a"]])
        quiet = play(flavour, make_call(strict=None), [["a"]])
    assert (warned.items, warned.error, quiet.error) == (["a"], None, None)
    assert warned.listener.end.metadata.anomalies == ("truncated",)
    assert quiet.listener.end.metadata.anomalies == ()
    assert len(caplog.records) == 1


@sync_and_async
def test_an_empty_answer_is_retried_and_then_raised(flavour):
    policy = Policy(retry=Retry(attempts=1, base_delay=0))
    played = play(flavour, make_call(policy=policy), [], [[FRAME]], [["never"]])
    assert isinstance(played.error, Broken)
    assert [failure.cause for failure in played.listener.end.failures] == [Cause.EMPTY, Cause.EMPTY]
    assert played.error.__notes__ == [
        "l0: no further attempt: all retries for failures of the model are used (Retry.attempts=1)",
        "l0: attempt 1 failed: empty: the stream ended without any content",
        "l0: attempt 2 failed: empty: the stream ended without any content",
    ]


@sync_and_async
@pytest.mark.parametrize(("wait", "total", "said"), [(30.0, 10_000, "30 s"), (0.25, 200, "0.25 s")])
def test_a_retry_dropped_for_its_wait_is_named_in_a_note(flavour, wait, total, said):
    policy = Policy(retry=Retry(base_delay=wait, max_delay=wait, strategy="fixed"), timeout=Timeout(total=total))
    played = play(flavour, make_call(policy=policy), [[FRAME]], [["never"]])
    assert played.error.__notes__ == [
        f"l0: no further attempt: the wait of {said} would pass Timeout.total of {total:,} ms"
    ]


@sync_and_async
def test_a_failure_that_the_user_gets_as_an_event_is_raised_after_it(flavour):
    typed = Failure(cause=Cause.SERVER_ERROR, message="failed", typed=True)
    played = play(flavour, make_call(), [["a"], [typed]])
    assert (played.items, str(played.error)) == (["a"], "server_error after 'a', attempt 1")
    assert played.listener.end.outcome is Outcome.FAILED


@sync_and_async
def test_stopping_early_is_a_cancellation_and_closes_the_connection(flavour):
    played = play(flavour, make_call(), [["a", "b"], ["c"], [DONE]], read_event=1)
    assert played.items == ["a"]
    assert played.listener.told == ["start 1", "end 1 ok", "call cancelled"]
    assert played.body.closes == 1


@sync_and_async
@pytest.mark.parametrize("foreign", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, ValueError])
def test_what_is_no_failure_of_the_request_comes_through_at_once(flavour, foreign):
    if foreign is GeneratorExit and flavour == "async":
        pytest.skip("an async generator may not raise it from a read")
    played = play(flavour, make_call(policy=AT_ONCE), [[FRAME], foreign("theirs")], [["never"]])
    assert isinstance(played.error, foreign)
    assert played.listener.end.outcome is (Outcome.FAILED if foreign is ValueError else Outcome.CANCELLED)
    assert played.body.reopened == []


@sync_and_async
def test_an_error_after_a_whole_answer_is_nobodys_business(flavour):
    class Whole(FakePump):
        def feed(self, raw: Any) -> list[Any]:
            items = super().feed(raw)
            self.reader.stopped = self.reader.finished = False
            self.reader.incomplete_cause = lambda: None  # a finish reason came, and no terminal event yet
            return items

    made = CallRuntime(make_call(), FakeCallAdapter(), [], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)
    made.answer.parser = Whole()
    assert made.on_read(["a"]) == ["a"]
    assert made.on_read_error(Broken("rst")) == AttemptOver([], Finish(Outcome.OK))


@sync_and_async
def test_reopening_may_fail_too(flavour):
    played = play(flavour, make_call(policy=AT_ONCE), [[FRAME], Broken("rst")], Broken("refused"), [["a"], [DONE]])
    assert played.items == ["a"]
    causes = [failure.cause for failure in played.listener.end.failures]
    assert causes == [Cause.RESET, Cause.CONNECTION]
    assert played.call_adapter.resends == [0, 1, 2]


@sync_and_async
def test_error_of_a_retried_attempt_keeps_no_frames_alive(flavour):
    refused = Broken("refused")
    refused.__cause__, refused.__context__ = raised("the cause"), raised("the context")
    played = play(flavour, make_call(policy=AT_ONCE), [[FRAME], Broken("rst")], refused, [["a"], [DONE]])
    errors = [failure.error for failure in played.listener.end.failures]
    assert [str(error) for error in errors] == ["rst", "refused"]
    kept = [*errors, refused.__cause__, refused.__context__]
    assert [error.__traceback__ for error in kept] == [None] * 4


def raised(text):
    """Return an exception with a traceback."""
    try:
        raise Broken(text)
    except Broken as error:
        return error


@sync_and_async
def test_stored_answers_are_not_asked_for_twice(flavour):
    call = make_call(policy=AT_ONCE, retry_safety=RetrySafety.UNTIL_ACCEPTED)
    played = play(flavour, call, [[FRAME], Broken("rst")], [["never"]])
    assert played.error is not None
    assert played.items == [FRAME]  # the bare SDK had handed it over, too


@sync_and_async
def test_work_on_the_servers_side_is_a_commit_point(flavour):
    played = play(flavour, make_call(policy=AT_ONCE), [[FRAME, TOOL], Broken("rst")], [["never"]])
    assert played.items == [FRAME, TOOL]
    assert isinstance(played.error, Broken)


# Taking up, and falling over


@sync_and_async
def test_resume_continues_after_the_delivered_text(flavour):
    resume_points = []
    policy = Policy(retry=Retry(base_delay=0), resume="splice", on_resume=resume_points.append)
    played = play(flavour, make_call(policy=policy), [["a", "b"], Broken("rst")], [["c"], [DONE]])
    assert (played.items, played.error) == (["a", "b", "c"], None)
    assert played.listener.told == ["start 1", "end 1 reset", "start 2", "end 2 ok", "call recovered_resume"]
    assert [(resume_point.strategy, resume_point.at, resume_point.attempt) for resume_point in resume_points] == [
        ("splice", 2, 2)
    ]
    assert played.listener.end.resume_points == tuple(resume_points)
    assert [plan.resume for plan in played.call_adapter.plans] == [None, "splice"]
    assert played.call_adapter.plans[1].resume_state.text == "ab"


@sync_and_async
def test_content_of_a_failing_read_is_delivered_before_a_resume(flavour):
    failure = make_failure(Cause.MALFORMED)
    policy = Policy(retry=Retry(base_delay=0), resume="splice")
    played = play(flavour, make_call(policy=policy), [["a"], ["b", failure, "x"]], [["c"], [DONE]])
    assert (played.items, played.error) == (["a", "b", "c"], None)
    assert played.call_adapter.plans[1].resume_state.text == "ab"


@sync_and_async
@pytest.mark.parametrize("reason", ["provider", "reader", "call"])
def test_unresumable_answer_is_not_resumed(flavour, reason, monkeypatch):
    monkeypatch.setattr(FakeReader, "resumable", reason != "reader", raising=False)
    monkeypatch.setattr(FakeCallAdapter, "resumes", lambda *_: reason != "provider")
    call = make_call(policy=Policy(retry=Retry(base_delay=0), resume="exact"), resumable=reason != "call")
    played = play(flavour, call, [["a"], Broken("rst")], [["never"]])
    assert played.items == ["a"]
    assert isinstance(played.error, Broken)
    assert played.body.reopened == []


@sync_and_async
def test_failing_callback_is_logged_and_does_not_affect_the_call(flavour, caplog):
    policy = Policy(
        retry=Retry(base_delay=0), resume="splice", on_resume=lambda resume_point: resume_point.no_such_field
    )
    with caplog.at_level(logging.WARNING, "l0"):
        played = play(flavour, make_call(policy=policy), [["a"], Broken("rst")], [["b"], [DONE]])
    assert (played.items, played.error) == (["a", "b"], None)
    assert "on_resume failed" in caplog.text


@sync_and_async
def test_fallback_leg_reaches_the_sdk(flavour):
    legs = [Fallback(model="second"), Fallback(model="third")]
    policy = Policy(retry=Retry(max_retries=1, base_delay=0), fallback=legs)
    broken = [[FRAME], Broken("rst")]
    played = play(flavour, make_call(policy=policy), broken, broken, broken, broken, [["a"], [DONE]])
    assert (played.items, played.error) == (["a"], None)
    assert [plan.leg for plan in played.call_adapter.plans] == [0, 0, 1, 1, 2]
    assert played.listener.end.leg == 2
    assert played.listener.end.outcome is Outcome.RECOVERED_FALLBACK


@sync_and_async
@pytest.mark.parametrize("mode", ["message", "verified"])
def test_undelivered_answer_is_retried(flavour, mode):
    policy = Policy(retry=Retry(base_delay=0), hold=mode)
    played = play(flavour, make_call(policy=policy), [["a", "b"], ["c"], Broken("rst")], [["d"], ["e"], [DONE]])
    assert (played.items, played.error) == (["d", "e"], None)
    assert played.listener.end.outcome is Outcome.RECOVERED_RETRY


# What is held back


@sync_and_async
@pytest.mark.parametrize(("frames", "released"), [(3, 3), (4, 0)])
def test_so_many_frames_are_held_and_no_more(flavour, frames, released):
    policy = Policy(retry=Retry(base_delay=0), hold=Hold(frames=frames, seconds=60))
    played = play(flavour, make_call(policy=policy), [[FRAME], [FRAME], [FRAME], Broken("rst")], [["a"], [DONE]])
    assert played.error is None
    assert played.items == [FRAME] * released + ["a"]


@sync_and_async
@pytest.mark.parametrize("resume", ["off", "splice", "prefill"])
def test_answer_without_content_is_repeated_until_it_has_some(flavour, resume):
    policy = Policy(retry=Retry(base_delay=0), hold=Hold(seconds=0), resume=resume)
    played = play(flavour, make_call(policy=policy), *[[[FRAME], Broken("rst")]] * 2, [["a"], [DONE]])
    assert (played.items[-1], played.error) == ("a", None)  # the reader, here a fake, drops the repeated frames
    assert [plan.resume for plan in played.call_adapter.plans] == [None, "exact", "exact"]


@sync_and_async
def test_repeated_answer_with_content_is_resumed_as_the_policy_says(flavour):
    bodies = [[FRAME], Broken("rst")], [["a"], Broken("rst")], [["b"], [DONE]]
    off, splice = (
        play(flavour, make_call(policy=Policy(retry=Retry(base_delay=0), hold=Hold(seconds=0), resume=resume)), *bodies)
        for resume in ("off", "splice")
    )
    assert [plan.resume for plan in splice.call_adapter.plans] == [None, "exact", "splice"]
    assert off.items == [FRAME, "a"]
    assert off.listener.end.policy_field == "Policy.resume"


def test_frames_are_held_for_so_long_and_no_longer(monkeypatch):
    clock = {"now": 100.0}
    monkeypatch.setattr(output_buffer, "perf_counter", lambda: clock["now"])
    made = CallRuntime(make_call(policy=Policy(hold=Hold(seconds=2.0))), FakeCallAdapter(), [], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)
    made.answer.parser = FakePump()
    assert made.on_read([FRAME]) == []
    clock["now"] += 1.9
    assert made.on_read([FRAME]) == []
    clock["now"] += 0.2
    assert made.on_read([FRAME]) == [FRAME] * 3
    assert made.machine.state is CallState.RELAYING


# The end comes once


def test_closing_is_final_and_reported_once():
    listener = Listener()
    made = CallRuntime(make_call(), FakeCallAdapter(), [listener], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)
    for _ in range(3):
        made.close()
    made.driver_done()
    made.consumed()
    assert listener.told == ["start 1", "end 1 ok", "call cancelled"]
    assert not made.open


def test_deadline_of_a_first_request_stays_a_failure_after_the_hedge_set_a_later_one():
    """The hedge's request starts later, so its deadline has not passed when that of the first one ends the first."""
    policy = Policy(timeout=Timeout(initial_token=60_000), retry=Retry(base_delay=0), hedge=Hedge(after=100))
    made = CallRuntime(make_call(policy=policy), FakeCallAdapter(), [], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.send_by()
        hedge = made.machine.step(Slow(perf_counter()))
        made.sending(hedge, context)
        made.send_by()
    command = made.failed(Expired())
    assert isinstance(command, Wait)
    assert [failure.cause for failure in made.machine.failures] == [Cause.NO_HEADERS]


def closed_after(reads: list[list[Any]], policy: Policy) -> CallRuntime:
    """Return a call whose user read so much and closed the response."""
    made = CallRuntime(make_call(policy=policy), FakeCallAdapter(), [], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, "req_1")
    made.answer.parser = FakePump()
    for read in reads:
        made.on_read(read)
    made.close()
    return made


def test_user_who_closes_and_reads_on_gets_what_has_arrived():
    made = closed_after([["a"]], AT_ONCE)
    assert made.on_read(["b", "c"]) == ["b", "c"]
    assert made.on_read([DONE]) == AttemptOver([], CANCELLED)


def test_broken_event_after_the_close_is_raised_and_leaves_no_gap_in_the_text():
    made = closed_after([["a"]], AT_ONCE)
    broken = make_failure(Cause.MALFORMED)
    assert made.on_read(["b", broken, "c"]) == AttemptOver(["b"], Raise(broken))


@pytest.mark.parametrize(
    "policy",
    [Policy(hold="message"), Policy(hold="verified", guardrails=[RULE]), Policy(guardrails=[RULE])],
    ids=["held", "held in part", "checked"],
)
def test_text_after_the_close_is_not_delivered_where_text_is_held_or_checked(policy):
    made = closed_after([[FRAME, "a" * 40], ["b"]], policy)
    assert made.on_read(["c"]) == []
    assert made.on_read(END) == AttemptOver([], CANCELLED)


def test_a_body_that_somebody_else_read_to_its_end_is_a_success():
    listener = Listener()
    made = CallRuntime(make_call(), FakeCallAdapter(), [listener], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)
    made.consumed({"id": "a"})
    made.close()
    assert listener.told == ["start 1", "end 1 ok", "call ok"]
    assert listener.end.text == "{'id': 'a'}"  # the JSON reached `CallAdapter.complete_answer`


# Any cutting of an answer into reads

words = st.lists(st.sampled_from([FRAME, "a", "bb", "ccc"]), max_size=12)


@given(answer=words, cuts=st.lists(st.integers(0, 12), max_size=6), ending=st.sampled_from([DONE, None, "broken"]))
@settings(max_examples=100)
def test_the_cutting_into_reads_changes_nothing(answer, cuts, ending):
    def reads(places: list[int]) -> list[Any]:
        parts = [answer[i:j] for i, j in zip([0, *places], [*places, len(answer)], strict=True)]
        return [*parts, *([[DONE]] if ending is DONE else [Broken("rst")] if ending else [])]

    call = make_call(max_retries=0)
    one = play("sync", call, reads([]))
    other = play("sync", call, reads(sorted(min(cut, len(answer)) for cut in cuts)))
    assert one.items == other.items == answer
    assert type(one.error) is type(other.error)
    assert one.listener.told == other.listener.told
    assert one.runtime.answer.text == other.runtime.answer.text


def test_an_empty_body_ends_the_call_with_a_raise():
    made = CallRuntime(make_call(max_retries=0), FakeCallAdapter(), [], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)
    made.answer.parser = FakePump()
    over = made.on_read(END)
    assert isinstance(over, AttemptOver)
    assert over.items == []
    assert isinstance(over.command, Raise)

"""Whole answers through both drivers, the waits between attempts, and observers that misbehave."""

import asyncio
import logging
from contextlib import ExitStack
from typing import Any

import pytest
from driver_fakes import Broken, FakeAsyncSender, FakeCallAdapter, FakePump, FakeSender, Listener
from makers import make_call

from l0.model.call import Outcome
from l0.model.call_events import AttemptEnded
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy, Retry, Timeout
from l0.runtime import async_driver, call_runtime, sync_driver
from l0.runtime.call_ending import CallEnding
from l0.runtime.call_runtime import CallRuntime
from l0.shared_state.shared import SharedState

AT_ONCE = Policy(retry=Retry(base_delay=0))
sync_and_async = pytest.mark.parametrize("flavour", ["sync", "async"])


def answered(flavour: str, made: CallRuntime, *answers: Any) -> Any:
    queue = list(answers)

    if flavour == "sync":
        return sync_driver.request(made, FakeSender(made, queue))
    return asyncio.run(async_driver.request(made, FakeAsyncSender(made, queue)))


@sync_and_async
def test_a_whole_answer_is_returned_as_it_is(flavour):
    listener, answer = Listener(), object()
    made = CallRuntime(make_call(streaming=False), FakeCallAdapter(), [listener], SharedState())
    assert answered(flavour, made, answer) is answer
    assert listener.told == ["start 1", "end 1 ok", "call ok"]


@sync_and_async
def test_a_failed_request_is_retried_as_long_as_the_sdk_would(flavour):
    listener, call_adapter = Listener(), FakeCallAdapter()
    made = CallRuntime(make_call(streaming=False), call_adapter, [listener], SharedState())
    with pytest.raises(Broken, match="third") as raised:
        answered(flavour, made, Broken("first"), Broken("second"), Broken("third"))
    assert call_adapter.resends == [0, 1, 2]
    assert listener.end.attempts == 3
    assert len(raised.value.__notes__) == 4


@sync_and_async
def test_an_answer_with_a_flaw_is_asked_for_again(flavour):
    call_adapter = FakeCallAdapter(flawed=[Failure(cause=Cause.NOT_A_STREAM, message="html", sdk_retries=True)])
    made = CallRuntime(make_call(streaming=False), call_adapter, [], SharedState())
    assert answered(flavour, made, "<html>", "answer") == "answer"


@sync_and_async
@pytest.mark.parametrize("foreign", [KeyboardInterrupt, ValueError])
def test_what_the_request_is_not_to_blame_for_comes_through(flavour, foreign):
    listener = Listener()
    made = CallRuntime(make_call(streaming=False), FakeCallAdapter(), [listener], SharedState())
    with pytest.raises(foreign):
        answered(flavour, made, foreign("theirs"))
    interrupted = foreign is KeyboardInterrupt
    assert listener.end.outcome is (Outcome.CANCELLED if interrupted else Outcome.FAILED)
    assert [failure.cause for failure in listener.end.failures] == ([] if interrupted else [Cause.LOCAL])


@sync_and_async
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_while_waiting_ends_the_call(flavour, monkeypatch, interrupt):
    def stop(_seconds: float, _ending: CallEnding) -> None:
        raise interrupt

    async def astop(_seconds: float, _ending: CallEnding) -> None:
        raise interrupt

    monkeypatch.setattr(sync_driver, "wait_unless_stopped", stop)
    monkeypatch.setattr(async_driver, "sleep", astop)
    listener = Listener()
    made = CallRuntime(make_call(streaming=False), FakeCallAdapter(wait=30), [listener], SharedState())
    with pytest.raises(interrupt):
        answered(flavour, made, Broken("first"), "never")
    assert listener.told == ["start 1", "end 1 connection", "call cancelled"]


@sync_and_async
def test_delay_without_policy_is_the_sdk_delay(flavour, monkeypatch):
    slept: list[float] = []

    def wait(seconds: float, _ending: CallEnding) -> None:
        slept.append(seconds)

    async def asleep(seconds: float, _ending: CallEnding) -> None:
        slept.append(seconds)

    monkeypatch.setattr(sync_driver, "wait_unless_stopped", wait)
    monkeypatch.setattr(async_driver, "sleep", asleep)
    made = CallRuntime(make_call(streaming=False), FakeCallAdapter(wait=7.5), [], SharedState())
    assert answered(flavour, made, Broken("first"), "answer") == "answer"
    assert slept == [7.5]


@sync_and_async
def test_every_attempt_gets_the_remaining_time(flavour, monkeypatch):
    clock = {"now": 100.0}
    monkeypatch.setattr(call_runtime, "perf_counter", lambda: clock["now"])

    class Slow(FakeCallAdapter):
        def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
            clock["now"] += 1.5
            return super().failed(error, opened=opened)

    policy = Policy(timeout=Timeout(total=4000), retry=Retry(base_delay=0))
    made = CallRuntime(make_call(streaming=False, policy=policy), call_adapter := Slow(), [], SharedState())
    with pytest.raises(Broken, match="third"):
        answered(flavour, made, *map(Broken, ("first", "second", "third", "fourth")))
    assert call_adapter.left == [4.0, 2.5, 1.0]


# Observers


@sync_and_async
def test_failing_observer_does_not_affect_the_call(flavour, caplog):
    broken, listener = Listener(failing=True), Listener()
    made = CallRuntime(make_call(streaming=False), FakeCallAdapter(), [broken, listener], SharedState())
    with caplog.at_level(logging.WARNING, "l0"):
        assert answered(flavour, made, "answer") == "answer"
    assert broken.told == listener.told == ["start 1", "end 1 ok", "call ok"]
    assert "is ignored" in caplog.text


def test_an_observer_that_cannot_be_entered_is_left_out(caplog):
    class Rude(Listener):
        def active(self) -> Any:
            raise RuntimeError("no context")

    call_adapter = FakeCallAdapter()
    made = CallRuntime(make_call(), call_adapter, [Rude(), Listener()], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
    assert call_adapter.headers == [{"traceparent": "00-1"}]


def test_attempt_events_have_status_and_request_id():
    listener = Listener()
    made = CallRuntime(make_call(policy=AT_ONCE), FakeCallAdapter(), [listener], SharedState())
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, "req_1")
    made.answer.parser = FakePump()
    made.on_read_error(Broken("rst"))
    with ExitStack() as context:
        made.sending(made.backoff_over(), context)
    made.failed(Broken("later"))
    ended = [event for event in listener.events if isinstance(event, AttemptEnded)]
    assert [(event.status, event.request_id) for event in ended] == [(200, "req_1"), (None, None)]

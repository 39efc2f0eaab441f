"""A signal handler closes a stream while the main thread is in the middle of that call's own code.

Python runs a handler between any two lines of the main thread. A trace function stands in for it: it closes the stream
at one line of the engine or the runtime, and the next run at another one.
"""

import sys
from collections import Counter
from contextlib import nullcontext
from types import FrameType
from typing import Any

import openai
import pytest
from installed import httpx
from journeys_kit import CHATTING, chat_client, close_all

import l0
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded
from l0.runtime.finalizers import LATER
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

POLICY = l0.Policy(
    retry=l0.Retry(attempts=2, max_retries=3, base_delay=0.001, max_delay=0.001),
    resume="exact",
    timeout=l0.Timeout(initial_token=60_000, inter_token=60_000),
)
FAULTS = {
    "healthy": [],
    "retried": [Fault.cut(at_event=1)],
    "resumed": [Fault.cut(at_event=4)],
    "failed": [Fault.cut(at_event=1)] * 5,
}


class Observer:
    """Of the application's: counts the events."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def observe(self, _call: Any) -> "Observer":
        return self

    def notify(self, event: Any) -> None:
        self.events.append(event)

    def active(self) -> Any:
        return nullcontext()

    def headers(self) -> dict[str, str]:
        return {}


class Handler:
    """Closes ``stream`` at the line number ``at`` of those that are run in ``modules``."""

    def __init__(self, at: int, modules: tuple[str, ...]) -> None:
        self.at, self.modules = at, modules
        self.lines = 0
        self.stream: Any = None
        self.place = ""

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if not str(frame.f_globals.get("__name__", "")).startswith(self.modules):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                self.place = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
                self.stream.close()
        return self


def read(client: openai.OpenAI, handler: Handler) -> None:
    handler.stream = client.chat.completions.create(**CHATTING, stream=True)
    before = sys.gettrace()
    sys.settrace(handler)
    try:
        for _ in handler.stream:
            pass
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize(("modules", "stride"), [(("l0.engine.",), 1), (("l0.runtime.",), 31)], ids=["engine", "rest"])
def test_closing_in_the_middle_of_any_step_ends_the_call_once(
    sim: Simulator, case: str, modules: tuple[str, ...], stride: int
) -> None:
    observer = Observer()
    l0.instrument(POLICY, observers=[observer])
    ends: Counter[str] = Counter()
    at = 0
    try:
        while True:
            at += stride
            observer.events.clear()
            sim.reset()
            sim.script(*FAULTS[case])
            handler = Handler(at, modules)
            client = chat_client(sim)
            try:
                read(client, handler)
                ends["ended"] += 1
            except (openai.OpenAIError, l0.StreamInterrupted, httpx.ReadError) as error:  # older SDKs leak the last
                ends[type(error).__name__] += 1
            except Exception as error:
                if type(error).__name__ != "StreamClosed":  # the bare SDK's, for a response that was closed before
                    raise AssertionError(f"closed at {handler.place}: {error!r}") from error
            if handler.lines < at:
                break
            assert LATER.finish(60)
            assert sum(isinstance(event, CallEnded) for event in observer.events) == 1, handler.place
            started = {event.attempt.number for event in observer.events if isinstance(event, AttemptStarted)}
            ended = [event.number for event in observer.events if isinstance(event, AttemptEnded)]
            assert len(ended) == len(set(ended)), (handler.place, ended)
            assert started == set(ended), (handler.place, started, ended)
    finally:
        l0.uninstrument()
        close_all()
    assert sum(ends.values()) > 10, ends

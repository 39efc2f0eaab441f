"""The ports: protocols through which lower layers call upper layers, without importing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from .attempt import AttemptSpec
from .call import Call
from .call_events import CallEvent, ResponseMetadata, ToolCalls
from .error_context import ErrorContext
from .failure import Cause, Failure
from .policy import ResumeMode
from .resume_state import ResumeState

Build = Callable[[dict[str, Any]], Any]
"""A function that builds the SDK's object from the decoded JSON of one event."""


class CallObserver(Protocol):
    """An observer of one call. A subclass needs to define only `notify`.

    The methods run in the thread, or in the event loop, that makes the call: they must not block. An exception that
    they raise is logged, and never reaches the user.
    """

    def notify(self, event: CallEvent) -> None:
        """Receive one event. Events arrive in order; `CallEnded` arrives exactly once, and last."""

    def active(self) -> AbstractContextManager[object]:
        """Return a context manager that makes the call's span current. L0 enters it while it sends a request or writes
        a log line of the call.

        L0 never leaves it open across a ``yield``: the context would leak into the user's code.
        """
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        """Return the headers that propagate the trace to the provider; empty for none."""
        return {}


class Observer(Protocol):
    """A receiver of the events of all calls: spans, metrics, your own. Calls in several threads and tasks overlap."""

    def observe(self, call: Call) -> CallObserver | None:
        """Return the observer of a call; ``None`` to ignore the call. Nothing is measured for ignored calls."""


def trace_ids_of(observers: Sequence[CallObserver]) -> tuple[str, str]:
    """Return the ids of the call's trace and span, in hexadecimal digits; two empty texts without a tracer.

    Only the observer that makes the spans has these ids, as its attribute ``trace_ids``.
    """
    for observer in observers:
        # `getattr`, because an `isinstance` check against a protocol would take 10 us per call.
        found: tuple[str, str] | None = getattr(observer, "trace_ids", None)
        if found is not None:
            return found
    return "", ""


class Recorder(Protocol):
    """A recorder of every call: requests, reads, decisions."""

    def record(self, call: Call, observers: Sequence[CallObserver], at: float) -> Any:
        """Return the recorder of one call; ``None`` to record nothing. ``at``: the start of the call, in seconds of the
        monotonic clock."""
        ...


class ToolCallText:
    """One streamed tool call: its name, and the fragments of its JSON arguments."""

    __slots__ = ("arguments", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: list[str] = []


class Reader(Protocol):
    """The content of one attempt so far. An error in the stream is stored in `failure`, not raised."""

    content: int
    """Content deltas so far (text, reasoning, refusal, tool input, ...)."""
    chars: int
    """Characters of content so far."""
    text: list[str]
    """Answer text of the first choice, as fragments."""
    tools: dict[Any, ToolCallText]
    """Tool calls so far, by their position in the answer."""
    other: bool
    """Content arrived that has no deltas, for example the item of a server tool. `content` does not count it."""
    accepted: bool
    """The provider accepted the request, so a retry could repeat a side effect. L0 then releases held events even if no
    content has arrived."""
    finished: bool
    """The terminal event was read: later bytes do not belong to the answer."""
    failure: Failure | None
    """The first failure that an event showed, if any."""
    stopped: bool
    """Stop reading: `finished` is true, or there is a failure that the SDK does not deliver as an event."""

    disordered: bool
    """Events came out of order. That was noted as an anomaly, or failed the attempt."""

    resumable: bool
    """Only text arrived, so the answer can be resumed if it breaks."""

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """Continue the answer of an earlier attempt: from now on, drop the part that the user already has."""

    def finish(self) -> None:
        """Process the end of the body. Set `failure` if a tool call or a choice breaks off, or if a repeated answer
        ends before the end of the part that the user has."""

    def resume_state(self) -> ResumeState:
        """Return the part of the answer that the user has so far."""
        ...

    def incomplete_cause(self) -> Cause | None:
        """Return why an answer whose body ended here would be incomplete: ``TRUNCATED``, ``EMPTY`` or ``NOT_A_STREAM``;
        ``None`` if it would be complete."""

    def certainly_complete(self) -> bool:
        """Return True if the answer is complete although its connection broke: the terminal event came, or each choice
        had its finish reason after all its content. A reason in the same event as content proves nothing."""
        ...

    def metadata(self) -> ResponseMetadata:
        """Return the metadata that the provider sent with its answer."""
        ...


class WireReader(Reader, Protocol):
    """Reads one attempt's events in a provider's dialect, and builds the SDK's objects from them.

    Hot path: `read_event` runs once per event. No method may raise, except `varying_fields` for an event of an
    unexpected shape.
    """

    events: int
    """Events read so far."""

    def read_event(self, name: bytes | None, data: bytes) -> Any:
        """Return the object for one wire event; ``None`` if the user gets none for it."""
        ...

    def read_resumed(self, name: bytes | None, data: bytes) -> list[Any]:
        """Return the objects for one wire event after `resume` was called; an overlap can yield none or several."""
        ...

    def varying_fields(self, name: bytes | None, event: Any) -> dict[str, str | int] | None:
        """Return the only values in which similar events of this answer differ, by key, for an event that adds nothing
        but text to the first choice.

        The first value is that text. The others are padding that has no meaning, or a number that grows by one per
        event. ``None`` for any other event, or if `read_event` must read every event.
        """

    def next_repeat(self, event: Any) -> int | None:
        """Return the number of the next event if that differs from ``event`` only in its `varying_fields`; 0 if events
        are not numbered. ``None`` if `read_event` must read such an event now."""

    def repeated(self, event: Any, count: int, data: bytes) -> None:
        """Record ``count`` further numbered events that differ from ``event`` only in their `varying_fields`, after
        their text was recorded. ``data``: the data of the last event."""

    def observe_object(self, item: Any) -> None:
        """Read an object that the SDK built, if L0 leaves the SDK's own loop over the stream in place."""


class CallAdapter(Protocol):
    """The interface through which the runtime uses the SDK, or another source, during one call.

    Each call has its own adapter. It prepares the request options of each attempt, classifies exceptions, and creates
    the exception that the user gets.
    """

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:
        """Return the request options of one attempt, with the SDK's own retries off and its retry counts correct.

        ``headers``: those that propagate the trace.
        """

    @property
    def base_url(self) -> object:
        """Return an object whose `str` is the base URL of the latest attempt, for recordings. It is empty for a source
        that sends no requests."""
        ...

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """Return True if this provider and model can resume an answer with this strategy."""
        ...

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """Classify an exception by type, status, code and cause. Return ``None`` if it is not a failure of the request,
        so that the caller raises it again.

        ``opened``: the exception came after the headers of the response.
        """

    def answer_failure(self, answer: Any) -> Failure | None:
        """Return the failure in a complete, non-streaming answer that the SDK accepted; ``None`` if there is none."""

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        """Return metadata, text and tool calls of a complete, non-streaming answer. Called only for observed calls.

        ``answer``: the object that the SDK returned, or the JSON of a body that the user reads; ``None`` if the SDK
        returned nothing.
        """
        ...

    def completed(self) -> None:
        """Record that a complete stream was read, including its terminal event."""

    def backoff(self, retry: int, failure: Failure) -> float:
        """Return the delay, in seconds, that the bare SDK would choose before retry ``retry`` (from 1)."""
        ...

    def exception(self, failure: Failure, context: ErrorContext) -> BaseException:
        """Return the exception to raise: the SDK's own, or one of its class if the SDK would not report the failure."""
        ...

    def stopped(self, error: BaseException | None) -> BaseException:
        """Return the exception that the bare SDK raises after the user closed the stream or the client.

        ``error``: the exception of the read or request that was interrupted; ``None`` if none was in progress.
        """
        ...

    @property
    def client_closed(self) -> bool:
        """Return True if the user closed the client that makes the call: no further request can be sent."""
        ...

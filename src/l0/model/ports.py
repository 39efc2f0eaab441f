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
"""A function that builds the SDK's own object from the decoded JSON of one event."""


class CallObserver(Protocol):
    """An observer of one call. A class that inherits from it needs only `notify`.

    Its methods run in the thread, or in the event loop, that makes the call: they must not block. An exception that
    they raise is logged, and never reaches the user.
    """

    def notify(self, event: CallEvent) -> None:
        """Receive one event. Events arrive in order; `CallEnded` arrives exactly once, and last."""

    def active(self) -> AbstractContextManager[object]:
        """Return a context manager that makes the call the current trace context while a request is sent, and while a
        log line of the call is written.

        It is never held across a ``yield``: the context would leak into the user's code.
        """
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        """Return the headers that propagate the trace, for providers that request them; empty for none."""
        return {}


class Observer(Protocol):
    """A receiver of the events of all calls: spans, metrics, your own. Calls of threads and tasks run side by side."""

    def observe(self, call: Call) -> CallObserver | None:
        """Return the observer of a call; ``None`` to ignore the call. Nothing is measured for ignored calls."""


def trace_ids_of(observers: Sequence[CallObserver]) -> tuple[str, str]:
    """Return the ids of trace and span, in hexadecimal digits, from the first observer that has ``trace_ids``, as it
    knows the span of its call; two empty texts if none does."""
    for one in observers:
        # A check against a protocol would take 10 us, in each call.
        found: tuple[str, str] | None = getattr(one, "trace_ids", None)
        if found is not None:
            return found
    return "", ""


class Recorder(Protocol):
    """A recorder of every call: requests, reads, decisions."""

    def record(self, call: Call, observers: Sequence[CallObserver], at: float) -> Any:
        """Return the recorder of one call that began ``at`` seconds of the monotonic clock; ``None`` for none."""
        ...


class ToolCallText:
    """One streamed tool call: its name, and the fragments of its JSON arguments."""

    __slots__ = ("arguments", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: list[str] = []


class Reader(Protocol):
    """The content of one attempt so far, for the runtime. An error in the stream is stored in `failure`, not raised."""

    content: int
    """Content deltas so far (text, reasoning, refusal, tool input, ...)."""
    chars: int
    """Characters of content so far."""
    text: list[str]
    """Answer text of the first choice, as fragments."""
    tools: dict[Any, ToolCallText]
    """Tool calls so far, by their position in the answer."""
    other: bool
    """Something other than text arrived that has no delta, for example a tool item. Not counted in `content`."""
    accepted: bool
    """The provider accepted the request, so a retry could repeat a side effect. This commits even without content."""
    finished: bool
    """The terminal event was read: later bytes do not belong to the answer."""
    failure: Failure | None
    """The first failure that an event showed, if any."""
    stopped: bool
    """`finished` is true or `failure` is set: stop reading."""

    disordered: bool
    """Events came out of order, which was counted as an anomaly or failed the attempt."""

    resumable: bool
    """Only text arrived, so the answer can be resumed if it breaks."""

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """Continue an earlier attempt: suppress the part of the answer that the user already has."""

    def finish(self) -> None:
        """Process the end of the body: set `failure` if a resumed attempt ended before the user's part did."""

    def resume_state(self) -> ResumeState:
        """Return the part of the answer that the user has so far."""
        ...

    def incomplete_cause(self) -> Cause | None:
        """Return why an ended body is incomplete: ``TRUNCATED``, ``EMPTY`` or ``NOT_A_STREAM``; else ``None``."""

    def certainly_complete(self) -> bool:
        """Return True if the answer is complete although its connection broke: the terminal event came, or the last
        content of every choice was followed by its end. A finish reason beside content proves nothing."""
        ...

    def metadata(self) -> ResponseMetadata:
        """Return the metadata that the provider sent with its answer."""
        ...


class WireReader(Reader, Protocol):
    """Reads one attempt's events in a provider's dialect, and builds the SDK's objects from them.

    Hot path: `read_event` runs once per event. Only `varying_fields` may raise, for an event of an odd shape.
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
        """Return the values of an event that only adds to the text of the first choice, and differs from other such
        events in nothing else: first its text; also texts that nobody reads, and a number that counts up by one.

        ``None`` if it is another event, or if events must be read one by one.
        """

    def next_repeat(self, event: Any) -> int | None:
        """Return the number that the next event has, if it differs from ``event`` only in its `varying_fields`; 0 if
        they have none. ``None`` if such an event must be read by `read_event` now."""

    def repeated(self, event: Any, count: int, data: bytes) -> None:
        """Record ``count`` numbered events that differ from ``event`` only in their `varying_fields`, after their text
        was recorded. ``data``: that of the last."""

    def observe_object(self, item: Any) -> None:
        """Read an object that the SDK itself built, if the SDK's own loop is left in place."""


class CallAdapter(Protocol):
    """The interface through which the runtime uses the SDK, or another source, during one call.

    It prepares the request options of each attempt, classifies exceptions, and creates the exception that the user
    gets. One is created per call.
    """

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:
        """Return the request options of one attempt, with the SDK's own retries off and its retry counts correct.

        ``headers`` propagate the trace.
        """

    @property
    def base_url(self) -> object:
        """Return an object whose `str` is the base URL of the latest attempt, for a recording; empty for a source that
        sends no requests."""
        ...

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """Return True if this provider and model can resume an answer with this strategy."""
        ...

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """Classify an exception by type, status, code and cause. ``None``: not a request failure; re-raise it."""

    def answer_failure(self, answer: Any) -> Failure | None:
        """Return the flaw of a complete, non-streaming answer that the SDK accepted; ``None`` if there is none."""

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        """Return metadata, text and tool calls of a complete, non-streaming answer. Called only for observed calls.

        ``answer``: the object that the SDK returned, or the JSON of a body that the user read; ``None`` if the SDK
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

        ``error``: the exception of the read or request that the closing interrupted; ``None`` if none was in progress.
        """
        ...

    @property
    def gone(self) -> bool:
        """Return True if the user closed the client that makes the call: no further request can be sent."""
        ...

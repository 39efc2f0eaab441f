"""The ports: what an upper floor must offer to a lower one. Everything that points upward goes through these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from .attempt import AttemptSpec
from .call import Call
from .call_events import Event, ResponseMetadata, ToolCalls
from .failure import Cause, Failure
from .policy import ResumeMode
from .resume_state import ResumeState

Build = Callable[[dict[str, Any]], Any]
"""Decoded JSON of one event to the SDK's own object."""


class CallObserver(Protocol):
    """One observer's view of one call. What it raises is logged once and never reaches the user."""

    def notify(self, event: Event) -> None:
        """Told in order; `CallEnded` comes exactly once, and last."""

    def active(self) -> AbstractContextManager[object]:
        """Makes the call the current context while a request is sent. Never held across a yield."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers that carry the trace on, for providers that ask for them; empty for none."""
        ...


class Observer(Protocol):
    """A sink of events: spans, metrics, a recorder."""

    def observe(self, call: Call) -> CallObserver | None:
        """``None`` when nobody listens; then nothing is measured for it."""


class ToolCallText:
    """One tool call as it arrives: its name, and its arguments in pieces."""

    __slots__ = ("arguments", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: list[str] = []


class Reader(Protocol):
    """What one attempt has brought so far, to whoever decides what becomes of it. What went wrong is in `failure`."""

    content: int
    """Content deltas so far (text, reasoning, refusal, tool input, ...)."""
    chars: int
    """Characters of content so far."""
    text: list[str]
    """Answer text of the first choice, in pieces."""
    tools: dict[Any, ToolCallText]
    """Tool calls so far, by their place in the answer."""
    other: bool
    """Something besides text has come that brings no delta: the item of a tool, say. Not part of `content`."""
    accepted: bool
    """The provider has begun something that must not be begun twice: the commit point, content or not."""
    finished: bool
    """The terminal event was read: nothing that follows belongs to the answer."""
    failure: Failure | None
    stopped: bool
    """`finished`, or a `failure`: read no further."""

    resumable: bool
    """Nothing but text has come: a broken answer could be taken up."""

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """This attempt takes up an earlier one, whose part the user must not get again."""

    def finish(self) -> None:
        """The body is over: look whether an attempt that takes up another has come as far as the user's."""

    def resume_state(self) -> ResumeState:
        """What the user has of the answer so far."""
        ...

    def missing(self) -> Cause | None:
        """At the end of the body: ``None`` if it is whole, else ``TRUNCATED``, ``EMPTY`` or ``NOT_A_STREAM``."""

    def metadata(self) -> ResponseMetadata:
        """What the provider said of its answer."""
        ...


class WireReader(Reader, Protocol):
    """Reads one attempt's events in a provider's dialect, and builds the SDK's objects from them.

    Hot: `read_event` runs once an event. None of them raises.
    """

    def read_event(self, name: bytes | None, data: bytes) -> Any:
        """The object for one wire event, or ``None`` where the user gets nothing for it."""
        ...

    def read_resumed(self, name: bytes | None, data: bytes) -> list[Any]:
        """As `read_event`, once `resume` was called."""
        ...

    def observe_object(self, item: Any) -> None:
        """Learn from an object that the SDK itself has built, where its own loop is left in place."""


class Upstream(Protocol):
    """What the engine needs of an SDK to serve one call. Made by the provider's package, one a call."""

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:
        """The request options of one attempt: the SDK's own retries off, the counts that it shows kept true.

        ``headers`` carry the trace on.
        """

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """Whether this provider and model can take an answer up in this way."""
        ...

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """Classify by type, status, code and cause. ``None``: not a failure of the request; let it through."""

    def answer_failure(self, answer: Any) -> Failure | None:
        """What is wrong with a whole, non-streaming answer that the SDK accepted."""

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        """Facts, text and tool calls of a whole, non-streaming answer. Asked only where somebody listens."""
        ...

    def completed(self) -> None:
        """A whole stream was read, terminal event included."""

    def backoff(self, retry: int, failure: Failure) -> float:
        """The delay in seconds that the bare SDK would choose before its retry number ``retry`` (from 1)."""
        ...

    def exception(self, failure: Failure, *, text: str, attempts: int) -> BaseException:
        """What the user gets for a failure: the SDK's own exception, or one of its class where it would be silent."""
        ...

    def stopped(self, error: BaseException | None) -> BaseException:
        """What the bare SDK raises to a user who has closed the stream or the client, where a read or a request met
        ``error`` for that; ``None``: where none was under way."""
        ...

    @property
    def gone(self) -> bool:
        """Whether the user has closed the client through which the call is made: nothing more can be sent."""
        ...

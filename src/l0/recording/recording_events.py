"""The events that a call hands to the recorder's thread.

The caller appends a plain tuple: the class of the event, and its fields. That is several times as fast as creating the
event, which the recorder's thread does (`event_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from l0.engine.commands import Command
from l0.engine.signals import Signal
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.failure import Failure

Input = tuple[str, Any]
"""The name of a function that the machine called, and its result."""


class CallBegan(NamedTuple):
    """A call began. ``unix``: seconds of the wall clock; ``at``: of the monotonic clock, as in all events."""

    id: str
    at: float
    unix: float
    call: Call
    trace_id: str
    span_id: str


class AttemptBegan(NamedTuple):
    """A request is about to be sent. ``options``, ``base_url``: the SDK's, for a request that never gets an answer.

    ``base_url``: an object whose `str` is the URL.
    """

    id: str
    at: float
    spec: AttemptSpec
    options: Any
    base_url: Any


class Exchanged(NamedTuple):
    """A request and the head of its answer, as the transport has them. ``url``: an object whose `str` is the URL.

    ``sent``, ``received``: the headers, as pairs of bytes. ``body``: ``None`` if it cannot be read twice. ``decoded``:
    the recorded body will be without its content encoding.
    """

    id: str
    at: float
    number: int
    method: str
    url: Any
    sent: list[tuple[bytes, bytes]]
    body: bytes | None
    status: int | None
    received: Sequence[tuple[bytes, bytes]]
    decoded: bool


class Read(NamedTuple):
    """Bytes of an answer, as they came from the connection. ``items``, ``chars``: as in `Delivered`, before this
    read. ``began``: when the read began, which is later than the end of the one before if the program took time in
    between; ``None`` if L0 read ahead."""

    id: str
    at: float
    number: int
    data: bytes
    items: int
    chars: int
    began: float | None


class BodyEnded(NamedTuple):
    """No more reads follow. ``ending``: ``"eof"``, ``"error"`` or ``"closed"``."""

    id: str
    at: float
    number: int
    ending: str


class AttemptEnding(NamedTuple):
    """An attempt ended, with or without a ``failure``. ``lost``: as in `AttemptEnded`.

    ``items``, ``chars``: as in `Delivered`.
    """

    id: str
    at: float
    number: int
    failure: Failure | None
    lost: bool
    items: int
    chars: int


class Decided(NamedTuple):
    """The machine made a step. ``nested``: another step, of a signal handler, interrupted it."""

    id: str
    at: float
    signal: Signal
    command: Command
    inputs: Sequence[Input]
    nested: bool


class Delivered(NamedTuple):
    """The items and the characters of the answer that the user has got so far."""

    id: str
    at: float
    items: int
    chars: int


class CallOver(NamedTuple):
    """The call ended. ``incomplete``: reads were dropped. ``items``, ``chars``: as in `Delivered`."""

    id: str
    at: float
    outcome: Outcome
    failure: Failure | None
    incomplete: bool
    items: int
    chars: int


RecordingEvent = (
    CallBegan | AttemptBegan | Exchanged | Read | BodyEnded | AttemptEnding | Decided | Delivered | CallOver
)
Append = Callable[[tuple[Any, ...]], None]
"""A function that queues the class and the fields of an event."""


def event_of(appended: tuple[Any, ...]) -> RecordingEvent:
    """Return the event for a tuple of its class and its fields."""
    event: RecordingEvent = appended[0]._make(appended[1:])
    return event

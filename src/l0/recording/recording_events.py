"""The events that a call hands to the recorder's thread. Creating one is all that the caller pays for."""

from __future__ import annotations

from typing import Any, NamedTuple

from l0.engine.commands import Command
from l0.engine.signals import Signal
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
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
    """A request is about to be sent. ``options``, ``base_url``: the SDK's, for a request that never gets an answer."""

    id: str
    at: float
    spec: AttemptSpec
    options: Any
    base_url: str


class Exchanged(NamedTuple):
    """A request and the head of its answer, as the transport has them. ``url``: an object whose `str` is the URL.

    ``sent``, ``received``: the headers, as pairs of bytes. ``body``: ``None`` if it cannot be read twice.
    """

    id: str
    at: float
    number: int
    method: str
    url: Any
    sent: list[tuple[bytes, bytes]]
    body: bytes | None
    status: int | None
    received: list[tuple[bytes, bytes]]


class Read(NamedTuple):
    """Bytes of an answer, as they came from the connection. ``items``, ``chars``: `Delivered` before them."""

    id: str
    at: float
    number: int
    data: bytes
    items: int
    chars: int


RawRead = tuple[str, float, int, bytes, int, int]
"""The fields of a `Read`, as the caller appends them: its thread makes a tuple several times as fast as a `Read`."""


class BodyEnded(NamedTuple):
    """No more reads follow. ``ending``: ``"eof"``, ``"error"`` or ``"closed"``."""

    id: str
    at: float
    number: int
    ending: str


class AttemptEnding(NamedTuple):
    """An attempt ended, with or without a ``failure``. ``lost``: another one served the answer."""

    id: str
    at: float
    number: int
    failure: Failure | None
    lost: bool


class Decided(NamedTuple):
    """The machine made a step. ``nested``: another step, of a signal handler, interrupted it."""

    id: str
    at: float
    signal: Signal
    command: Command
    inputs: list[Input]
    nested: bool


class Delivered(NamedTuple):
    """The items and the characters of the answer that the user has got so far."""

    id: str
    at: float
    items: int
    chars: int


class CallOver(NamedTuple):
    """The call ended. ``incomplete``: reads were dropped."""

    id: str
    at: float
    outcome: str
    failure: Failure | None
    incomplete: bool


RecordingEvent = (
    CallBegan | AttemptBegan | Exchanged | Read | BodyEnded | AttemptEnding | Decided | Delivered | CallOver
)

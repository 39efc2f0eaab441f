"""What a response consists of for the connection that carries it out: values, no effects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Send(NamedTuple):
    """Body bytes: one HTTP chunk. `events` is how many events are complete with it."""

    data: bytes
    events: int = 0


class Pause(NamedTuple):
    """Silence, in seconds."""

    seconds: float


class Raw(NamedTuple):
    """Bytes that go out as they are, past the transfer coding: chunks made earlier, or none at all."""

    data: bytes
    events: int = 0


class End(Enum):
    """How it ends."""

    COMPLETE = auto()
    FIN = auto()
    RST = auto()


Step = Send | Pause | Raw | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response. `length` None is chunked transfer, -1 a body that the end of the connection delimits.

    `status` 0 sends no head at all: `steps` then say how the connection ends. `delay`: seconds before the head.
    """

    status: int
    headers: Mapping[str, str]
    steps: Iterable[Step]
    length: int | None = None
    delay: float = 0.0

"""Define the steps of a response, which the connection executes. They are values without effects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Send(NamedTuple):
    """Body bytes for one HTTP chunk. `events`: the number of events that end in it."""

    data: bytes
    events: int = 0


class Pause(NamedTuple):
    """A pause, in seconds."""

    seconds: float


class Raw(NamedTuple):
    """Bytes that are sent unchanged: HTTP chunks that are already encoded, or bytes that are no valid chunk."""

    data: bytes
    events: int = 0


class End(Enum):
    """The end of a response: complete, or closed by FIN or RST."""

    COMPLETE = auto()
    FIN = auto()
    RST = auto()


Step = Send | Pause | Raw | End


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedResponse:
    """One response. `length`: None for chunked transfer, -1 for a body that ends with the connection.

    `status` 0 sends no head: `steps` then define how the connection ends. `delay`: seconds before the head.
    """

    status: int
    headers: Mapping[str, str]
    steps: Iterable[Step]
    length: int | None = None
    delay: float = 0.0

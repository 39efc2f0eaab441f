"""The commands that the machine returns to the drivers. An `AttemptSpec` is a command, too: send this request."""

from __future__ import annotations

from dataclasses import dataclass, field

from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.failure import Failure

from .stop_reasons import NO_STOP, Stop


@dataclass(frozen=True, slots=True)
class Relay:
    """Read the body. ``holding``: nothing has been released to the user yet."""

    holding: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep ``seconds`` before the next attempt, then signal `Waited`.

    ``stop``: the reason why the next attempt goes to the next leg; ``None`` if it goes to the same leg. ``asks``: first
    call the user's async ``should_retry``, and do not sleep if it rejects the retry.
    """

    seconds: float
    stop: Stop | None = field(default=None, compare=False)
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """End the call with success, or as cancelled. ``anomalies``: names of anomalies in the accepted answer."""

    outcome: Outcome
    anomalies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Raise:
    """End the call with a failure. ``stop``: the reason why there is no further attempt."""

    failure: Failure
    stop: Stop = field(default=NO_STOP, compare=False)


Command = AttemptSpec | Relay | Wait | Finish | Raise

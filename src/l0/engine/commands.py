"""The commands of the machine to the drivers. An `AttemptSpec` is the command to send that attempt."""

from __future__ import annotations

from dataclasses import dataclass

from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.failure import Failure


@dataclass(frozen=True, slots=True)
class Relay:
    """Read the body. ``holding``: nothing was released yet, so keep frames without content back."""

    holding: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep ``seconds`` before the next attempt, then signal `Waited`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The call is over; the user has, or now gets, what there is. ``odd``: what was accepted though it was odd."""

    outcome: Outcome
    anomalies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Raise:
    """The call is over, and failed.

    ``dropped_wait``: seconds that the next attempt had to wait for, where it is not made because that passes
    `Timeout.total`; else ``None``.
    """

    failure: Failure
    dropped_wait: float | None = None


Command = AttemptSpec | Relay | Wait | Finish | Raise

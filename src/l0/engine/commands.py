"""What the machine tells drivers to do. A driver obeys with ``match``, and ends in ``assert_never``."""

from __future__ import annotations

from dataclasses import dataclass

from l0.model.call import Outcome
from l0.model.failure import Failure
from l0.model.policy import ResumeMode


@dataclass(frozen=True, slots=True)
class Open:
    """Send request number ``number`` (from 1) of the call, ``waited`` seconds of backoff after the last.

    ``leg``: to whom, 0 being the primary. ``resume``: to take a broken answer up, and how. ``hedge``: beside the one
    that is under way; the first to bring content is the answer.
    """

    number: int
    waited: float
    leg: int = 0
    resume: ResumeMode | None = None
    hedge: bool = False


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


Command = Open | Relay | Wait | Finish | Raise

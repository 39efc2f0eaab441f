"""What drivers tell the machine. ``at`` is always seconds of one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

from l0.model.failure import Cause, Failure
from l0.model.resume_state import ResumeState


@dataclass(frozen=True, slots=True)
class Begin:
    """The user made a call."""

    at: float


@dataclass(frozen=True, slots=True)
class Slow:
    """The attempt that was sent last is slower than usual."""

    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole, non-streaming answer is there."""

    at: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The headers of a stream arrived, and promise success. ``hedge``: those of the hedge."""

    at: float
    hedge: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The first frame of the answer is about to be handed to the user: the commit point."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The body is over. ``missing``: what is missing of a whole answer, or ``None``; the rest as in `Failed`."""

    missing: Cause | None
    at: float
    accepted: bool = False
    resume_state: ResumeState | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed.

    ``accepted``: the provider had begun something that must not be begun twice. ``resume_state``: what the user has of
    the answer, if it could be resumed from there.
    """

    failure: Failure
    at: float
    accepted: bool = False
    resume_state: ResumeState | None = None


@dataclass(frozen=True, slots=True)
class Waited:
    """The backoff is over."""

    at: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The user stopped: a break, ``close()``, cancellation, garbage collection. Never retried."""

    at: float


Signal = Begin | Slow | Answered | Opened | Released | Ended | Failed | Waited | Closed

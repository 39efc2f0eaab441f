"""The signals that drivers send to the machine. ``at`` is always in seconds of one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from l0.model.failure import Cause, Failure
from l0.model.resume_state import ResumeState

EarlyRelease = Literal["seconds", "frames", "accepted"]
"""Why events were released although no content had arrived: a field of `Hold`, or the provider accepted the request."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The user made a call."""

    at: float


@dataclass(frozen=True, slots=True)
class Slow:
    """The latest attempt is slower than usual, so the machine may hedge it."""

    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete, non-streaming answer arrived."""

    at: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The headers of a stream arrived with a success status. ``hedge``: they belong to the hedge request.
    ``request_id``: the provider's id of the request, which a failure of the attempt then has."""

    at: float
    hedge: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The driver is about to deliver the first frame of the answer to the user: the commit point."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The body ended. ``missing``: the reason why the answer is incomplete; ``None`` for a complete answer. The other
    fields are as in `Failed`."""

    missing: Cause | None
    at: float
    accepted: bool = False
    resume_state: ResumeState | None = None
    early_release: EarlyRelease | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed.

    ``accepted``: the provider had accepted the request, so that a retry could repeat a side effect. ``resume_state``:
    the part of the answer that the user has; ``None`` if the answer cannot be resumed. ``early_release``: why the user
    has events of the answer, if none of them has content; else ``None``.
    """

    failure: Failure
    at: float
    accepted: bool = False
    resume_state: ResumeState | None = None
    early_release: EarlyRelease | None = None


@dataclass(frozen=True, slots=True)
class Waited:
    """The backoff is over. ``vetoed``: an async ``should_retry`` has rejected the retry."""

    at: float
    vetoed: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The user stopped the call: by ``break``, ``close()``, cancellation or garbage collection. L0 never retries it."""

    at: float


Signal = Begin | Slow | Answered | Opened | Released | Ended | Failed | Waited | Closed

"""One attempt: a request of a call, described once for the machine, the drivers, the SDKs and the observers."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from .policy import ResumeMode
from .resume_state import ResumeState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSpec:
    """One request that the machine commands.

    ``number``: 1 for the first attempt of the call. ``leg``: 0 for the primary, then the fallbacks in order.
    ``waited_s``: seconds of backoff before the request. ``remaining_s``: seconds that the whole call may still take.
    ``resume``: the strategy that resumes a broken answer; ``None`` for an attempt that starts a new answer.
    ``resume_state``: the part of the broken answer that has arrived. ``hedge``: the request runs in parallel with an
    earlier one; L0 uses the answer whose content arrives first.
    """

    number: int
    leg: int = 0
    waited_s: float = 0.0
    remaining_s: float = inf
    resume: ResumeMode | None = None
    resume_state: ResumeState | None = field(default=None, repr=False)
    hedge: bool = False

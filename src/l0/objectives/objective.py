"""What is promised: objectives on two layers that are never mixed.

*Attempts* are single requests: how well a provider does. *Delivered* calls are what the user saw, after all that was
repaired on the way: only they say whether the application keeps its promise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from math import isfinite

from l0.values.policy import PolicyError

DAY = 86_400
"""Seconds."""
MASKED = "masked"
"""Not an objective but a rate that is always counted: delivered calls that only recovery saved."""

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label, as OpenSLO asks for."""


class Indicator(StrEnum):
    """What is measured, by layer. `judging` says what each counts."""

    CAPACITY = "attempts.capacity"
    """The provider had room: no rate limit, no overload, quota left."""
    AVAILABILITY = "attempts.availability"
    """The provider answered, and did not break off with an error of its own."""
    FIRST_TOKEN = "attempts.first_token"
    """The first content of a stream came within the threshold, from the request of the attempt."""
    STALL = "attempts.stall"
    """The stream did not stand still."""
    TRUNCATION = "attempts.truncation"
    """The stream came whole and in order."""
    SUCCESS = "delivered.success"
    """The user got the answer, whatever that took."""
    FIRST_CHUNK = "delivered.first_chunk"
    """The user had the first chunk within the threshold, from the call, retries included."""

    @property
    def layer(self) -> str:
        """``attempts`` or ``delivered``."""
        return self.value.partition(".")[0]

    @property
    def timed(self) -> bool:
        """Whether it needs a threshold."""
        return self in (Indicator.FIRST_TOKEN, Indicator.FIRST_CHUNK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One promise, kept for every provider and model by itself.

    ``target``: the share of events that is to be good, between 0 and 1. ``threshold``: **seconds**, for indicators of
    time and for them alone. ``window``: **seconds** over which the error budget is counted, a day to thirty.
    ``min_events``: below so many in a window it says nothing. ``provider``, ``model``: whom it holds for, as patterns
    (``"gpt-4o*"``). Raises `PolicyError` for a field that cannot be obeyed.
    """

    name: str
    indicator: Indicator
    target: float
    threshold: float | None = None
    window: int = 30 * DAY
    min_events: int = 20
    provider: str = "*"
    model: str = "*"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name == MASKED:
            allowed = f"lower-case letters, digits and '-' inside, at most 63, a letter first, and not {MASKED!r}"
            raise PolicyError("Objective.name", self.name, allowed)
        try:
            object.__setattr__(self, "indicator", Indicator(str(self.indicator)))
        except ValueError:
            raise PolicyError("Objective.indicator", self.indicator, "one of " + ", ".join(Indicator)) from None
        if not _number(self.target) or not 0 < self.target < 1:
            raise PolicyError("Objective.target", self.target, "a share between 0 and 1, such as 0.99")
        self._check_threshold()
        if not _whole(self.window) or self.window % DAY or not DAY <= self.window <= 30 * DAY:
            raise PolicyError("Objective.window", self.window, f"whole days of {DAY} seconds, 1 to 30 of them")
        if not _whole(self.min_events) or self.min_events < 1:
            raise PolicyError("Objective.min_events", self.min_events, "a whole number, 1 or more")
        for field in ("provider", "model"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise PolicyError(f"Objective.{field}", value, "a name, or a pattern such as 'gpt-4o*'")

    def _check_threshold(self) -> None:
        if not self.indicator.timed:
            if self.threshold is not None:
                allowed = f"none: {self.indicator} is no indicator of time"
                raise PolicyError("Objective.threshold", self.threshold, allowed)
        elif not _number(self.threshold) or self.threshold <= 0:  # type: ignore[operator]
            raise PolicyError("Objective.threshold", self.threshold, f"seconds above 0; {self.indicator} needs it")

    @property
    def layer(self) -> str:
        """``attempts`` or ``delivered``."""
        return self.indicator.layer

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1.0 - self.target

    def holds_for(self, provider: str, model: str) -> bool:
        """Whether events of a provider and model count."""
        return fnmatchcase(provider, self.provider) and fnmatchcase(model, self.model)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


DEFAULTS: tuple[Objective, ...] = (
    Objective(name="availability", indicator=Indicator.AVAILABILITY, target=0.99),
    Objective(name="capacity", indicator=Indicator.CAPACITY, target=0.95),
    Objective(name="first-token", indicator=Indicator.FIRST_TOKEN, target=0.95, threshold=5.0),
    Objective(name="stall", indicator=Indicator.STALL, target=0.99),
    Objective(name="truncation", indicator=Indicator.TRUNCATION, target=0.995),
    Objective(name="delivered", indicator=Indicator.SUCCESS, target=0.995),
)
"""What holds where nobody says anything else. Five seconds to the first token is the guide's own time-out; 99 % is what
the circuit breaker's limits are reckoned from."""


def check_distinct(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    """The objectives, if no two share a name; else raises `PolicyError`."""
    names = [objective.name for objective in objectives]
    for name in names:
        if names.count(name) > 1:
            raise PolicyError("Objective.name", name, "each name once")
    return objectives

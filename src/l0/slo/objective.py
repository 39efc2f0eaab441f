"""Objectives and their indicators, on two separate layers.

*Attempts* are single requests: they measure a provider. *Delivered* calls are the results for users, after all
recovery: only they show if the application meets its objective.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from math import isfinite

from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError

DAY = 86_400
"""One day in seconds."""
MASKED = "masked"
"""Name of the rate of delivered calls that only recovery saved. It is always counted; it is not an objective."""

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label, as OpenSLO requires."""


class Indicator(StrEnum):
    """The indicators, by layer. Each states when an event is good; see `judging` for the rules."""

    CAPACITY = "attempts.capacity"
    """The provider had capacity: no rate limit, no overload, quota left."""
    AVAILABILITY = "attempts.availability"
    """The provider responded without an error."""
    FIRST_TOKEN = "attempts.first_token"
    """The first content of a stream arrived within the threshold, measured from the request of the attempt."""
    STALL = "attempts.stall"
    """The stream did not stall."""
    TRUNCATION = "attempts.truncation"
    """The stream was complete and in order."""
    SUCCESS = "delivered.success"
    """The user received the answer, with or without recovery."""
    FIRST_CHUNK = "delivered.first_chunk"
    """The user received the first chunk within the threshold, measured from the call, including retries."""

    @property
    def layer(self) -> str:
        """Return the layer: ``attempts`` or ``delivered``."""
        return self.value.partition(".")[0]

    @property
    def timed(self) -> bool:
        """Return True if the indicator requires a threshold."""
        return self in (Indicator.FIRST_TOKEN, Indicator.FIRST_CHUNK)


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective. It is evaluated separately for every provider and model.

    ``target``: share of events that must be good, between 0 and 1. ``threshold``: **seconds**; required for indicators
    of time, not allowed for others. ``window``: **seconds** over which the error budget is counted, 1 to 30 days.
    ``min_events``: with fewer events in a window, the result is 'insufficient data'. ``provider``, ``model``: patterns
    of the providers and models to which it applies (``"gpt-4o*"``). Raises `PolicyError` for an invalid field.
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
        if not _is_number(self.target) or not 0 < self.target < 1:
            raise PolicyError("Objective.target", self.target, "a share between 0 and 1, such as 0.99")
        self._check_threshold()
        if not _is_integer(self.window) or self.window % DAY or not DAY <= self.window <= 30 * DAY:
            raise PolicyError("Objective.window", self.window, f"whole days of {DAY} seconds, 1 to 30 of them")
        if not _is_integer(self.min_events) or self.min_events < 1:
            raise PolicyError("Objective.min_events", self.min_events, "a whole number, 1 or more")
        for field in ("provider", "model"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise PolicyError(f"Objective.{field}", value, "a name, or a pattern such as 'gpt-4o*'")

    def _check_threshold(self) -> None:
        if not self.indicator.timed:
            if self.threshold is not None:
                allowed = f"none: {self.indicator} is not an indicator of time"
                raise PolicyError("Objective.threshold", self.threshold, allowed)
        elif not _is_number(self.threshold) or self.threshold <= 0:  # type: ignore[operator]
            raise PolicyError("Objective.threshold", self.threshold, f"seconds above 0; {self.indicator} needs it")

    @property
    def layer(self) -> str:
        """Return the layer: ``attempts`` or ``delivered``."""
        return self.indicator.layer

    @property
    def budget(self) -> float:
        """Return the share of events that may be bad."""
        return 1.0 - self.target

    def holds_for(self, provider: str, model: str) -> bool:
        """Return True if the objective applies to a provider and model."""
        return fnmatchcase(provider, self.provider) and fnmatchcase(model, self.model)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


DEFAULTS: tuple[Objective, ...] = (
    Objective(name="availability", indicator=Indicator.AVAILABILITY, target=0.99),
    Objective(name="capacity", indicator=Indicator.CAPACITY, target=0.95),
    Objective(name="first-token", indicator=Indicator.FIRST_TOKEN, target=0.95, threshold=5.0),
    Objective(name="stall", indicator=Indicator.STALL, target=0.99),
    Objective(name="truncation", indicator=Indicator.TRUNCATION, target=0.995),
    Objective(name="delivered", indicator=Indicator.SUCCESS, target=0.995),
)
"""Default objectives. The first-token threshold of 5 seconds is the default of `Timeout.initial_token`. The circuit
breaker's limits are derived from the availability target of 99 %."""


def check_distinct(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    """Return the objectives. Raises `PolicyError` if two have the same name."""
    names = [objective.name for objective in objectives]
    for name in names:
        if names.count(name) > 1:
            raise PolicyError("Objective.name", name, "each name once")
    return objectives

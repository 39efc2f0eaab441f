"""Read durations: a number in the unit of its field, or a `datetime.timedelta`, which brings its own unit.

The units of the fields differ: `Timeout` has milliseconds, `Retry` has seconds. If a number is plausible only in the
other unit, L0 uses it unchanged, because it may be intended, and warns at the caller's line.
"""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from typing import TypeGuard

from .caller_warning import warn_caller
from .policy_error import PolicyError

SHORTEST_LIMIT_MS = 100.0
"""No provider reliably sends its first or its next token in less time: a shorter limit is probably meant in seconds."""
SHORTEST_HEDGE_MS = 10.0
"""The same for `Hedge.after`. It is shorter, because some servers answer within tens of milliseconds."""
LONGEST_BACKOFF_S = 100.0
"""A base delay or hold of this length or more is probably meant in milliseconds."""
LONGEST_DELAY_S = 1000.0
"""The same for `Retry.max_delay`, which a batch job may set to minutes."""
_LONGEST_LIMIT_S = 1e9
"""About 30 years, which a `timedelta` can still express."""
NOTABLE_GAP_S = 1.0
"""The shortest gap in an answer that is shown on its own. A delay of a second interrupts a reader's thought: Nielsen,
"Usability Engineering", 1993, chapter 5."""
NOTABLE_PROGRAM_S = 0.1
"""The shortest time that a slow program is reported for. A shorter delay seems instantaneous, by the same source."""


class UnitWarning(UserWarning):
    """A number whose unit is probably wrong. A `datetime.timedelta` has a unit, so it never causes this warning."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Return True for a finite number that is not a boolean."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def milliseconds(field: str, value: object, *, shortest: float) -> float | None:
    """Return a time limit in milliseconds, or ``None`` for no limit. Warn about a number below ``shortest`` (ms)."""
    limit = value / timedelta(milliseconds=1) if isinstance(value, timedelta) else value
    if limit is None:
        return None
    if not is_number(limit) or limit <= 0:
        raise PolicyError(field, value, "a number of milliseconds above 0, a timedelta, or None for no limit")
    if limit < shortest and not isinstance(value, timedelta):
        _warn(field, limit, ("ms", "milliseconds"), ("seconds", limit * 1000))
    return limit


def seconds(field: str, value: object, *, longest: float) -> float:
    """Return a delay in seconds. Warn about a number of ``longest`` seconds or more."""
    delay = value.total_seconds() if isinstance(value, timedelta) else value
    if not is_number(delay) or delay < 0:
        raise PolicyError(field, value, "a number of seconds, 0 or more, or a timedelta")
    if delay >= longest and not isinstance(value, timedelta):
        _warn(field, delay, ("s", "seconds"), ("milliseconds", delay / 1000))
    return delay


def limit_of(seconds: float) -> timedelta:
    """Return a time limit in ``seconds`` that L0 computed itself, so that no length of it causes a warning."""
    return timedelta(seconds=min(max(seconds, 0.001), _LONGEST_LIMIT_S))


def _warn(field: str, value: float, unit: tuple[str, str], other: tuple[str, float]) -> None:
    """Warn about the unit of a value.

    ``unit``: symbol and name of the field's unit. ``other``: name of the other unit, and ``value`` converted to
    ``unit`` if it was meant in the other one.
    """
    (symbol, unit_name), (other_name, converted) = unit, other
    warn_caller(
        f"{field}={value:.12g} means {value:.12g} {symbol}. If you mean {other_name}, write {converted:.12g} "
        f"or timedelta({other_name}={value:.12g}); if not, timedelta({unit_name}={value:.12g}).",
        UnitWarning,
    )

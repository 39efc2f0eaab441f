"""Read the filters of a request and turn them into SQL. Values are always bound, never part of the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l0.model.call import Outcome

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
MAX_VALUES = 50
_MAX_DIGITS = 10
_MAX_NUMBER = 2.0**53
"""Above it, floats are no exact milliseconds. Sums and differences of such numbers stay finite."""
SORTS = ("start", "duration", "first_token")
"""The columns by which a list of calls can be sorted; each has an index."""
FILTERS = {
    "provider": "name of a provider",
    "model": "name of a model",
    "outcome": f"{', '.join(f'`{outcome.value}`' for outcome in Outcome)}",
    "service": "name of a service",
    "cause": "[cause](errors.md) of a failed attempt",
    "since": "calls that began then or later, in Unix milliseconds",
    "until": "calls that began before, in Unix milliseconds",
    "min_duration": "calls that took so long or longer, in milliseconds",
    "q": "words; each must occur in an id, a name or a cause, as in the search of the page",
}
"""The parameters that choose calls, and what each takes, in Markdown."""
PAGE_PARAMETERS = {
    "sort": f"{', '.join(f'`{column}`' for column in SORTS)}; `first_token` leaves out calls without one",
    "order": "`desc`, `asc`",
    "limit": f"number of calls, 1 to {MAX_LIMIT:,} (default: {DEFAULT_LIMIT})",
    "cursor": "the `next` of the page before",
}
"""The parameters that order a list of calls and choose a page of it."""
_COLUMNS = ("provider", "model", "outcome", "service")
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_CAUSE = "EXISTS (SELECT 1 FROM json_each(causes) WHERE value = ?)"


class QueryError(Exception):
    """An invalid parameter. The message names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """A condition on the table of calls, and its values."""

    condition: str
    values: tuple[Any, ...]

    def also(self, condition: str, *values: Any) -> CallFilter:
        """Return the filter with one more condition."""
        return CallFilter(f"{self.condition} AND {condition}", (*self.values, *values))


def check_names(given: Iterable[str], allowed: Collection[str]) -> None:
    """Raise `QueryError` for a parameter that is not allowed."""
    for name in given:
        if name not in allowed:
            raise QueryError(f"{name[:100]}: no such parameter, allowed: {', '.join(allowed) or 'none'}")


def call_filter(parameters: Mapping[str, Sequence[str]]) -> CallFilter:
    """Return the filter that a request specifies. Raises `QueryError`."""
    found = CallFilter("1", ())
    for outcome in _values(parameters, "outcome"):
        _check("outcome", outcome, _OUTCOMES)
    for column in _COLUMNS:
        if wanted := _values(parameters, column):
            found = found.also(f"{column} IN ({', '.join('?' * len(wanted))})", *wanted)
    if causes := _values(parameters, "cause"):
        found = found.also(f"({' OR '.join([_CAUSE] * len(causes))})", *causes)
    if (since := unix_ms(parameters, "since")) is not None:
        found = found.also("start >= ?", since)
    if (until := unix_ms(parameters, "until")) is not None:
        found = found.also("start < ?", until)
    if (least := _duration(parameters)) is not None:
        found = found.also("duration >= ?", least)
    for word in " ".join(_values(parameters, "q")).split()[:MAX_VALUES]:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found = found.also("search LIKE ? ESCAPE '\\'", f"%{escaped}%")
    return found


@dataclass(frozen=True, slots=True)
class CallOrder:
    """The order of a list. ``column``: one of `SORTS`."""

    column: str
    descending: bool

    @property
    def sql(self) -> str:
        """Return the order as SQL. The row id decides between equal values, so that no call is on two pages."""
        direction = "DESC" if self.descending else "ASC"
        return f"{self.column} {direction}, id {direction}"

    @property
    def after_cursor(self) -> str:
        """Return the SQL condition for the calls after a cursor. Its parameters are the cursor's value and row id."""
        return f"({self.column}, id) {'<' if self.descending else '>'} (?, ?)"


def call_order(parameters: Mapping[str, Sequence[str]]) -> CallOrder:
    """Return the order that a request specifies; by default the newest call is first. Raises `QueryError`."""
    return CallOrder(_one_of(parameters, "sort", SORTS), _one_of(parameters, "order", ("desc", "asc")) == "desc")


def _one_of(parameters: Mapping[str, Sequence[str]], name: str, allowed: Sequence[str]) -> str:
    text = _last(parameters, name) or allowed[0]
    _check(name, text, allowed)
    return text


def _check(name: str, text: str, allowed: Sequence[str]) -> None:
    if text not in allowed:
        raise QueryError(f"{name}: got {text[:100]!r}, allowed: {', '.join(allowed)}")


def _duration(parameters: Mapping[str, Sequence[str]]) -> float | None:
    """Return the minimum duration of the calls, in ms; ``None`` if it is not given. Raises `QueryError`."""
    return _number(parameters, "min_duration", "a duration in milliseconds")


def unix_ms(parameters: Mapping[str, Sequence[str]], name: str) -> float | None:
    """Return a time in Unix milliseconds; ``None`` if it is not given. Raises `QueryError`."""
    return _number(parameters, name, "a time in Unix milliseconds")


def _number(parameters: Mapping[str, Sequence[str]], name: str, allowed: str) -> float | None:
    text = _last(parameters, name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= _MAX_NUMBER:  # also True for NaN
        raise QueryError(f"{name}: got {text[:100]!r}, allowed: {allowed}")
    return value


def limit(parameters: Mapping[str, Sequence[str]]) -> int:
    """Return the requested number of calls. Raises `QueryError`."""
    text = _last(parameters, "limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and 1 <= int(text) <= MAX_LIMIT):
        raise QueryError(f"limit: got {text[:100]!r}, allowed: 1 to {MAX_LIMIT}")
    return int(text)


def cursor(parameters: Mapping[str, Sequence[str]]) -> tuple[float, int] | None:
    """Return where the previous page ended: the value of the sort column and the row id of its last call.

    Raises `QueryError`.
    """
    text = _last(parameters, "cursor")
    if text is None:
        return None
    value, _, row = text.partition("_")
    try:
        found = float(value), int(row[:18])
    except ValueError:
        raise QueryError(f"cursor: got {text[:100]!r}, allowed: the `next` of an earlier page") from None
    return found


def cursor_text(value: float, row: int) -> str:
    """Return the cursor after a call, from its value in the sort column and its row id."""
    return f"{value!r}_{row}"


def _values(parameters: Mapping[str, Sequence[str]], name: str) -> list[str]:
    values = [value for value in parameters.get(name, ()) if value]
    if len(values) > MAX_VALUES:
        raise QueryError(f"{name}: got {len(values)} values, allowed: {MAX_VALUES}")
    return values


def _last(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = _values(parameters, name)
    return values[-1] if values else None

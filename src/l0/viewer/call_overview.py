"""Summarize the calls that match: totals, one row per provider and model, a series over time, causes and budgets."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from l0.model.call import Outcome
from l0.telemetry import names

from .api_contract import BudgetState, CauseCount, Overview, OverviewRow, Series
from .call_filter import CallFilter, call_filter, moment

MAX_ROWS = 200
MAX_INTERVALS = 120
_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
_WIDTHS = tuple(seconds * 1e3 for seconds in _SECONDS)
"""Widths of the intervals of a series in ms, for a time axis with round numbers."""
_HEALED = tuple(outcome.value for outcome in Outcome if outcome.value.startswith("recovered_"))
_SUCCEEDED = (Outcome.OK.value, *_HEALED)
_BUDGET_NAMES = (names.PROVIDER, names.REQUEST_MODEL, names.SLO_LAYER, names.SLO_WINDOW)
_Key = tuple[str | None, str | None]
_HEALED_CALLS = f"sum(outcome IN ({', '.join('?' * len(_HEALED))}))"
_SUMS = f"""count(*), sum(outcome IN ({", ".join("?" * len(_SUCCEEDED))})), sum(outcome = ?), sum(outcome = ?),
  sum(attempts), sum(attempts_failed), {_HEALED_CALLS},
  total(input_tokens), total(output_tokens), sum(wasted_tokens)"""
_SUMS_VALUES = (*_SUCCEEDED, Outcome.FAILED.value, Outcome.CANCELLED.value, *_HEALED)


def overview(connection: sqlite3.Connection, parameters: Mapping[str, Sequence[str]]) -> Overview:
    """Return the summary of the calls that match. Raises `QueryError`."""
    matching = call_filter(parameters)
    spread = _Spread(connection, matching, moment(parameters, "since"), moment(parameters, "until"))
    return Overview(
        totals=_totals(connection, matching, spread),
        rows=_rows(connection, matching, spread),
        series=spread.series(),
        causes=_causes(connection, matching),
        budgets=budgets(connection),
    )


def _totals(connection: sqlite3.Connection, matching: CallFilter, spread: _Spread) -> OverviewRow:
    query = f"SELECT {_SUMS} FROM calls WHERE {matching.condition}"
    sums = connection.execute(query, (*_SUMS_VALUES, *matching.values)).fetchone()
    first = array("d", [value for values in spread.first_tokens.values() for value in values])
    gaps = array("d", [value for values in spread.gaps.values() for value in values])
    return _row((None, None), sums, first, gaps)


def _rows(connection: sqlite3.Connection, matching: CallFilter, spread: _Spread) -> list[OverviewRow]:
    query = (
        f"SELECT provider, model, {_SUMS} FROM calls WHERE {matching.condition}"
        f" GROUP BY provider, model ORDER BY 3 DESC, 1, 2 LIMIT {MAX_ROWS}"
    )
    found = connection.execute(query, (*_SUMS_VALUES, *matching.values)).fetchall()
    return [
        _row((provider, model), sums, spread.first_tokens[provider, model], spread.gaps[provider, model])
        for provider, model, *sums in found
    ]


def _row(key: _Key, sums: Sequence[Any], first: array[float], gaps: array[float]) -> OverviewRow:
    calls, succeeded, failed, cancelled, attempts, attempts_failed, healed, *tokens = sums
    first_tokens, each_gap = sorted(first), sorted(gaps)
    return OverviewRow(
        provider=key[0],
        model=key[1],
        calls=calls,
        succeeded=succeeded or 0,
        failed=failed or 0,
        cancelled=cancelled or 0,
        attempts=attempts or 0,
        attempts_failed=attempts_failed or 0,
        healed=healed or 0,
        first_token_p50=percentile(first_tokens, 0.50),
        first_token_p95=percentile(first_tokens, 0.95),
        first_token_p99=percentile(first_tokens, 0.99),
        gap_p50=percentile(each_gap, 0.50),
        gap_p95=percentile(each_gap, 0.95),
        gap_p99=percentile(each_gap, 0.99),
        input_tokens=int(tokens[0]),
        output_tokens=int(tokens[1]),
        wasted_tokens=tokens[2],
    )


def _causes(connection: sqlite3.Connection, matching: CallFilter) -> list[CauseCount]:
    query = f"SELECT causes, count(*) FROM calls WHERE {matching.condition} GROUP BY causes"
    counted: Counter[str] = Counter()
    for causes, calls in connection.execute(query, matching.values):
        for cause in json.loads(causes):
            counted[cause] += calls
    return [CauseCount(cause=cause, count=count) for cause, count in counted.most_common(MAX_ROWS)]


def budgets(connection: sqlite3.Connection) -> list[BudgetState]:
    """Return the last reported state of every objective, the least budget first."""
    states: dict[tuple[Any, ...], BudgetState] = {}
    for name, service, text, value, time in connection.execute(
        "SELECT name, service, attributes, value, time FROM gauges ORDER BY time"
    ):
        known = json.loads(text)
        provider, model, layer, window = (_text(known, of) for of in _BUDGET_NAMES)
        slo = _text(known, names.SLO) or ""
        state = states.setdefault(
            (service, provider, model, slo, layer, window),
            BudgetState(
                service=service,
                provider=provider,
                model=model,
                slo=slo,
                layer=layer,
                window=window,
                remaining=None,
                burn_rate=None,
                time=time,
            ),
        )
        state["remaining" if name == names.SLO_BUDGET.name else "burn_rate"] = value
        state["time"] = time
    return sorted(states.values(), key=_by_urgency)[:MAX_ROWS]


def _text(known: Mapping[str, Any], name: str) -> str | None:
    return str(known[name]) if name in known else None


def _by_urgency(state: BudgetState) -> tuple[float, float]:
    remaining, burn_rate = state["remaining"], state["burn_rate"]
    return (1.0 if remaining is None else remaining, -(burn_rate or 0.0))


class _Spread:
    """The times of all calls that match, by provider and model and by interval, read in one pass."""

    def __init__(
        self, connection: sqlite3.Connection, matching: CallFilter, since: float | None, until: float | None
    ) -> None:
        self.first_tokens: defaultdict[_Key, array[float]] = defaultdict(lambda: array("d"))
        self.gaps: defaultdict[_Key, array[float]] = defaultdict(lambda: array("d"))
        self._first_by_interval: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
        self._gaps_by_interval: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
        self._calls: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()
        self._healed: Counter[int] = Counter()
        bounds = f"SELECT min(start), max(start) FROM calls WHERE {matching.condition}"
        earliest, latest = connection.execute(bounds, matching.values).fetchone()
        self._begin, self._width, self._number = intervals(
            since if since is not None else earliest, until if until is not None else latest
        )
        self._read(connection, matching)

    def _read(self, connection: sqlite3.Connection, matching: CallFilter) -> None:
        interval = f"CAST((start - {self._begin!r}) / {self._width!r} AS INTEGER)"
        counts = (
            f"SELECT {interval}, count(*), sum(outcome = ?), {_HEALED_CALLS} FROM calls"
            f" WHERE {matching.condition} GROUP BY 1"
        )
        for at, calls, failed, healed in connection.execute(counts, (Outcome.FAILED.value, *_HEALED, *matching.values)):
            self._calls[at], self._failed[at], self._healed[at] = calls, failed, healed
        times = (
            f"SELECT provider, model, {interval}, first_token, gap_p95 FROM calls"
            f" WHERE {matching.condition} AND (first_token IS NOT NULL OR gap_p95 IS NOT NULL)"
        )
        for provider, model, at, first_token, gap in connection.execute(times, matching.values):
            if first_token is not None:
                self.first_tokens[provider, model].append(first_token)
                self._first_by_interval[at].append(first_token)
            if gap is not None:
                self.gaps[provider, model].append(gap)
                self._gaps_by_interval[at].append(gap)

    def series(self) -> Series:
        """Return the values over time."""
        steps = range(self._number)
        first = [sorted(self._first_by_interval.get(step, ())) for step in steps]
        return Series(
            t=[self._begin + step * self._width for step in steps],
            calls=[self._calls[step] for step in steps],
            failed=[self._failed[step] for step in steps],
            healed=[self._healed[step] for step in steps],
            first_token_p50=[percentile(values, 0.50) for values in first],
            first_token_p95=[percentile(values, 0.95) for values in first],
            gap_p95=[percentile(sorted(self._gaps_by_interval.get(step, ())), 0.95) for step in steps],
        )


def intervals(earliest: float | None, latest: float | None) -> tuple[float, float, int]:
    """Return the begin, the width and the number of the intervals that cover a time, at most `MAX_INTERVALS`.

    Widths and begins are round, so that intervals stay as time goes on. Without a time there is no interval.
    """
    if earliest is None or latest is None or latest < earliest:
        return 0.0, _WIDTHS[0], 0
    width = next((width for width in _WIDTHS if (latest - earliest) / width < MAX_INTERVALS - 1), _WIDTHS[-1])
    while (latest - earliest) / width >= MAX_INTERVALS - 1:
        width *= 2
    begin = earliest // width * width
    return begin, width, int((latest - begin) // width) + 1


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that a ``share`` of all values does not exceed; ``None`` if there is none."""
    return ordered[max(0, ceil(share * len(ordered) - 1e-9) - 1)] if ordered else None

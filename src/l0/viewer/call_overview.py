"""Summarize the calls that match: totals, one row per provider and model, a series over time, causes and budgets."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from math import ceil, inf
from operator import itemgetter
from typing import Any

from l0.model.call import Outcome
from l0.slo.burn import duration, firing_pair
from l0.telemetry import names

from .api_contract import BudgetState, CauseCount, Overview, OverviewRow, Series
from .call_filter import CallFilter, call_filter, unix_ms

MAX_ROWS = 200
MAX_INTERVALS = 120
SILENT_MS = 300_000.0
"""An objective that was not reported for this long is not shown: five times the default interval of exporters."""
_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
_WIDTHS = tuple(seconds * 1e3 for seconds in _SECONDS)
"""Widths of the intervals of a series in ms, for a time axis with round numbers."""
_RECOVERED = tuple(outcome.value for outcome in Outcome if outcome.value.startswith("recovered_"))
_SUCCEEDED = (Outcome.OK.value, *_RECOVERED)
_BUDGET_NAMES = (names.PROVIDER, names.REQUEST_MODEL, names.SLO_LAYER, names.SLO_WINDOW)
_Key = tuple[str | None, str | None]
_TABLE = "calls INDEXED BY calls_by_group"
"""Reading the whole index in its order is faster than finding the calls of a time and sorting them."""
_GROUPS = f"""SELECT provider, model, outcome, causes, count(*), sum(attempts), sum(attempts_failed),
  sum(input_tokens), sum(output_tokens), sum(wasted_tokens), sum(sdk_retries), sum(recovery_time),
  sum(unknown_waste)
  FROM {_TABLE} WHERE {{}} GROUP BY provider, model, outcome, causes"""


_REPORTED = ("input_tokens", "output_tokens", "wasted_tokens", "sdk_retries", "recovery_time")


@dataclass(slots=True)
class _Sums:
    """Sums over some of the calls."""

    outcomes: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    attempts_failed: int = 0
    unknown_waste: int = 0
    reported: dict[str, Any] = field(default_factory=dict)
    """The sums of what calls may report. ``None``: none did."""

    def add(self, outcome: str, calls: int, attempts: int, attempts_failed: int, *sums: Any) -> None:
        """Add a group of calls with one outcome. ``sums``: in the order of `_REPORTED`, then of unknown waste."""
        self.outcomes[outcome] += calls
        self.attempts += attempts
        self.attempts_failed += attempts_failed
        self.unknown_waste += sums[-1]
        for name, value in zip(_REPORTED, sums, strict=False):
            if value is not None:
                self.reported[name] = self.reported.get(name, 0) + value

    def count(self, outcomes: Iterable[str]) -> int:
        """Return the number of calls with one of these outcomes."""
        return sum(self.outcomes[outcome] for outcome in outcomes)


def overview(connection: sqlite3.Connection, parameters: Mapping[str, Sequence[str]]) -> Overview:
    """Return the summary of the calls that match. Raises `QueryError`."""
    matching = call_filter(parameters)
    until = unix_ms(parameters, "until")
    spread = _TimesAndCounts(connection, matching, unix_ms(parameters, "since"), until)
    totals, causes = _Sums(), Counter[str]()
    groups: defaultdict[_Key, _Sums] = defaultdict(_Sums)
    for provider, model, outcome, failures, *sums in connection.execute(
        _GROUPS.format(matching.condition), matching.values
    ):
        totals.add(outcome, *sums)
        groups[provider, model].add(outcome, *sums)
        for cause in json.loads(failures):
            causes[cause] += sums[0]
    largest = sorted(groups.items(), key=lambda group: -group[1].outcomes.total())[:MAX_ROWS]
    return Overview(
        totals=_row((None, None), totals, *spread.all()),
        rows=[_row(key, sums, spread.first_tokens[key], spread.gaps[key]) for key, sums in largest],
        series=spread.series(),
        causes=[CauseCount(cause=cause, count=count) for cause, count in causes.most_common(MAX_ROWS)],
        budgets=budgets(connection, min(until if until is not None else inf, time.time() * 1e3)),
    )


def _row(key: _Key, sums: _Sums, first_tokens: Sequence[float], gaps: Sequence[float]) -> OverviewRow:
    return OverviewRow(
        provider=key[0],
        model=key[1],
        calls=sums.outcomes.total(),
        succeeded=sums.count(_SUCCEEDED),
        failed=sums.count([Outcome.FAILED.value]),
        cancelled=sums.count([Outcome.CANCELLED.value]),
        attempts=sums.attempts,
        attempts_failed=sums.attempts_failed,
        recovered=sums.count(_RECOVERED),
        first_token_p50=percentile(first_tokens, 0.50),
        first_token_p95=percentile(first_tokens, 0.95),
        first_token_p99=percentile(first_tokens, 0.99),
        gap_p50=percentile(gaps, 0.50),
        gap_p95=percentile(gaps, 0.95),
        gap_p99=percentile(gaps, 0.99),
        input_tokens=sums.reported.get("input_tokens"),
        output_tokens=sums.reported.get("output_tokens"),
        wasted_tokens=sums.reported.get("wasted_tokens"),
        sdk_retries=sums.reported.get("sdk_retries"),
        recovery_time=sums.reported.get("recovery_time"),
        unknown_waste=sums.unknown_waste,
    )


def budgets(connection: sqlite3.Connection, at: float) -> list[BudgetState]:
    """Return the last states of the objectives that still report: the `MAX_ROWS` most urgent, the least budget first.

    ``at``: in Unix ms. A process that has ended reports no longer, and its last burn rates stop being true.
    """
    states: dict[tuple[Any, ...], BudgetState] = {}
    for name, service, text, value, reported in connection.execute(
        "SELECT name, service, attributes, value, time FROM gauges WHERE time >= ? ORDER BY time", (at - SILENT_MS,)
    ):
        attributes = json.loads(text)
        provider, model, layer, window = (_text(attributes, key) for key in _BUDGET_NAMES)
        slo = _text(attributes, names.SLO) or ""
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
                severity=None,
                time=reported,
            ),
        )
        state["remaining" if name == names.SLO_BUDGET.name else "burn_rate"] = value
        state["time"] = reported
    _add_severities(states.values())
    return sorted(sorted(states.values(), key=_by_urgency)[:MAX_ROWS], key=_by_budget)


def _add_severities(states: Iterable[BudgetState]) -> None:
    by_budget: defaultdict[tuple[str | None, ...], dict[str, BudgetState]] = defaultdict(dict)
    for state in states:
        key = (state["service"], state["provider"], state["model"], state["slo"], state["layer"])
        by_budget[key][state["window"] or ""] = state
    for windows in by_budget.values():
        pair = firing_pair({window: state["burn_rate"] or 0.0 for window, state in windows.items()})
        if pair is not None:
            windows[duration(pair.long)]["severity"] = pair.severity


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    return str(attributes[name]) if name in attributes else None


def _by_budget(state: BudgetState) -> tuple[float, float]:
    remaining, burn_rate = state["remaining"], state["burn_rate"]
    return (1.0 if remaining is None else remaining, -(burn_rate or 0.0))


def _by_urgency(state: BudgetState) -> float:
    """Return the share of the budget that is left, or that the burn rate would leave at the end of its window."""
    remaining, burn_rate = state["remaining"], state["burn_rate"]
    return min(1.0 if remaining is None else remaining, 1.0 - (burn_rate or 0.0))


class _TimesAndCounts:
    """The times to the first token and the gaps of all calls that match, in ms, and their counts in each interval.

    The times are sorted for each provider and model, and grouped by interval.
    """

    def __init__(
        self, connection: sqlite3.Connection, matching: CallFilter, since: float | None, until: float | None
    ) -> None:
        self.first_tokens: dict[_Key, list[float]] = {}
        self.gaps: dict[_Key, list[float]] = {}
        self._first_by_interval: defaultdict[int, list[float]] = defaultdict(list)
        self._gaps_by_interval: defaultdict[int, list[float]] = defaultdict(list)
        self._calls: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()
        self._recovered: Counter[int] = Counter()
        bounds = f"SELECT min(start), max(start) FROM calls WHERE {matching.condition}"
        earliest, latest = connection.execute(bounds, matching.values).fetchone()
        self._begin, self._width, self._number = intervals(
            since if since is not None else earliest, until if until is not None else latest
        )
        self._read(connection, matching)

    def _read(self, connection: sqlite3.Connection, matching: CallFilter) -> None:
        interval = f"CAST((start - {self._begin!r}) / {self._width!r} AS INTEGER)"
        recovered_calls = f"sum(outcome IN ({', '.join('?' * len(_RECOVERED))}))"
        counts = (
            f"SELECT {interval}, count(*), sum(outcome = ?), {recovered_calls} FROM {_TABLE}"
            f" WHERE {matching.condition} GROUP BY 1"
        )
        values = (Outcome.FAILED.value, *_RECOVERED, *matching.values)
        for number, calls, failed, recovered in connection.execute(counts, values):
            self._calls[number], self._failed[number], self._recovered[number] = calls, failed, recovered
        times = (
            f"SELECT provider, model, {interval}, first_token, gap_p95 FROM {_TABLE}"
            f" WHERE {matching.condition} ORDER BY provider, model"
        )
        for key, rows in groupby(connection.execute(times, matching.values), key=itemgetter(0, 1)):
            first_tokens, gaps = self.first_tokens[key], self.gaps[key] = [], []
            for _, _, number, first_token, gap in rows:
                if first_token is not None:
                    first_tokens.append(first_token)
                    self._first_by_interval[number].append(first_token)
                if gap is not None:
                    gaps.append(gap)
                    self._gaps_by_interval[number].append(gap)
            first_tokens.sort()
            gaps.sort()

    def all(self) -> tuple[list[float], list[float]]:
        """Return the times to the first token, and the gaps, of all calls, in order."""
        # Python sorts a sequence of sorted parts in about the time of merging them.
        return sorted(chain.from_iterable(self.first_tokens.values())), sorted(chain.from_iterable(self.gaps.values()))

    def series(self) -> Series:
        """Return the values over time."""
        steps = range(self._number)
        first = [sorted(self._first_by_interval.get(step, ())) for step in steps]
        return Series(
            t=[self._begin + step * self._width for step in steps],
            calls=[self._calls[step] for step in steps],
            failed=[self._failed[step] for step in steps],
            recovered=[self._recovered[step] for step in steps],
            first_token_p50=[percentile(values, 0.50) for values in first],
            first_token_p95=[percentile(values, 0.95) for values in first],
            gap_p95=[percentile(sorted(self._gaps_by_interval.get(step, ())), 0.95) for step in steps],
        )


def intervals(earliest: float | None, latest: float | None) -> tuple[float, float, int]:
    """Return the start of the first interval, the width and the number of the intervals that cover a time, in Unix ms.

    There are at most `MAX_INTERVALS`. Widths and starts are round, so that the intervals stay the same as time passes.
    Without a time there is no interval.
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

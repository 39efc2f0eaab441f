"""Read the status of objectives from a Prometheus server that has the rules of `l0 slo rules`."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from l0.slo import series
from l0.slo.burn import HOUR, PAIRS, WINDOWS, Pair
from l0.slo.document import duration_s
from l0.slo.objective import MASKED
from l0.slo.prometheus_rules import alert_name

from ..inputs import InputError

TIMEOUT_S = 10.0
POINTS = 72
"""Number of intervals in the chart."""
StatusKey = tuple[str, str]
"""Objective and provider."""


@dataclass(slots=True)
class PrometheusStatus:
    """The status of one objective at one provider, over the objective's window. ``None``: no value yet.

    ``shown_events``: at least those of the last hour. ``budget_left``: as a share, negative if the budget is overspent.
    ``burns``: burn rates by window in seconds. ``burning``: the pairs of windows whose alert fires. ``history``:
    ``budget_left`` at each step of the chart.
    """

    objective: str
    layer: str
    provider: str
    target: float
    min_events: float
    events: float
    shown_events: float = 0.0
    budget_left: float | None = None
    burns: dict[int, float | None] = field(default_factory=dict)
    burning: list[Pair] = field(default_factory=list)
    history: list[float | None] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """True if there are enough events to judge the objective."""
        return self.events >= self.min_events and self.budget_left is not None


class Prometheus:
    """A client of one Prometheus server. ``now``: seconds since the epoch. ``hours``: length of the history.

    Raises `InputError` for an invalid URL, an error status, or a response that is not Prometheus JSON.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InputError(f"--prometheus: got {url!r}, allowed: a URL such as http://localhost:9090")
        self._url = url.rstrip("/")

    def statuses(self, now: float, hours: float) -> list[PrometheusStatus]:
        """Return the status of every objective and provider with events, sorted by layer and name."""
        targets = {labels.get(series.SLO, ""): (labels, value) for labels, value in self._instant(series.TARGET, now)}
        minimums = {labels.get(series.SLO, ""): value for labels, value in self._instant(series.MIN_EVENTS, now)}
        windows = {int(duration_s(labels.get(series.WINDOW))) for labels, _ in targets.values()}
        statuses: dict[StatusKey, PrometheusStatus] = {}
        for seconds in (HOUR, *sorted(windows)):  # the 1 h series exists at once, longer ones begin minutes later
            for labels, value in self._instant(series.events(seconds), now):
                name, provider = _key(labels)
                target_labels, target = targets.get(name, ({}, None))
                if target is None or seconds not in (HOUR, int(duration_s(target_labels.get(series.WINDOW)))):
                    continue
                status = PrometheusStatus(
                    name, labels.get(series.LAYER, ""), provider, target, minimums.get(name, 0.0), value
                )
                earlier = statuses.get((name, provider))
                # Long windows lag by five minutes: beside a burn rate of now they would show too few events.
                status.shown_events = value if earlier is None else max(value, earlier.shown_events)
                statuses[name, provider] = status
        self._add_rates(statuses, now)
        for labels, values in self._range(series.BUDGET, now, hours):
            if _key(labels) in statuses:
                statuses[_key(labels)].history = values
        return sorted(statuses.values(), key=lambda status: (status.layer, status.objective, status.provider))

    def _add_rates(self, statuses: Mapping[StatusKey, PrometheusStatus], now: float) -> None:
        for labels, value in self._instant(series.BUDGET, now):
            if _key(labels) in statuses:
                statuses[_key(labels)].budget_left = _finite(value)
        for pair in PAIRS:
            for labels, value in self._instant(series.burn(pair.long), now):
                if _key(labels) in statuses:
                    statuses[_key(labels)].burns[pair.long] = _finite(value)
            for labels, _ in self._instant(series.firing(alert_name(pair)), now):
                if _key(labels) in statuses:
                    statuses[_key(labels)].burning.append(pair)

    def masked(self, now: float) -> dict[str, float]:
        """Return the share of delivered calls that recovery saved, by provider, over the longest alert window."""
        bad, total = (
            {labels.get(series.PROVIDER, ""): value for labels, value in self._instant(select, now)}
            for select in (
                series.select(name(WINDOWS[-1]), **{series.SLO: MASKED}) for name in (series.errors, series.events)
            )
        )
        return {provider: bad.get(provider, 0.0) / count for provider, count in total.items() if count}

    def _instant(self, query: str, now: float) -> list[tuple[Mapping[str, str], float]]:
        result = self._query("query", query=query, time=now)
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def _range(self, query: str, now: float, hours: float) -> list[tuple[Mapping[str, str], list[float | None]]]:
        start, step = now - hours * 3600, max(1, round(hours * 3600 / POINTS))
        result = self._query("query_range", query=query, start=start, end=now, step=step)
        return [(entry["metric"], _filled(entry["values"], start, step)) for entry in result]

    def _query(self, endpoint: str, **parameters: str | float) -> Sequence[Any]:
        url = f"{self._url}/api/v1/{endpoint}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
                result: Sequence[Any] = json.load(response)["data"]["result"]
        except urllib.error.HTTPError as error:
            error.close()  # the error is the response, and would keep its connection open
            raise InputError(f"{self._url} returned status {error.code} for {parameters['query']}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(f"cannot query {self._url}: {reason}") from error
        return result


def _key(labels: Mapping[str, str]) -> StatusKey:
    return labels.get(series.SLO, ""), labels.get(series.PROVIDER, "")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _filled(values: Sequence[tuple[float, str]], start: float, step: int) -> list[float | None]:
    """Return one value per step; ``None`` for a step without a value."""
    points: list[float | None] = [None] * (POINTS + 1)
    for at, value in values:
        place = round((float(at) - start) / step)
        if 0 <= place <= POINTS:
            points[place] = _finite(float(value))
    return points

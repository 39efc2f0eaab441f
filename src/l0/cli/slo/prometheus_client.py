"""What a Prometheus with the rules of `l0 slo rules` says of the objectives, by its HTTP API."""

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
from l0.slo.burn import HOUR, PAIRS, WINDOWS
from l0.slo.document import span
from l0.slo.objective import MASKED

from ..inputs import InputError

TIMEOUT = 10.0
POINTS = 72
"""Points of the chart."""
Pair = tuple[str, str]
"""Objective and provider."""


@dataclass(slots=True)
class PrometheusStatus:
    """One objective at one provider, over the objective's window. ``None`` where Prometheus has no value (yet)."""

    objective: str
    layer: str
    provider: str
    target: float
    min_events: float
    events: float
    budget_left: float | None = None
    burns: dict[int, float | None] = field(default_factory=dict)
    history: list[float | None] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """Whether there is data enough to judge."""
        return self.events >= self.min_events and self.budget_left is not None


class Prometheus:
    """One server. ``now``: seconds since the epoch; ``hours``: of history. Raises `InputError` for no answer."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InputError(f"--prometheus: got {url!r}, allowed: a URL such as http://localhost:9090")
        self._url = url.rstrip("/")

    def standings(self, now: float, hours: float) -> list[PrometheusStatus]:
        """Every objective and provider that has events, by layer and name."""
        promised = {labels.get(series.SLO, ""): (labels, value) for labels, value in self._instant(series.TARGET, now)}
        least = {labels.get(series.SLO, ""): value for labels, value in self._instant(series.MIN_EVENTS, now)}
        windows = {int(span(labels.get(series.WINDOW))) for labels, _ in promised.values()}
        found: dict[Pair, PrometheusStatus] = {}
        for seconds in (HOUR, *sorted(windows)):  # an hour is there at once, the long ones a little later
            for labels, value in self._instant(series.events(seconds), now):
                name, provider = _pair(labels)
                told, target = promised.get(name, ({}, None))
                if target is None or seconds not in (HOUR, int(span(told.get(series.WINDOW)))):
                    continue
                standing = PrometheusStatus(
                    name, labels.get(series.LAYER, ""), provider, target, least.get(name, 0.0), value
                )
                found[name, provider] = standing
        self._add_rates(found, now)
        for labels, values in self._range(series.BUDGET, now, hours):
            if _pair(labels) in found:
                found[_pair(labels)].history = values
        return sorted(found.values(), key=lambda one: (one.layer, one.objective, one.provider))

    def _add_rates(self, found: Mapping[Pair, PrometheusStatus], now: float) -> None:
        for labels, value in self._instant(series.BUDGET, now):
            if _pair(labels) in found:
                found[_pair(labels)].budget_left = _finite(value)
        for pair in PAIRS:
            for labels, value in self._instant(series.burn(pair.long), now):
                if _pair(labels) in found:
                    found[_pair(labels)].burns[pair.long] = _finite(value)

    def masked(self, now: float) -> dict[str, float]:
        """By provider: the share of delivered calls that recovery saved, over the longest window of the alerts."""
        bad, total = (
            {labels.get(series.PROVIDER, ""): value for labels, value in self._instant(select, now)}
            for select in (
                series.select(name(WINDOWS[-1]), **{series.SLO: MASKED}) for name in (series.errors, series.events)
            )
        )
        return {provider: bad.get(provider, 0.0) / count for provider, count in total.items() if count}

    def _instant(self, query: str, now: float) -> list[tuple[Mapping[str, str], float]]:
        found = self._ask("query", query=query, time=now)
        return [(one["metric"], float(one["value"][1])) for one in found]

    def _range(self, query: str, now: float, hours: float) -> list[tuple[Mapping[str, str], list[float | None]]]:
        start, step = now - hours * 3600, max(1, round(hours * 3600 / POINTS))
        found = self._ask("query_range", query=query, start=start, end=now, step=step)
        return [(one["metric"], _filled(one["values"], start, step)) for one in found]

    def _ask(self, what: str, **parameters: str | float) -> Sequence[Any]:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                result: Sequence[Any] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise InputError(f"{self._url} answered {error.code} to {parameters['query']}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(f"{self._url} cannot be asked: {reason}") from error
        return result


def _pair(labels: Mapping[str, str]) -> Pair:
    return labels.get(series.SLO, ""), labels.get(series.PROVIDER, "")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _filled(values: Sequence[tuple[float, str]], start: float, step: int) -> list[float | None]:
    """One value a step; ``None`` where there is none."""
    points: list[float | None] = [None] * (POINTS + 1)
    for at, value in values:
        place = round((float(at) - start) / step)
        if 0 <= place <= POINTS:
            points[place] = _finite(float(value))
    return points

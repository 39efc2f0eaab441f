"""Build PromQL queries over the metrics that l0 sends.

Names come from `l0.telemetry.names`, converted by OpenTelemetry's rules for Prometheus: dots become
underscores, the unit is appended if it is a real unit, and counters end in ``_total``.
"""

from __future__ import annotations

import re

from l0.telemetry import names
from l0.telemetry.names import Metric

WINDOW = "$__rate_interval"
RANGE = "$__range"
"""The complete time range of the dashboard."""
_UNITS = {"s": "seconds", "By": "bytes"}


def label(attribute: str) -> str:
    """Return an attribute's name as a Prometheus label."""
    return re.sub(r"\W", "_", attribute)


def series(metric: Metric) -> str:
    """Return a metric's name in Prometheus, for histograms without ``_bucket``, ``_sum`` or ``_count``."""
    parts = [label(metric.name), _UNITS.get(metric.unit, "")]
    if metric.kind == "counter":
        parts.append("total")
    return "_".join(filter(None, parts))


PROVIDER = label(names.PROVIDER)
MODEL = label(names.REQUEST_MODEL)
_CHOSEN = f'{PROVIDER}=~"$provider", {MODEL}=~"$model"'


def chosen(name: str, *conditions: str) -> str:
    """Return a selector for the providers and models chosen in the dashboard."""
    return f"{name}{{{', '.join([_CHOSEN, *conditions])}}}"


def total(function: str, name: str, *conditions: str, by: tuple[str, ...] = (), window: str = WINDOW) -> str:
    """Return a sum of rates or increases. ``function``: PromQL's ``rate`` or ``increase``. ``by``: the kept labels."""
    kept = f" by ({', '.join(by)})" if by else ""
    return f"sum{kept} ({function}({chosen(name, *conditions)}[{window}]))"


def rate(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """Return the rate of a counter per second."""
    return total("rate", series(metric), *conditions, by=by, window=window)


def count(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """Return the number of records of a histogram per second."""
    return total("rate", series(metric) + "_count", *conditions, by=by, window=window)


def summed(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """Return the sum of a histogram's values per second."""
    return total("rate", series(metric) + "_sum", *conditions, by=by, window=window)


def buckets(metric: Metric) -> str:
    """Return the increase of each bucket, for a heat map."""
    return total("increase", series(metric) + "_bucket", by=("le",))


def quantile(share: float, metric: Metric, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """Return a quantile of a histogram. ``share``: 0 to 1."""
    return f"histogram_quantile({share}, {total('rate', series(metric) + '_bucket', by=('le', *by), window=window)})"


def share(part: str, denominator: str) -> str:
    """Return a quotient that is 0 if ``part`` has no series, because its event has never happened."""
    return f"({part} or 0 * {denominator}) / {denominator}"

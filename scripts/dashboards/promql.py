"""Queries in Prometheus' language, over the metrics that l0 sends.

Names are made from the one table, `l0.telemetry.names`, by OpenTelemetry's rules for Prometheus: dots become
underscores, the unit is appended where it is one, and counters end in ``_total``.
"""

from __future__ import annotations

import re

from l0.telemetry import names
from l0.telemetry.names import Metric

WINDOW = "$__rate_interval"
RANGE = "$__range"
"""All of what the dashboard shows."""
_UNITS = {"s": "seconds", "By": "bytes"}


def label(attribute: str) -> str:
    """An attribute's name as a label."""
    return re.sub(r"\W", "_", attribute)


def series(metric: Metric) -> str:
    """A metric's name. Those of histograms still lack ``_bucket``, ``_sum`` or ``_count``."""
    parts = [label(metric.name), _UNITS.get(metric.unit, "")]
    if metric.kind == "counter":
        parts.append("total")
    return "_".join(filter(None, parts))


PROVIDER = label(names.PROVIDER)
MODEL = label(names.REQUEST_MODEL)
_CHOSEN = f'{PROVIDER}=~"$provider", {MODEL}=~"$model"'


def chosen(name: str, *conditions: str) -> str:
    """Series of the providers and models that the dashboard's user chose."""
    return f"{name}{{{', '.join([_CHOSEN, *conditions])}}}"


def total(function: str, name: str, *conditions: str, by: tuple[str, ...] = (), window: str = WINDOW) -> str:
    """A sum of rates or increases; ``by``: the labels that it keeps."""
    kept = f" by ({', '.join(by)})" if by else ""
    return f"sum{kept} ({function}({chosen(name, *conditions)}[{window}]))"


def rate(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """Of a counter, a second."""
    return total("rate", series(metric), *conditions, by=by, window=window)


def count(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """How often a histogram was recorded, a second."""
    return total("rate", series(metric) + "_count", *conditions, by=by, window=window)


def summed(metric: Metric, *conditions: str, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """What a histogram was given, added up, a second."""
    return total("rate", series(metric) + "_sum", *conditions, by=by, window=window)


def buckets(metric: Metric) -> str:
    """For a heat map: how many fell into each bucket."""
    return total("increase", series(metric) + "_bucket", by=("le",))


def quantile(share: float, metric: Metric, by: tuple[str, ...] = (PROVIDER,), window: str = WINDOW) -> str:
    """The value that this share of a histogram does not exceed."""
    return f"histogram_quantile({share}, {total('rate', series(metric) + '_bucket', by=('le', *by), window=window)})"


def share(part: str, whole: str) -> str:
    """A quotient. Where nothing of the part has ever happened it has no series: that is none of it, not no data."""
    return f"({part} or 0 * {whole}) / {whole}"

"""Define the streams dashboard: time to the first chunk, gaps, stalls and truncations."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from l0.telemetry import names
from l0.telemetry.names import Metric

from . import promql
from .panels import PER_SECOND, SECONDS, Panel, Query, by, frame
from .promql import PROVIDER, label, quantile, rate

_CLIENT = names.CURRENT
_KIND = label(names.KIND)
_BY_KIND = by(PROVIDER, _KIND)


def streams() -> Dashboard:
    """Return the streams dashboard."""
    return frame(
        "l0-streams",
        "LLM calls: streams",
        "Arrival of answers: the first chunk, the gaps between pieces of content, stalls, and truncated streams.",
        {"First chunk": _FIRST, "Flow": _FLOW, "Problems": _WRONG},
    )


def _quantiles(metric: Metric, title: str, description: str) -> Panel:
    """Return a panel with three quantiles of one histogram, by provider."""
    return Panel(
        title=title,
        description=description,
        unit=SECONDS,
        queries=[
            Query(quantile(0.5, metric), by(PROVIDER) + " 50 %"),
            Query(quantile(0.95, metric), by(PROVIDER) + " 95 %", exemplars=True),
            Query(quantile(0.99, metric), by(PROVIDER) + " 99 %"),
        ],
    )


def _heat(metric: Metric, title: str, description: str) -> Panel:
    query = Query(promql.buckets(metric), "{{le}}")
    return Panel(title=title, description=description, unit=SECONDS, kind="heat", queries=[query])


_FIRST = (
    _quantiles(
        _CLIENT.first_chunk,
        "Time to first chunk",
        "From the call, retries included, to the first chunk that the user received. The time to the first content of "
        "one attempt is on the call's span (l0.time_to_first_content).",
    ),
    _heat(_CLIENT.first_chunk, "Time to first chunk, distribution", "Number of calls by time to the first chunk."),
)

_FLOW = (
    _quantiles(
        _CLIENT.per_chunk, "Time per chunk after the first", "One mean per answer; a lower value is a faster stream."
    ),
    _quantiles(
        names.LONGEST_GAP, "Longest gap of an answer", "Between two pieces of content, while the program was reading."
    ),
    _heat(names.LONGEST_GAP, "Longest gap, distribution", "Number of answers by their longest gap."),
    Panel(
        title="Stalls",
        description="Number of times no content arrived for 10 s while the program was reading. Pings are not content.",
        unit=PER_SECOND,
        queries=[Query(rate(names.STREAM_STALLS))],
    ),
)

_WRONG = (
    Panel(
        title="Streams without a terminal event",
        description="Failed: reported as an error and, if possible, retried. "
        "Accepted: from a server that never sends one.",
        unit=PER_SECOND,
        queries=[Query(rate(names.TRUNCATIONS, by=(PROVIDER, _KIND)), _BY_KIND)],
    ),
    Panel(
        title="Anomalies",
        description="Anomalies of answers: unusual on the wire, but legitimate.",
        unit=PER_SECOND,
        queries=[Query(rate(names.ANOMALIES, by=(PROVIDER, _KIND)), _BY_KIND)],
    ),
)

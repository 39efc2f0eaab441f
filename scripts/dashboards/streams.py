"""Streams: when the first chunk came, how evenly the rest did, where streams stood still or stopped short."""

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
    """What reading an answer felt like."""
    return frame(
        "l0-streams",
        "LLM calls: streams",
        "How answers arrived: the first chunk, the gaps between pieces of content, stalls, streams that broke off.",
        {"First chunk": _FIRST, "Flow": _FLOW, "What went wrong": _WRONG},
    )


def _spread(metric: Metric, title: str, says: str) -> Panel:
    """Three quantiles of one histogram, by provider."""
    return Panel(
        title=title,
        says=says,
        unit=SECONDS,
        queries=[
            Query(quantile(0.5, metric), by(PROVIDER) + " 50 %"),
            Query(quantile(0.95, metric), by(PROVIDER) + " 95 %", exemplars=True),
            Query(quantile(0.99, metric), by(PROVIDER) + " 99 %"),
        ],
    )


def _heat(metric: Metric, title: str, says: str) -> Panel:
    query = Query(promql.buckets(metric), "{{le}}")
    return Panel(title=title, says=says, unit=SECONDS, kind="heat", queries=[query])


_FIRST = (
    _spread(
        _CLIENT.first_chunk,
        "Time to first chunk",
        "From the call, retries included, to the first chunk that its user got. The time to the first content of one "
        "attempt is on its call's span (l0.time_to_first_content).",
    ),
    _heat(_CLIENT.first_chunk, "Time to first chunk, spread", "How many calls waited how long."),
)

_FLOW = (
    _spread(
        _CLIENT.per_chunk, "Time per chunk after the first", "One mean an answer; the lower, the faster it was read."
    ),
    _spread(names.LONGEST_GAP, "Longest gap of an answer", "Between two pieces of content, while the program read."),
    _heat(names.LONGEST_GAP, "Longest gap, spread", "How many answers had their longest gap in which range."),
    Panel(
        title="Stalls",
        says="Times that no content came for 10 s while the program read. Pings are no content.",
        unit=PER_SECOND,
        queries=[Query(rate(names.STREAM_STALLS))],
    ),
)

_WRONG = (
    Panel(
        title="Streams without their end",
        says="Failed: told as an error and, where possible, repeated. Accepted: from a server that never sends one.",
        unit=PER_SECOND,
        queries=[Query(rate(names.TRUNCATIONS, by=(PROVIDER, _KIND)), _BY_KIND)],
    ),
    Panel(
        title="Oddities",
        says="What was odd in an answer, but legitimate.",
        unit=PER_SECOND,
        queries=[Query(rate(names.ANOMALIES, by=(PROVIDER, _KIND)), _BY_KIND)],
    ),
)

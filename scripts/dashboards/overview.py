"""Define the overview dashboard: traffic, results, durations and token usage by provider."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from l0.telemetry import names

from . import promql
from .panels import NUMBER, PER_SECOND, SECONDS, SHARE, Panel, Query, by, frame
from .promql import PROVIDER, RANGE, count, label, quantile, rate, share, summed

_DURATION = names.CURRENT.duration
_TOKENS = names.CURRENT.tokens[0].metric
_ERROR = label(names.ERROR_TYPE)
_FAILED = f'{_ERROR}!=""'


def overview() -> Dashboard:
    """Return the overview dashboard."""
    return frame(
        "l0-overview",
        "LLM calls: overview",
        "Calls of the application, by provider. A call counts once, however many requests it took.",
        {"Totals of the time range": _SUMS, "Calls": _CALLS, "Usage": _USE},
    )


_SUMS = (
    Panel(
        title="Calls",
        description="Calls that ended.",
        kind="number",
        queries=[Query(promql.total("increase", promql.series(_DURATION) + "_count", window=RANGE), "calls")],
    ),
    Panel(
        title="Delivered",
        description="Share of calls that returned an answer to the user.",
        kind="number",
        unit=SHARE,
        queries=[
            Query(f"1 - {share(count(_DURATION, _FAILED, by=(), window=RANGE), count(_DURATION, by=(), window=RANGE))}")
        ],
    ),
    Panel(
        title="Requests per call",
        description="1 if no request was retried.",
        kind="number",
        queries=[Query(f"{rate(names.ATTEMPTS, by=(), window=RANGE)} / {count(_DURATION, by=(), window=RANGE)}")],
    ),
    Panel(
        title="First chunk, 95 %",
        description="Time from the call to the first chunk that the user received, retries included.",
        kind="number",
        unit=SECONDS,
        queries=[Query(quantile(0.95, names.CURRENT.first_chunk, by=(), window=RANGE))],
    ),
)

_CALLS = (
    Panel(title="Calls", description="Ended calls per second.", unit=PER_SECOND, queries=[Query(count(_DURATION))]),
    Panel(
        title="Failed calls, by error",
        description="Errors that the user's code had to handle: the exception's class, or the cause.",
        unit=PER_SECOND,
        queries=[Query(count(_DURATION, _FAILED, by=(PROVIDER, _ERROR)), by(PROVIDER, _ERROR))],
    ),
    Panel(
        title="Duration of calls",
        description="From the call to the end of its answer. A dot is a trace, if the pipeline keeps exemplars.",
        unit=SECONDS,
        queries=[
            Query(quantile(0.5, _DURATION), by(PROVIDER) + " 50 %"),
            Query(quantile(0.95, _DURATION), by(PROVIDER) + " 95 %", exemplars=True),
            Query(quantile(0.99, _DURATION), by(PROVIDER) + " 99 %"),
        ],
    ),
    Panel(
        title="Duration of calls, distribution",
        description="Number of calls by duration.",
        kind="heat",
        unit=SECONDS,
        queries=[Query(promql.buckets(_DURATION), "{{le}}")],
    ),
)

_TYPE = label(names.TOKEN_TYPE)
_USE = (
    Panel(
        title="Tokens",
        description="Tokens per second, as counted by the providers. Calls without a count are not included.",
        unit=NUMBER,
        kind="area",
        queries=[Query(summed(_TOKENS, by=(PROVIDER, _TYPE)), by(PROVIDER, _TYPE))],
    ),
    Panel(
        title="Tokens per call",
        description="Mean of the calls whose provider reported a count.",
        unit=NUMBER,
        queries=[
            Query(
                f"{summed(_TOKENS, by=(PROVIDER, _TYPE))} / {count(_TOKENS, by=(PROVIDER, _TYPE))}",
                by(PROVIDER, _TYPE),
            )
        ],
    ),
)

"""Define the reliability dashboard: attempts (providers), delivered calls (users), and the recovery in between."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from l0.model.call import Outcome
from l0.telemetry import names
from l0.telemetry.names import Metric

from . import promql
from .panels import PER_SECOND, SECONDS, SHARE, Panel, Query, by, frame
from .promql import PROVIDER, count, label, quantile, rate, share, summed

_CALLS = names.CURRENT.duration
_OUTCOME, _CAUSE, _CATEGORY = label(names.OUTCOME), label(names.CAUSE), label(names.CATEGORY)
_STRATEGY = label(names.RESUME_STRATEGY)
_FAILED = f'{_OUTCOME}="{Outcome.FAILED}"'
_ERROR = f'{label(names.ERROR_TYPE)}!=""'
_FROM_SPANS = "l0_spans_calls_total"
"""The Collector's count of spans, if contrib.yaml is in use."""


def reliability() -> Dashboard:
    """Return the reliability dashboard."""
    return frame(
        "l0-reliability",
        "LLM calls: reliability",
        "Attempts are requests to the provider; delivered calls are the user's results. Retries, fallbacks and resumed "
        "answers account for the difference.",
        {
            "Attempts and delivered": _LAYERS,
            "Causes": _CAUSES,
            "Recovery": _WORK,
            "Guardrail violations and drift": _FINDINGS,
            "Policies in shadow mode": _SHADOWS,
        },
    )


def _rate_panel(
    title: str, description: str, metric: Metric, *labels: str, only: tuple[str, ...] = (), kind: str = "area"
) -> Panel:
    """Return a panel with a counter's rate per second: one series per value of the labels. ``only``: conditions."""
    query = Query(rate(metric, *only, by=labels), by(*labels))
    return Panel(title=title, description=description, unit=PER_SECOND, kind=kind, queries=[query])


_LAYERS = (
    Panel(
        title="Attempts that succeeded, and calls that were delivered",
        description="The lower line shows the provider, the upper one the application.",
        unit=SHARE,
        queries=[
            Query(f"1 - {share(rate(names.ATTEMPTS, _FAILED), rate(names.ATTEMPTS))}", by(PROVIDER) + " attempts"),
            Query(f"1 - {share(count(_CALLS, _ERROR), count(_CALLS))}", by(PROVIDER) + " delivered"),
        ],
    ),
    Panel(
        title="Calls by outcome",
        description="Counted from spans by the Collector's contrib configuration; empty without it.",
        unit=PER_SECOND,
        kind="area",
        queries=[
            Query(
                promql.total("rate", _FROM_SPANS, f'{_OUTCOME}!=""', by=(PROVIDER, _OUTCOME)),
                by(PROVIDER, _OUTCOME),
            )
        ],
    ),
)

_CAUSES = (
    _rate_panel(
        "Failed attempts, by cause",
        "Every failed request, whatever the outcome of its call.",
        names.ATTEMPTS,
        PROVIDER,
        _CAUSE,
        only=(_FAILED,),
    ),
    _rate_panel(
        "Failed attempts, by category",
        "Network, provider (transient or broken), model, content, or the request itself (fatal).",
        names.ATTEMPTS,
        _CATEGORY,
        only=(_FAILED,),
    ),
)

_WORK = (
    _rate_panel("Retries, by cause", "Retries, by the cause of the failure.", names.RETRIES, PROVIDER, _CAUSE),
    Panel(
        title="Retries per call",
        description="Above about 0.1, retries add to an overload of the provider: see the retry budget.",
        queries=[Query(share(rate(names.RETRIES), count(_CALLS)))],
    ),
    Panel(
        title="Delay before a retry",
        description="The delay that the provider asked for, or the backoff.",
        unit=SECONDS,
        queries=[
            Query(quantile(0.5, names.BACKOFF), by(PROVIDER) + " 50 %"),
            Query(quantile(0.95, names.BACKOFF), by(PROVIDER) + " 95 %"),
        ],
    ),
    Panel(
        title="Calls waiting for a retry",
        description="Mean number of calls that wait for their next attempt.",
        queries=[Query(summed(names.BACKOFF))],
    ),
    _rate_panel(
        "Calls served by a fallback",
        "By outcome, under the provider of the primary.",
        names.FALLBACKS,
        PROVIDER,
        _OUTCOME,
        kind="chart",
    ),
    _rate_panel(
        "Second requests beside a slow one",
        "Hedges, by the request that was faster.",
        names.HEDGES,
        PROVIDER,
        _OUTCOME,
        kind="chart",
    ),
    _rate_panel(
        "Resumed answers",
        "Answers that broke off and were continued, by strategy.",
        names.RESUMES,
        PROVIDER,
        _STRATEGY,
        kind="chart",
    ),
)

_SHADOW = label(names.SHADOW_ACTION)
_SHADOWS = (
    _rate_panel(
        "Actions that a policy in shadow mode would have taken",
        "None of these actions was taken: the policy only observes.",
        names.SHADOWS,
        PROVIDER,
        _SHADOW,
    ),
)

_RULE, _ACTION, _PHASE = label(names.RULE), label(names.RULE_ACTION), label(names.RULE_PHASE)
_DRIFT = label(names.DRIFT_TYPE)
_FINDINGS = (
    _rate_panel("Guardrail violations", "By rule and by action.", names.VIOLATIONS, _RULE, _ACTION),
    _rate_panel("Drift", "Detected drift, by type.", names.DRIFTS, PROVIDER, _DRIFT),
    Panel(
        title="Time per rule and answer",
        description="95 % quantile of a rule's total time per answer, by phase: while it streams, and at its end.",
        unit=SECONDS,
        queries=[Query(quantile(0.95, names.RULE_DURATION, by=(_RULE, _PHASE)), by(_RULE, _PHASE))],
    ),
)

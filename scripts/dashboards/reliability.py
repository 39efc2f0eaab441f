"""Reliability: what the providers did (attempts) beside what the users saw (delivered), and the work in between."""

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
"""What the Collector counts of spans, where contrib.yaml is in use."""


def reliability() -> Dashboard:
    """What had to be repaired, why, and what that cost."""
    return frame(
        "l0-reliability",
        "LLM calls: reliability",
        "Attempts are requests, as the provider answered them; delivered is what was left for the user. The distance "
        "between the two is what retries, fallbacks and resumed answers made good.",
        {
            "Attempts and delivered": _LAYERS,
            "Causes": _CAUSES,
            "What was done about it": _WORK,
            "What rules and drift detection found in answers": _FINDINGS,
            "Policies on trial": _SHADOWS,
        },
    )


def _how_often(
    title: str, says: str, metric: Metric, *of: str, only: tuple[str, ...] = (), kind: str = "area"
) -> Panel:
    """How often something happened a second: a series for each value of these labels."""
    query = Query(rate(metric, *only, by=of), by(*of))
    return Panel(title=title, says=says, unit=PER_SECOND, kind=kind, queries=[query])


_LAYERS = (
    Panel(
        title="Attempts that succeeded, and calls that were delivered",
        says="The lower line is the provider's, the upper one what the application had.",
        unit=SHARE,
        queries=[
            Query(f"1 - {share(rate(names.ATTEMPTS, _FAILED), rate(names.ATTEMPTS))}", by(PROVIDER) + " attempts"),
            Query(f"1 - {share(count(_CALLS, _ERROR), count(_CALLS))}", by(PROVIDER) + " delivered"),
        ],
    ),
    Panel(
        title="How calls ended",
        says="Counted from spans by the Collector's contrib configuration; empty without it.",
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
    _how_often(
        "Failed attempts, by cause",
        "Every request that failed, whatever became of its call.",
        names.ATTEMPTS,
        PROVIDER,
        _CAUSE,
        only=(_FAILED,),
    ),
    _how_often(
        "Failed attempts, by who is to blame",
        "Network, provider (transient or broken), model, content, or the request itself (fatal).",
        names.ATTEMPTS,
        _CATEGORY,
        only=(_FAILED,),
    ),
)

_WORK = (
    _how_often(
        "Retries, by cause", "Requests that were repeated, by what made it necessary.", names.RETRIES, PROVIDER, _CAUSE
    ),
    Panel(
        title="Retries a call",
        says="Above a tenth or so, retries begin to be part of the provider's problem: see the retry budget.",
        queries=[Query(share(rate(names.RETRIES), count(_CALLS)))],
    ),
    Panel(
        title="Waited before a retry",
        says="What the provider asked for, or the backoff.",
        unit=SECONDS,
        queries=[
            Query(quantile(0.5, names.BACKOFF), by(PROVIDER) + " 50 %"),
            Query(quantile(0.95, names.BACKOFF), by(PROVIDER) + " 95 %"),
        ],
    ),
    Panel(
        title="Waiting at any time",
        says="Calls that are waiting for their next try, on average.",
        queries=[Query(summed(names.BACKOFF))],
    ),
    _how_often(
        "Calls that fell over to another leg",
        "By how they ended, under the provider that they were meant for.",
        names.FALLBACKS,
        PROVIDER,
        _OUTCOME,
        kind="chart",
    ),
    _how_often(
        "Second requests beside a slow one",
        "By which of the two was quicker.",
        names.HEDGES,
        PROVIDER,
        _OUTCOME,
        kind="chart",
    ),
    _how_often(
        "Answers that were taken up again",
        "After they broke off, by strategy.",
        names.RESUMES,
        PROVIDER,
        _STRATEGY,
        kind="chart",
    ),
)

_SHADOW = label(names.SHADOW_ACTION)
_SHADOWS = (
    _how_often(
        "What a policy in shadow mode would have done",
        "Nothing of it was done: a policy is being tried out.",
        names.SHADOWS,
        PROVIDER,
        _SHADOW,
    ),
)

_RULE, _ACTION, _PHASE = label(names.RULE), label(names.RULE_ACTION), label(names.RULE_PHASE)
_DRIFT = label(names.DRIFT_TYPE)
_FINDINGS = (
    _how_often("Guardrail violations", "By rule, and by what was done about it.", names.VIOLATIONS, _RULE, _ACTION),
    _how_often("Drift", "Answers that went astray, by the kind of drift.", names.DRIFTS, PROVIDER, _DRIFT),
    Panel(
        title="Time that rules took of an answer",
        says="All of a rule's looks at one answer together, while it came and once it was over, 95 %.",
        unit=SECONDS,
        queries=[Query(quantile(0.95, names.RULE_DURATION, by=(_RULE, _PHASE)), by(_RULE, _PHASE))],
    ),
    Panel(
        title="Answers that rules looked at",
        says="A second, by rule.",
        unit=PER_SECOND,
        queries=[Query(count(names.RULE_DURATION, f'{_PHASE}="final"', by=(_RULE,)), by(_RULE))],
    ),
)

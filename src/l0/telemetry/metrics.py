"""Record the metrics of calls. Almost all are recorded in one pass at the end of the call, so chunks cost nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import count, repeat

from opentelemetry.context import Context, get_current
from opentelemetry.metrics import Meter, MeterProvider

from l0.model.call import AttributeValue, Call, Outcome
from l0.model.call_events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallEvent,
    LegStats,
    ResponseMetadata,
    RuleMatched,
    ShadowDecision,
    StreamStats,
)
from l0.model.failure import Cause, Failure

from . import attributes, listeners, names, sanitizer

_RULE_TIMES_EVERY = 10
"""The durations of rules are recorded for one in this many calls with rules. A record costs 10 to 15 us, and the
recommended guardrails make twelve: that is as much as half of their work on 200 tokens."""

Record = Callable[[float, Mapping[str, AttributeValue], Context | None], None]
Instruments = dict[names.Metric, Record]

_NO_CONTEXT: AbstractContextManager[object] = nullcontext()
_NO_HEADERS: Mapping[str, str] = {}


class MetricObserver:
    """Records metrics of every call. ``meter_provider``: ``None`` for the global one, even if it is set later.

    ``environ``: the variables of the process.
    """

    __slots__ = ("_calls_with_rules", "_every_chunk", "_families", "_instruments", "_rule_times_every")

    def __init__(self, meter_provider: MeterProvider | None = None, *, environ: Mapping[str, str] = os.environ) -> None:
        self._families = families(environ.get(names.CONVENTIONS_SWITCH, ""))
        self._every_chunk = listeners.is_all(names.CHUNK_METRICS_SWITCH, environ)
        self._rule_times_every = 1 if listeners.is_all(names.RULE_METRICS_SWITCH, environ) else _RULE_TIMES_EVERY
        self._calls_with_rules = count()
        self._instruments = listeners.meter(meter_provider, self._create)

    def observe(self, call: Call) -> CallMetrics | None:
        """Return the call's observer; ``None`` if no meter is available or instrumentation is suppressed."""
        instruments = self._instruments()
        if instruments is None or listeners.suppressed():
            return None
        # If another GenAI instrumentation records the conventional metrics, L0 would count the call twice.
        families = () if listeners.measured_by_another() else self._families
        return CallMetrics(call, instruments, families, every_chunk=self._every_chunk, times_rules=self._times_rules)

    def _times_rules(self) -> bool:
        """Return True if the durations of this call's rules are recorded. Called once for each call with rules."""
        return next(self._calls_with_rules) % self._rule_times_every == 0

    def _create(self, meter: Meter) -> Instruments:
        metrics = (*names.L0_METRICS, *(metric for family in self._families for metric in family.metrics))
        return {metric: _instrument(meter, metric) for metric in metrics}


def families(switch: str) -> tuple[names.MetricFamily, ...]:
    """Return the metric families that ``OTEL_SEMCONV_STABILITY_OPT_IN`` selects: a comma-separated list of opt-ins."""
    chosen = {item.strip() for item in switch.split(",")}
    if names.CONVENTIONS_BOTH in chosen:
        return (names.CURRENT, names.LATEST)
    return (names.LATEST,) if names.CONVENTIONS_LATEST in chosen else (names.CURRENT,)


def _instrument(meter: Meter, metric: names.Metric) -> Record:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.description).add
    histogram = meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )
    return histogram.record


class CallMetrics:
    """The metrics of one call. It collects the data that `CallEnded` lacks, and records everything when that arrives.

    What concerns one attempt or its answer counts for the provider and model that the attempt went to; what concerns
    the call as a whole, for those that the user requested. A shadow decision is recorded at once.

    Histograms are recorded in the call's context, so that a bucket's exemplar names the trace of a slow call.
    """

    __slots__ = (
        "_base",
        "_call",
        "_started_at",
        "_context",
        "_conventional",
        "_every_chunk",
        "_families",
        "_failed_at",
        "_hedge",
        "_instruments",
        "_legs",
        "_rule_matches",
        "_lost",
        "_delays",
        "_times_rules",
    )

    def __init__(
        self,
        call: Call,
        instruments: Instruments,
        families: tuple[names.MetricFamily, ...],
        *,
        every_chunk: bool,
        times_rules: Callable[[], bool],
    ) -> None:
        self._call = call
        self._every_chunk = every_chunk
        self._times_rules = times_rules
        self._base, conventional = _base_attributes(call.operation, call.provider, call.model, call.host, call.port)
        self._conventional = conventional if families else self._base
        self._instruments = instruments
        self._families = families
        self._started_at: float | None = None
        self._context: Context | None = None
        self._delays: list[float] = []
        self._hedge: int | None = None
        self._lost: list[AttemptEnded] = []
        self._rule_matches: list[tuple[RuleMatched, int]] = []
        """Matches of rules, each with the leg whose answer matched."""
        self._legs: dict[int, int] = {}
        """By the number of each attempt of a fallback: its leg."""
        self._failed_at: dict[int, int] = {}
        """By the id of each failure of a fallback: its leg."""

    def notify(self, event: CallEvent) -> None:
        """Collect the event. Record a shadow decision at once, and all else when the call ends."""
        match event:
            case AttemptStarted(attempt=attempt, at=at):
                if self._started_at is None:
                    self._started_at = at
                if attempt.leg:
                    self._legs[attempt.number] = attempt.leg
                if attempt.hedge:
                    self._hedge = attempt.number
                elif attempt.number > 1:
                    self._delays.append(attempt.waited_s)
            case AttemptEnded(lost=True):
                self._lost.append(event)
            case RuleMatched():
                self._rule_matches.append((event, max(self._legs.values(), default=0)))
            case ShadowDecision(action=action, cause=cause):
                cause_attribute = () if cause is None else ((names.CAUSE, cause.value),)
                self._record(names.SHADOWS, 1, (names.SHADOW_ACTION, action), *cause_attribute)
            case AttemptEnded(number=number, failure=Failure() as failure) if number in self._legs:
                self._failed_at[id(failure)] = self._legs[number]
            case CallEnded():
                at_leg = self._at(event.leg) if event.leg else (self._base, self._conventional)
                self._record_attempts(event, at_leg[0])
                self._record_rules(event)
                self._record_stream(event, at_leg[0])
                for family in self._families:
                    self._record_family(event, family, at_leg[1])
            case _:
                pass

    def active(self) -> AbstractContextManager[object]:
        """Keep the call's context, which its span has set by now. Return a context manager that does nothing."""
        self._context = get_current()
        return _NO_CONTEXT

    def headers(self) -> Mapping[str, str]:
        """Return no headers: metrics propagate nothing."""
        return _NO_HEADERS

    def _at(self, leg: int) -> tuple[Mapping[str, AttributeValue], Mapping[str, AttributeValue]]:
        """Return the attributes of what happened at one leg: those of every metric, and of the conventional ones."""
        if not leg:
            return self._base, self._conventional
        provider, host, port, _ = self._call.endpoint(leg)
        return _base_attributes(self._call.operation, provider, self._call.model_of(leg), host, port)

    def _where_failed(self, failure: Failure) -> Mapping[str, AttributeValue]:
        return self._at(self._failed_at.get(id(failure), 0))[0]

    def _record(self, metric: names.Metric, value: float, *more: tuple[str, AttributeValue]) -> None:
        self._record_with(metric, value, self._base, more)

    def _record_with(
        self,
        metric: names.Metric,
        value: float,
        base: Mapping[str, AttributeValue],
        more: tuple[tuple[str, AttributeValue], ...] = (),
    ) -> None:
        context = self._context if metric.buckets else None  # only histograms have exemplars
        self._instruments[metric](value, {**base, **_encodable(more)} if more else base, context)

    def _record_family(
        self, ended: CallEnded, family: names.MetricFamily, served: Mapping[str, AttributeValue]
    ) -> None:
        """Record the conventional metrics. ``served``: their attributes at the leg at which the call ended."""
        error = ((names.ERROR_TYPE, attributes.error_type(ended.failure)),) if attributes.failed(ended) else ()
        base = self._conventional
        self._record_with(family.duration, self._duration(ended), base, error)
        stats = ended.stream_stats
        if stats is not None and stats.first_chunk is not None:
            self._record_with(family.first_chunk, stats.first_chunk, base, ())
            for seconds, base in self._chunk_times(stats, served):
                self._record_with(family.per_chunk, seconds, base, ())
        if ended.tokens_by_leg:
            for leg, metadata in ended.tokens_by_leg.items():
                self._record_tokens(metadata, family, self._at(leg)[1])
        elif ended.metadata is not None:
            self._record_tokens(ended.metadata, family, served)

    def _record_tokens(
        self, metadata: ResponseMetadata, family: names.MetricFamily, base: Mapping[str, AttributeValue]
    ) -> None:
        for tokens in family.tokens:
            number = getattr(metadata, tokens.field)
            if number is not None:
                self._record_with(tokens.metric, number, base, tokens.attributes)

    def _chunk_times(
        self, stats: StreamStats, served: Mapping[str, AttributeValue]
    ) -> Iterable[tuple[float, Mapping[str, AttributeValue]]]:
        """Yield the times to record, each with its attributes."""
        if not self._every_chunk:
            mean = attributes.per_chunk(stats)
            return () if mean is None else ((mean, served),)
        legs = [(each.gaps, self._at(each.leg)[1]) for each in stats.legs] or [(stats.gaps, served)]
        return ((seconds, base) for gaps, base in legs for size, times in gaps for seconds in repeat(size, times))

    def _record_attempts(self, ended: CallEnded, served: Mapping[str, AttributeValue]) -> None:
        failed_requests = attributes.failed_requests(ended)
        for failure in failed_requests:
            failed = (names.OUTCOME, Outcome.FAILED.value), *_cause_attributes(failure)
            self._record_with(names.ATTEMPTS, 1, self._where_failed(failure), failed)
        for lost in self._lost:
            outcome = Outcome.CANCELLED if lost.failure is None else Outcome.FAILED
            cause_attributes = () if lost.failure is None else _cause_attributes(lost.failure)
            base = self._at(self._legs.get(lost.number, 0))[0]
            self._record_with(names.ATTEMPTS, 1, base, ((names.OUTCOME, outcome.value), *cause_attributes))
        if self._hedge is not None:
            won = self._hedge not in [lost.number for lost in self._lost]
            result = ((names.OUTCOME, names.HEDGE_WON if won else names.HEDGE_LOST),)
            self._record_with(names.HEDGES, 1, self._at(self._legs.get(self._hedge, 0))[0], result)
        if ended.attempts > len(failed_requests) + len(self._lost):  # the last request is in neither list
            last = ended.outcome if ended.outcome in (Outcome.FAILED, Outcome.CANCELLED) else Outcome.OK
            self._record_with(names.ATTEMPTS, 1, served, ((names.OUTCOME, last.value),))
        for failure, waited in zip(attributes.retried_failures(ended), self._delays, strict=False):
            base = self._where_failed(failure)
            self._record_with(names.RETRIES, 1, base, _cause_attributes(failure))
            self._record_with(names.BACKOFF, waited, base, ((names.CAUSE, failure.cause.value),))
        if ended.leg:
            self._record(names.FALLBACKS, 1, (names.OUTCOME, ended.outcome.value))
        for resume_point in ended.resume_points:
            self._record(
                names.RESUMES, 1, (names.RESUME_STRATEGY, resume_point.strategy), (names.OUTCOME, ended.outcome.value)
            )

    def _record_rules(self, ended: CallEnded) -> None:
        for match_event, leg in self._rule_matches:
            found, base = match_event.violation, self._at(leg)[0]
            if match_event.drift:
                drift = ((names.DRIFT_TYPE, found.rule.removeprefix("drift.")),)
                self._record_with(names.DRIFTS, 1, base, drift)
            else:
                rule_attributes = (names.RULE, found.rule), (names.RULE_SEVERITY, found.severity.value)
                matched = *rule_attributes, (names.RULE_ACTION, match_event.action)
                self._record_with(names.VIOLATIONS, 1, base, matched)
        if not ended.rules or not self._times_rules():
            return
        for rule, times in ended.rules.items():
            for phase, seconds in (("streaming", times.streaming), ("final", times.final)):
                if seconds:  # no record for a phase in which the rule did not run
                    self._record(names.RULE_DURATION, seconds, (names.RULE, rule), (names.RULE_PHASE, phase))

    def _record_stream(self, ended: CallEnded, served: Mapping[str, AttributeValue]) -> None:
        for failure in ended.failures:
            if failure.cause is Cause.TRUNCATED:
                kind = ((names.KIND, Outcome.FAILED.value),)
                self._record_with(names.TRUNCATIONS, 1, self._where_failed(failure), kind)
        for anomaly in ended.metadata.anomalies if ended.metadata is not None else ():
            if anomaly == Cause.TRUNCATED:
                self._record_with(names.TRUNCATIONS, 1, served, ((names.KIND, "accepted"),))
            else:
                self._record_with(names.ANOMALIES, 1, served, ((names.KIND, anomaly),))
        stats = ended.stream_stats
        if stats is not None:
            legs: list[tuple[LegStats | StreamStats, Mapping[str, AttributeValue]]]
            legs = [(each, self._at(each.leg)[0]) for each in stats.legs]
            for gaps, base in legs or [(stats, served)]:
                if gaps.gap_max > 0:
                    self._record_with(names.LONGEST_GAP, gaps.gap_max, base)
                if gaps.stalls:
                    self._record_with(names.STREAM_STALLS, gaps.stalls, base)

    def _duration(self, ended: CallEnded) -> float:
        if ended.stream_stats is not None:
            return ended.stream_stats.duration
        return ended.at - self._started_at if self._started_at is not None else 0.0


@lru_cache(maxsize=512)
def _base_attributes(
    operation: str, provider: str, model: str, host: str, port: int
) -> tuple[Mapping[str, AttributeValue], Mapping[str, AttributeValue]]:
    """Return the attributes of every metric, and of the conventional ones. All calls to one model share them."""
    kind = attributes.of_kind(operation, provider, model)
    return sanitizer.encodable(kind), sanitizer.encodable(attributes.of_call(kind, host, port))


@lru_cache(maxsize=512)
def _encodable(more: tuple[tuple[str, AttributeValue], ...]) -> Mapping[str, AttributeValue]:
    return sanitizer.encodable(dict(more))


def _cause_attributes(failure: Failure) -> tuple[tuple[str, str], tuple[str, str]]:
    category = failure.category
    assert category is not None  # __post_init__ fills it in
    return (names.CAUSE, failure.cause.value), (names.CATEGORY, category.value)

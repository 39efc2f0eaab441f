"""Report calls as spans: one CLIENT span per call, with a child span per attempt if there were several attempts, or if
the user stopped the call during a backoff."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from time import perf_counter, time_ns
from types import TracebackType
from typing import cast
from weakref import WeakKeyDictionary

from opentelemetry import context, propagate, trace
from opentelemetry._logs import Logger, LoggerProvider, LogRecord, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer, TracerProvider

from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent, RuleMatched, ShadowDecision
from l0.model.errors import raised
from l0.model.failure import Failure

from . import attributes, capture, listeners, names, sanitizer
from .recovery_cost import RecoveryCost

log = logging.getLogger(__name__)


class SpanObserver:
    """Starts a span for every call. A provider of ``None`` means the global one, even if it is set later.

    ``logger_provider`` is used only if captured content goes into events. ``environ``: the variables of the process.
    """

    __slots__ = ("_every_attempt", "_former_names", "_logger_provider", "_mode", "_client_tracers", "_tracer")

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        logger_provider: LoggerProvider | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._tracer = listeners.tracer(tracer_provider)
        self._logger_provider = logger_provider
        self._client_tracers: WeakKeyDictionary[object, Tracer | None] = WeakKeyDictionary()
        self._mode = capture.content_mode(environ.get(names.CONTENT_SWITCH))
        self._every_attempt = listeners.is_all(names.ATTEMPT_SPANS_SWITCH, environ)
        self._former_names = listeners.is_all(names.FORMER_NAMES_SWITCH, environ)

    @property
    def tracer(self) -> Tracer | None:
        """The tracer of calls whose client has no provider; ``None`` without a tracer."""
        return self._tracer()

    def observe(self, call: Call) -> CallSpan | None:
        """Start the span, or adopt another instrumentation's span of this call.

        Return ``None`` if there is no tracer, instrumentation is suppressed, or another span will report the call.
        """
        tracer = self._tracer() if call.tracer_provider is None else self._client_tracer(call.tracer_provider)
        if tracer is None or listeners.suppressed():
            return None
        outer = listeners.outer_span()
        if outer is trace.INVALID_SPAN:
            return None
        if outer is not None:
            # Exactly one inference span per call: the other instrumentation ends its span; L0 adds ``l0.*`` attributes.
            return self._span_of(call, tracer, outer, foreign=True)
        start_ns = time_ns() if call.began_at is None else _clock_offset_ns() + round(call.began_at * 1e9)
        name = f"{call.operation} {call.model}".rstrip()
        span = sanitizer.start_span(tracer, name, attributes.of_request(call), kind=SpanKind.CLIENT, at=start_ns)
        mode = self._mode
        if call.capture and mode is capture.ContentMode.NO_CONTENT:
            mode = capture.ContentMode.SPAN_ONLY
        wanted = mode is not capture.ContentMode.NO_CONTENT and span.is_recording()
        content = self._content(call, mode) if wanted else None
        return self._span_of(call, tracer, span, content=content)

    def _span_of(
        self, call: Call, tracer: Tracer, span: Span, *, foreign: bool = False, content: Content | None = None
    ) -> CallSpan:
        return CallSpan(
            call,
            tracer,
            span,
            foreign=foreign,
            content=content,
            every_attempt=self._every_attempt,
            former_names=self._former_names,
        )

    def _client_tracer(self, provider: object) -> Tracer | None:
        """Return the tracer of a client's own provider."""
        if provider not in self._client_tracers:
            self._client_tracers[provider] = listeners.tracer(cast(TracerProvider, provider))()
        return self._client_tracers[provider]

    def _content(self, call: Call, mode: capture.ContentMode) -> Content | None:
        try:
            logger = get_logger(names.SCOPE, logger_provider=self._logger_provider) if mode.on_event else None
            return Content(call, mode, logger)
        except Exception:  # the span has started and must end, even if JSON cannot hold the body
            log.warning("the content of a call could not be captured: %s", raised())
            return None


class Content:
    """The content of a call that the user opted into capturing.

    The request is captured at once, because the user may change its lists later.
    """

    __slots__ = ("_call", "_logger", "_mode", "_request")

    def __init__(self, call: Call, mode: capture.ContentMode, logger: Logger | None) -> None:
        self._call = call
        self._mode = mode
        self._logger = logger
        self._request = capture.of_request(call)

    @property
    def on_span(self) -> bool:
        """True if content goes on the span."""
        return self._mode.on_span

    def record(self, span: Span, ended: CallEnded, at: int) -> None:
        """Put the content on the span, into a log event, or both. ``at``: ns of the wall clock."""
        content = self._request | capture.of_answer(ended)
        if self._mode.on_span:
            sanitizer.set_attributes(span, capture.as_json(content))
        if self._logger is not None:
            known = sanitizer.plain({**attributes.of_request(self._call), **attributes.of_answer(ended), **content})
            parent = trace.set_span_in_context(span)
            record = LogRecord(timestamp=at, context=parent, event_name=names.DETAILS_EVENT, attributes=known)
            self._logger.emit(record)


class CallSpan:
    """The span of one call. It keeps events as they arrive and reports them in one pass when the call ends.

    ``foreign``: another instrumentation owns the span and ends it. ``every_attempt``: report an attempt span even if
    the call had one attempt.
    """

    __slots__ = (
        "_call",
        "_content",
        "_attempts_ended",
        "_every_attempt",
        "_foreign",
        "_former_names",
        "_rule_matches",
        "_clock_offset_ns",
        "_decisions",
        "_span",
        "_attempts_started",
        "_tracer",
    )

    def __init__(
        self,
        call: Call,
        tracer: Tracer,
        span: Span,
        *,
        foreign: bool = False,
        content: Content | None = None,
        every_attempt: bool = False,
        former_names: bool = False,
    ) -> None:
        self._call = call
        self._tracer = tracer
        self._every_attempt = every_attempt
        self._span = span
        self._foreign = foreign
        self._former_names = former_names
        self._content = content
        self._clock_offset_ns = None if call.began_at is None else _clock_offset_ns()
        self._attempts_started: list[AttemptStarted] = []
        self._attempts_ended: dict[int, AttemptEnded] = {}
        self._rule_matches: list[RuleMatched] = []
        self._decisions: list[ShadowDecision] = []

    @property
    def trace_ids(self) -> tuple[str, str]:
        """Return the ids of the trace and of the span, in hexadecimal."""
        context = self._span.get_span_context()
        return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)

    def notify(self, event: CallEvent) -> None:
        """Keep the event; report everything to OpenTelemetry when the call ends."""
        if self._clock_offset_ns is None:
            # The first event is as old as the call, which is cheaper than a second clock.
            self._clock_offset_ns = time_ns() - round(event.at * 1e9)
        match event:
            case AttemptStarted():
                self._attempts_started.append(event)
            case AttemptEnded():
                self._attempts_ended.setdefault(event.number, event)
            case RuleMatched():
                self._rule_matches.append(event)
            case ShadowDecision():
                self._decisions.append(event)
            case CallEnded():
                self._finish(event)

    def active(self) -> AbstractContextManager[object]:
        """Make the span current, so that spans of an HTTP instrumentation become its children."""
        return _Active(self._span)

    def headers(self) -> Mapping[str, str]:
        """Return the trace context as the application's propagators write it."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._span))
        return carrier

    def _finish(self, ended: CallEnded) -> None:
        end = self._wall_ns(ended.at)
        try:
            if self._span.is_recording():
                self._report(ended, end)
        finally:
            if not self._foreign:
                self._span.end(end)

    def _report(self, ended: CallEnded, end: int) -> None:
        described = attributes.of_engine(ended)
        if ended.attempts > 1 or ended.failure is not None:
            described |= self._cost(ended)
        shows_attempts = (
            len(self._attempts_started) > 1 or self._every_attempt or attributes.cancelled_in_backoff(ended)
        )
        if attributes.failed(ended) and not shows_attempts:
            described |= self._of_only_response()
        if not self._foreign:
            described |= attributes.of_answer(ended)
            if attributes.failed(ended):
                sanitizer.set_error(self._span, self._status_description(ended.failure))
        if self._former_names:
            described = attributes.with_former_names(described)
        sanitizer.set_attributes(self._span, described)
        if shows_attempts:
            self._report_attempts(end, {resume_point.attempt: resume_point.at for resume_point in ended.resume_points})
        if self._rule_matches:
            self._report_rules()
        for decision in self._decisions:
            sanitizer.add_event(self._span, names.SHADOW_EVENT, _of_decision(decision), self._wall_ns(decision.at))
        if self._content is not None:
            self._content.record(self._span, ended, end)

    def _of_only_response(self) -> attributes.Attributes:
        """Return what identifies the answer of the only attempt, because no other span names it."""
        described: attributes.Attributes = {}
        for attempt_ended in self._attempts_ended.values():
            described |= _of_response(attempt_ended)
        if self._foreign:
            described.pop(names.HTTP_STATUS, None)
        return described

    def _cost(self, ended: CallEnded) -> attributes.Attributes:
        """Return what the requests after the first one cost, and whether unknown tokens were wasted."""
        cost = RecoveryCost(self._call)
        for started in self._attempts_started:
            cost.add(started)
        for attempt_ended in self._attempts_ended.values():
            cost.add(attempt_ended)
        cost.add(ended)
        described: attributes.Attributes = {names.UNKNOWN_WASTE: True} if cost.unknown_waste(ended) else {}
        if ended.attempts > 1:
            described |= {names.SDK_RETRIES: cost.sdk_retries(ended), names.RECOVERY_TIME: cost.seconds}
        return described

    def _report_rules(self) -> None:
        rules = {match_event.violation.rule: match_event.drift for match_event in self._rule_matches}
        drifts = tuple(rule.removeprefix("drift.") for rule, drift in rules.items() if drift)
        if drifts:
            sanitizer.set_attributes(self._span, {names.DRIFT_TYPES: drifts})
        violated = tuple(rule for rule, drift in rules.items() if not drift)
        if violated:
            sanitizer.set_attributes(self._span, {names.GUARDRAIL_VIOLATIONS: violated})
        for match_event in self._rule_matches:
            name = names.DRIFT_EVENT if match_event.drift else names.VIOLATION_EVENT
            sanitizer.add_event(
                self._span,
                name,
                _of_match(match_event, with_content=self._shows_content),
                self._wall_ns(match_event.at),
            )

    def _report_attempts(self, end: int, resume_points: Mapping[int, int]) -> None:
        parent = trace.set_span_in_context(self._span)
        previous: Failure | None = None
        leg = 0
        for started in self._attempts_started:
            attempt = started.attempt
            ended = self._attempts_ended.get(attempt.number)
            if attempt.resume is not None:
                resume_point: attributes.Attributes = {
                    names.RESUME_STRATEGY: attempt.resume,
                    names.RESUME_AT: resume_points.get(attempt.number, 0),
                    names.ATTEMPT_NUMBER: attempt.number,
                }
                sanitizer.add_event(self._span, names.RESUME_EVENT, resume_point, self._wall_ns(started.at))
            if attempt.hedge:
                sanitizer.add_event(
                    self._span, names.HEDGE_EVENT, {names.ATTEMPT_NUMBER: attempt.number}, self._wall_ns(started.at)
                )
            elif previous is not None:
                retry = _retry(attempt, previous, from_leg=leg)
                sanitizer.add_event(self._span, names.RETRY_EVENT, retry, self._wall_ns(started.at))
            self._report_attempt(started, ended, parent, end)
            previous, leg = ended.failure if ended is not None else None, attempt.leg

    def _report_attempt(self, started: AttemptStarted, ended: AttemptEnded | None, parent: Context, end: int) -> None:
        name = f"{names.ATTEMPT_SPAN} {started.attempt.number}"
        described = _of_attempt(self._call, started.attempt, ended)
        span = sanitizer.start_span(self._tracer, name, described, context=parent, at=self._wall_ns(started.at))
        if ended is not None and ended.failure is not None:
            sanitizer.set_error(span, self._status_description(ended.failure))
        span.end(self._wall_ns(ended.at) if ended is not None else end)

    @property
    def _shows_content(self) -> bool:
        """True if third-party text, which may quote keys, prompts and answers, may go on spans."""
        return self._content is not None and self._content.on_span

    def _status_description(self, failure: Failure | None) -> str | None:
        """Return the description of a span status."""
        if failure is None:
            return None
        return failure.full_text if self._shows_content else str(failure)

    def _wall_ns(self, at: float) -> int:
        return (self._clock_offset_ns or 0) + round(at * 1e9)


def _clock_offset_ns() -> int:
    """Return the offset of the wall clock to the monotonic clock of events, in ns."""
    return time_ns() - round(perf_counter() * 1e9)


def _retry(attempt: AttemptSpec, previous: Failure, *, from_leg: int) -> attributes.Attributes:
    described: attributes.Attributes = {
        names.ATTEMPT_NUMBER: attempt.number,
        names.CAUSE: previous.cause.value,
        names.WAITED: attempt.waited_s,
    }
    if attempt.leg:
        described[names.ATTEMPT_LEG] = attempt.leg
    if attempt.leg != from_leg:
        described[names.FALLBACK] = True
    return described


def _of_decision(decision: ShadowDecision) -> attributes.Attributes:
    described: attributes.Attributes = {names.SHADOW_ACTION: decision.action}
    if decision.cause is not None:
        described[names.CAUSE] = decision.cause.value
    if decision.wait_s is not None:
        described[names.WAITED] = decision.wait_s
    return described


def _of_match(match_event: RuleMatched, *, with_content: bool) -> attributes.Attributes:
    found = match_event.violation
    return {
        names.RULE: found.rule,
        names.RULE_SEVERITY: found.severity.value,
        names.RULE_ACTION: match_event.action,
        names.RULE_MESSAGE: found.message if with_content else found.plain,
        names.VIOLATION_AT: found.at,
        names.DRIFT_CONFIDENCE: found.confidence,
    }


def _of_attempt(call: Call, attempt: AttemptSpec, ended: AttemptEnded | None) -> attributes.Attributes:
    leg = attempt.leg
    provider, host, port, _ = call.endpoint(leg)
    described = {**attributes.of_target(provider, call.model_of(leg), host, port), names.ATTEMPT_NUMBER: attempt.number}
    if leg:
        described[names.ATTEMPT_LEG] = leg
    if attempt.hedge:
        described[names.ATTEMPT_HEDGE] = True
    if attempt.number > 1:
        described[names.HTTP_RESEND_COUNT] = attempt.number - 1
        described[names.WAITED] = attempt.waited_s
    if ended is None:
        return described
    if ended.lost:
        described[names.ATTEMPT_LOST] = True
    described |= _of_response(ended)
    if ended.failure is not None:
        described[names.ATTEMPT_CAUSE] = ended.failure.cause.value
        described[names.ERROR_TYPE] = attributes.error_type(ended.failure)
    return described


def _of_response(ended: AttemptEnded) -> attributes.Attributes:
    found = {names.HTTP_STATUS: ended.status, names.REQUEST_ID: ended.request_id}
    return {name: value for name, value in found.items() if value is not None}


class _Active:
    """A context manager that attaches a span and detaches only what it attached.

    The garbage collector may close a generator in another context. OpenTelemetry logs an error if a token is detached
    there, so nothing is detached if the attached context is not the current one.
    """

    __slots__ = ("_attached", "_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._attached = trace.set_span_in_context(self._span)
        self._token = context.attach(self._attached)
        return self._span

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if context.get_current() is self._attached:
            context.detach(self._token)

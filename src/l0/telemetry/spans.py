"""Events to spans: one CLIENT span a call, and below it one for each attempt where there was more than one."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from time import time_ns
from types import TracebackType
from typing import cast
from weakref import WeakKeyDictionary

from opentelemetry import context, propagate, trace
from opentelemetry._logs import Logger, LoggerProvider, LogRecord, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer, TracerProvider

from l0.model.call import Call
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, Event, RuleMatched, ShadowDecision
from l0.model.errors import raised
from l0.model.failure import Failure

from . import attributes, capture, listeners, names, sanitizer

log = logging.getLogger(__name__)


class SpanObserver:
    """Spans of every call. Providers: ``None`` for the global ones, whenever they are set.

    ``logger_provider`` is asked for only where content goes into events.
    """

    __slots__ = ("_attempts", "_logger_provider", "_mode", "_others", "_tracer")

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, logger_provider: LoggerProvider | None = None
    ) -> None:
        self._tracer = listeners.tracer(tracer_provider)
        self._logger_provider = logger_provider
        self._others: WeakKeyDictionary[object, Tracer | None] = WeakKeyDictionary()
        self._mode = capture.content_mode(os.environ.get(names.CONTENT_SWITCH))
        self._attempts = listeners.all_of(names.ATTEMPT_SPANS_SWITCH)

    def observe(self, call: Call) -> CallSpan | None:
        """Starts the span. ``None`` when nobody listens."""
        tracer = self._tracer() if call.tracer_provider is None else self._own(call.tracer_provider)
        if tracer is None or listeners.suppressed():
            return None
        if listeners.inside_another():
            # Exactly one inference span a call: theirs stays theirs to end, and carries what only we know.
            return CallSpan(tracer, trace.get_current_span(), foreign=True, every=self._attempts)
        began = time_ns()
        name = f"{call.operation} {call.model}".rstrip()
        span = sanitizer.start_span(tracer, name, attributes.of_request(call), kind=SpanKind.CLIENT, at=began)
        mode = self._mode
        if call.capture and mode is capture.ContentMode.NO_CONTENT:
            mode = capture.ContentMode.SPAN_ONLY
        wanted = mode is not capture.ContentMode.NO_CONTENT and span.is_recording()
        content = self._content(call, mode) if wanted else None
        return CallSpan(tracer, span, content=content, every=self._attempts)

    def _own(self, provider: object) -> Tracer | None:
        """The tracer of a provider that a client brings along."""
        if provider not in self._others:
            self._others[provider] = listeners.tracer(cast(TracerProvider, provider))()
        return self._others[provider]

    def _content(self, call: Call, mode: capture.ContentMode) -> Content | None:
        try:
            logger = get_logger(names.SCOPE, logger_provider=self._logger_provider) if mode.on_event else None
            return Content(call, mode, logger)
        except Exception:  # the span has begun: a body that JSON cannot hold must not keep it from being ended
            log.warning("the content of a call could not be captured: %s", raised())
            return None


class Content:
    """What the user opted into showing. The request's part is taken at once: the user's lists may change later."""

    __slots__ = ("_call", "_logger", "_mode", "_request")

    def __init__(self, call: Call, mode: capture.ContentMode, logger: Logger | None) -> None:
        self._call = call
        self._mode = mode
        self._logger = logger
        self._request = capture.of_request(call)

    @property
    def on_span(self) -> bool:
        """Whether content may stand on the span."""
        return self._mode.on_span

    def tell(self, span: Span, ended: CallEnded, at: int) -> None:
        """Put it on the span, into an event, or both."""
        content = self._request | capture.of_answer(ended)
        if self._mode.on_span:
            sanitizer.describe(span, capture.as_json(content))
        if self._logger is not None:
            known = sanitizer.plain({**attributes.of_request(self._call), **attributes.of_answer(ended), **content})
            within = trace.set_span_in_context(span)
            record = LogRecord(timestamp=at, context=within, event_name=names.DETAILS_EVENT, attributes=known)
            self._logger.emit(record)


class CallSpan:
    """One call's span. Events are kept as they come, and told in one pass when the call is over.

    ``foreign``: the span is someone else's, who will end it. ``every``: attempts have spans even where there was one.
    """

    __slots__ = (
        "_content",
        "_ended",
        "_every",
        "_foreign",
        "_judged",
        "_offset",
        "_shadowed",
        "_span",
        "_started",
        "_tracer",
    )

    def __init__(
        self,
        tracer: Tracer,
        span: Span,
        *,
        foreign: bool = False,
        content: Content | None = None,
        every: bool = False,
    ) -> None:
        self._tracer = tracer
        self._every = every
        self._span = span
        self._foreign = foreign
        self._content = content
        self._offset: int | None = None
        self._started: list[AttemptStarted] = []
        self._ended: dict[int, AttemptEnded] = {}
        self._judged: list[RuleMatched] = []
        self._shadowed: list[ShadowDecision] = []

    def notify(self, event: Event) -> None:
        """Tells OpenTelemetry at the end only."""
        if self._offset is None:
            # The engine's clock has no date: its first reading fixes where its zero lies, in ns of the wall clock.
            self._offset = time_ns() - round(event.at * 1e9)
        match event:
            case AttemptStarted():
                self._started.append(event)
            case AttemptEnded():
                self._ended.setdefault(event.number, event)
            case RuleMatched():
                self._judged.append(event)
            case ShadowDecision():
                self._shadowed.append(event)
            case CallEnded():
                self._finish(event)

    def active(self) -> AbstractContextManager[object]:
        """Makes the span current, so that what an HTTP instrumentation starts hangs below it."""
        return _Active(self._span)

    def headers(self) -> Mapping[str, str]:
        """The trace context, as the app's propagators write it."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._span))
        return carrier

    def _finish(self, ended: CallEnded) -> None:
        end = self._wall(ended.at)
        try:
            if self._span.is_recording():
                self._tell(ended, end)
        finally:
            if not self._foreign:
                self._span.end(end)

    def _tell(self, ended: CallEnded, end: int) -> None:
        told = attributes.of_engine(ended)
        if not self._foreign:
            told |= attributes.of_answer(ended)
            if attributes.failed(ended):
                sanitizer.fail(self._span, self._why(ended.failure))
        sanitizer.describe(self._span, told)
        if len(self._started) > 1 or self._every:
            self._tell_attempts(end, {resume_point.attempt: resume_point.at for resume_point in ended.resume_points})
        if self._judged:
            self._tell_rules()
        for shadowed in self._shadowed:
            sanitizer.note(self._span, names.SHADOW_EVENT, _of_shadowed(shadowed), self._wall(shadowed.at))
        if self._content is not None:
            self._content.tell(self._span, ended, end)

    def _tell_rules(self) -> None:
        rules = {judged.violation.rule: judged.drift for judged in self._judged}
        drifts = tuple(rule.removeprefix("drift.") for rule, drift in rules.items() if drift)
        if drifts:
            sanitizer.describe(self._span, {names.DRIFT_TYPES: drifts})
        violated = tuple(rule for rule, drift in rules.items() if not drift)
        if violated:
            sanitizer.describe(self._span, {names.GUARDRAIL_VIOLATIONS: violated})
        for judged in self._judged:
            name = names.DRIFT_EVENT if judged.drift else names.VIOLATION_EVENT
            sanitizer.note(self._span, name, _of_judged(judged, in_full=self._in_full), self._wall(judged.at))

    def _tell_attempts(self, end: int, resume_points: Mapping[int, int]) -> None:
        within = trace.set_span_in_context(self._span)
        before: Failure | None = None
        for started in self._started:
            over = self._ended.get(started.number)
            if started.resume is not None:
                resume_point: attributes.Attributes = {
                    names.RESUME_STRATEGY: started.resume,
                    names.RESUME_AT: resume_points.get(started.number, 0),
                    names.ATTEMPT_NUMBER: started.number,
                }
                sanitizer.note(self._span, names.RESUME_EVENT, resume_point, self._wall(started.at))
            if started.hedge:
                sanitizer.note(
                    self._span, names.HEDGE_EVENT, {names.ATTEMPT_NUMBER: started.number}, self._wall(started.at)
                )
            elif before is not None:
                sanitizer.note(self._span, names.RETRY_EVENT, _retry(started, before), self._wall(started.at))
            self._attempt(started, over, within, end)
            before = over.failure if over is not None else None

    def _attempt(self, started: AttemptStarted, over: AttemptEnded | None, within: Context, end: int) -> None:
        name = f"{names.ATTEMPT_SPAN} {started.number}"
        told = _of_attempt(started, over)
        span = sanitizer.start_span(self._tracer, name, told, context=within, at=self._wall(started.at))
        if over is not None and over.failure is not None:
            sanitizer.fail(span, self._why(over.failure))
        span.end(self._wall(over.at) if over is not None else end)

    @property
    def _in_full(self) -> bool:
        """Whether the texts of others, which may quote keys, prompts and answers, may stand on spans."""
        return self._content is not None and self._content.on_span

    def _why(self, failure: Failure | None) -> str | None:
        """The description of a status."""
        if failure is None:
            return None
        return failure.told_in_full if self._in_full else str(failure)

    def _wall(self, at: float) -> int:
        return (self._offset or 0) + round(at * 1e9)


def _retry(started: AttemptStarted, before: Failure) -> attributes.Attributes:
    return {
        names.ATTEMPT_NUMBER: started.number,
        names.CAUSE: before.cause.value,
        names.WAITED: started.waited,
    }


def _of_shadowed(shadowed: ShadowDecision) -> attributes.Attributes:
    told: attributes.Attributes = {names.SHADOW_ACTION: shadowed.action}
    if shadowed.cause is not None:
        told[names.CAUSE] = shadowed.cause.value
    if shadowed.seconds is not None:
        told[names.WAITED] = shadowed.seconds
    return told


def _of_judged(judged: RuleMatched, *, in_full: bool) -> attributes.Attributes:
    found = judged.violation
    return {
        names.RULE: found.rule,
        names.RULE_SEVERITY: found.severity.value,
        names.RULE_ACTION: judged.action,
        names.RULE_MESSAGE: found.message if in_full else found.plain,
        names.VIOLATION_AT: found.at,
        names.DRIFT_CONFIDENCE: found.confidence,
    }


def _of_attempt(started: AttemptStarted, over: AttemptEnded | None) -> attributes.Attributes:
    told: attributes.Attributes = {names.ATTEMPT_NUMBER: started.number}
    if started.leg:
        told[names.ATTEMPT_LEG] = started.leg
    if started.hedge:
        told[names.ATTEMPT_HEDGE] = True
    if started.number > 1:
        told[names.HTTP_RESEND_COUNT] = started.number - 1
        told[names.WAITED] = started.waited
    if over is None:
        return told
    if over.lost:
        told[names.ATTEMPT_LOST] = True
    if over.status is not None:
        told[names.HTTP_STATUS] = over.status
    if over.request_id is not None:
        told[names.REQUEST_ID] = over.request_id
    if over.failure is not None:
        told[names.ATTEMPT_CAUSE] = over.failure.cause.value
        told[names.ERROR_TYPE] = attributes.error_type(over.failure)
    return told


class _Active:
    """Attaches a span, and detaches only what it attached.

    A generator may be closed by the garbage collector in another context, where the token means nothing: then there
    is nothing to undo, and nothing to complain about.
    """

    __slots__ = ("_attached", "_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._attached = trace.set_span_in_context(self._span)
        self._token = context.attach(self._attached)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        if context.get_current() is self._attached:
            context.detach(self._token)

"""Report a fan-out as one span with a child span per branch. A branch's calls are children of its span.

Branch spans hold bounded values only: numbers and outcomes, no content. Without a tracer these classes do nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Token
from types import TracebackType

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Tracer

from . import listeners, names, sanitizer
from .attributes import Attributes
from .spans import SpanObserver

_GLOBAL_TRACER = listeners.tracer(None)


class BranchSpan:
    """The span of one branch. Every method does nothing if there is no tracer."""

    __slots__ = ("_span",)

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def failed(self, error: BaseException) -> None:
        """Mark the branch as failed with ``error``."""
        self._end(names.BRANCH_FAILED)
        if self._span is not None:
            _set_error(self._span, error)

    def cancelled(self) -> None:
        """Mark the branch as cancelled because its answer was not needed."""
        self._end(names.BRANCH_CANCELLED)

    def answered(self) -> None:
        """Mark the branch as answered."""
        self._end(names.BRANCH_OK)

    def _end(self, outcome: str) -> None:
        if self._span is not None:
            sanitizer.set_attributes(self._span, {names.BRANCH_OUTCOME: outcome})


class FanOutSpan:
    """The parent span of all branches. ``kind``: the operation, such as race, parallel or consensus.

    ``observers``: L0's own observers of calls without an SDK. The span goes where the spans of these calls go; without
    observers, to the global provider.
    """

    __slots__ = ("_kind", "_observers", "_span", "_token", "_tracer")

    def __init__(self, kind: str, observers: Sequence[object] = ()) -> None:
        self._kind = kind
        self._observers = observers
        self._tracer: Tracer | None = None
        self._span: Span | None = None
        self._token: Token[Context] | None = None

    def __enter__(self) -> FanOutSpan:
        self._tracer = None if listeners.suppressed() else self._find_tracer()
        if self._tracer is not None:
            self._span = sanitizer.start_span(self._tracer, self._kind, {names.FAN_KIND: self._kind})
            self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._span is None or self._token is None:
            return
        context.detach(self._token)
        if isinstance(error, Exception):
            _set_error(self._span, error)
        self._span.end()

    def _find_tracer(self) -> Tracer | None:
        for observer in self._observers:
            if isinstance(observer, SpanObserver):
                return observer.tracer
        return _GLOBAL_TRACER()

    @contextmanager
    def branch(self, index: int) -> Iterator[BranchSpan]:
        """Make the branch's span the current one. Call this in a task that was started inside the fan-out's span."""
        if self._tracer is None:
            yield BranchSpan(None)
            return
        attributes: Attributes = {names.FAN_KIND: self._kind, names.BRANCH_INDEX: index}
        span = sanitizer.start_span(self._tracer, f"{self._kind} {names.BRANCH_SPAN}", attributes)
        token = context.attach(trace.set_span_in_context(span))
        try:
            yield BranchSpan(span)
        finally:
            context.detach(token)
            span.end()


def _set_error(span: Span, error: BaseException) -> None:
    kind = type(error).__qualname__
    sanitizer.set_attributes(span, {names.ERROR_TYPE: kind})
    sanitizer.set_error(span, kind)

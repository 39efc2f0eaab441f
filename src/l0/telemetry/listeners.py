"""Find the tracer and the meter to report to. Runs once per call, so results are cached by provider identity."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Generic, TypeVar

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import _internal as metrics_internal

from .calling_wrappers import span_of_caller
from .names import (
    DISTRIBUTION,
    INFERENCE_OPERATIONS,
    OPERATION,
    OUTER_CALLS,
    OUTER_KEPT,
    OUTER_KIND,
    OUTER_KINDS,
    OUTER_LANGFUSE,
    OUTER_LATE_METHODS,
    OUTER_LATE_SCOPE,
    OUTER_OBSERVATIONS,
    OUTER_UNMEASURED_SCOPES,
    REQUEST_MODEL,
    SCOPE,
    SUPPRESS_LANGUAGE_MODELS,
)

log = logging.getLogger(__name__)
_T = TypeVar("_T")
_UNRESOLVED = object()
_NO_ATTRIBUTES: Mapping[str, object] = {}
_OUTER_SPAN_KINDS = (trace.SpanKind.CLIENT, trace.SpanKind.INTERNAL)
_API = ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry._logs")


class Source(Generic[_T]):
    """A value that is made once per provider, such as a tracer; ``None`` while there is only the API's no-op.

    An application may set the global provider at any time, so each call compares it with the last one.
    ``explicit``: a provider to use in place of the global one.
    """

    __slots__ = ("_explicit", "_get", "_known", "_make", "_peek")

    def __init__(
        self,
        explicit: object | None,
        peek: Callable[[], object | None],
        get: Callable[[], object],
        make: Callable[[Any], _T | None],
    ) -> None:
        self._explicit = explicit
        self._peek = peek
        self._get = get
        self._make = make
        self._known: tuple[object | None, _T | None] = (_UNRESOLVED, None)

    def __call__(self) -> _T | None:
        provider = self._explicit or self._peek()
        seen, made = self._known
        if provider is seen:
            return made
        real = self._explicit or self._get()  # OpenTelemetry's getter may set the global provider, from the environment
        made = None if is_no_op(real) else self._make(real)
        self._known = (self._explicit or self._peek(), made)
        return made


def tracer(explicit: trace.TracerProvider | None) -> Source[trace.Tracer]:
    """Return the source of a tracer from ``explicit``, or from the global provider."""

    def make(provider: trace.TracerProvider) -> trace.Tracer | None:
        made = provider.get_tracer(SCOPE, own_version())
        return None if is_no_op(made) else made

    return Source(
        explicit, _peek(trace, "_TRACER_PROVIDER", trace.get_tracer_provider), trace.get_tracer_provider, make
    )


def meter(explicit: metrics.MeterProvider | None, make: Callable[[metrics.Meter], _T]) -> Source[_T]:
    """Return the source of ``make``'s result for the meter of ``explicit``, or of the global provider."""

    def from_provider(provider: metrics.MeterProvider) -> _T | None:
        made = provider.get_meter(SCOPE, own_version())
        return None if is_no_op(made) else make(made)

    peek = _peek(metrics_internal, "_METER_PROVIDER", metrics.get_meter_provider)
    return Source(explicit, peek, metrics.get_meter_provider, from_provider)


def suppressed() -> bool:
    """Return True if instrumentation is switched off in the current context."""
    return not is_instrumentation_enabled()


def outer_span() -> trace.Span | None:
    """Return another GenAI instrumentation's inference span of this call: the current one, or that of the SDK's caller.

    ``None`` if there is none; ``INVALID_SPAN`` if that instrumentation reports the call in a span that is not found.
    """
    current = context.get_current()
    span = trace.get_current_span(current)
    if _is_marked(current) or (span.is_recording() and (_is_without_metrics(span) or _is_conventional(span))):
        return span
    return span_of_caller() or (trace.INVALID_SPAN if current.get(SUPPRESS_LANGUAGE_MODELS) else None)


def measured_by_another() -> bool:
    """Return True if another GenAI instrumentation records the conventional metrics of this call."""
    current = context.get_current()
    if _is_marked(current) or current.get(SUPPRESS_LANGUAGE_MODELS):
        return True
    span = trace.get_current_span(current)
    if not span.is_recording() or _is_without_metrics(span):
        return False
    return _is_conventional(span) and _scope_of(span) not in OUTER_UNMEASURED_SCOPES


def _is_marked(current: Context) -> bool:
    """Return True if OpenTelemetry's GenAI utilities have marked the context: its call already has a span."""
    for key in OUTER_CALLS:  # noqa: SIM110 - runs once per call, and a generator costs three times as much
        if current.get(key) is not None:
            return True
    return False


def _is_without_metrics(span: trace.Span) -> bool:
    """Return True if a span is that of OpenInference or Langfuse for one request to a model. They record no metrics."""
    attributes = getattr(span, "attributes", None) or _NO_ATTRIBUTES
    kept_to_the_end: Mapping[str, object] = getattr(span, OUTER_KEPT, _NO_ATTRIBUTES)
    kind = attributes.get(OUTER_KIND) or kept_to_the_end.get(OUTER_KIND)
    if kind in OUTER_KINDS or attributes.get(OUTER_LANGFUSE) in OUTER_OBSERVATIONS:
        return True
    late = _scope_of(span) == OUTER_LATE_SCOPE
    return late and str(getattr(span, "name", "")).rpartition(".")[2] in OUTER_LATE_METHODS


def _is_conventional(span: trace.Span) -> bool:
    """Return True if a span describes one request to a model by the GenAI conventions.

    Some instrumentations set the operation only at the end of the call, but name the requested model at its start.
    """
    if getattr(span, "kind", None) not in _OUTER_SPAN_KINDS or _scope_of(span) in (SCOPE, OUTER_LATE_SCOPE):
        return False
    attributes = getattr(span, "attributes", None) or _NO_ATTRIBUTES
    operation = attributes.get(OPERATION)
    return operation in INFERENCE_OPERATIONS if operation is not None else REQUEST_MODEL in attributes


def _scope_of(span: trace.Span) -> object:
    return getattr(getattr(span, "instrumentation_scope", None), "name", None)


def is_all(switch: str, environ: Mapping[str, str]) -> bool:
    """Return True if an environment variable is ``all``. `policy_from_environment` reports any other value."""
    return environ.get(switch, "").strip().lower() == "all"


def is_no_op(thing: object) -> bool:
    """Return True if a provider, tracer or meter is one of the API's own, proxies included, which export nothing."""
    return type(thing).__module__.startswith(_API)


@cache
def own_version() -> str | None:
    """Return the version of the instrumentation scope; ``None`` if the distribution is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return None


def _peek(module: ModuleType, name: str, get: Callable[[], object]) -> Callable[[], object | None]:
    # While no provider is set, the public getter costs 1 us (it searches the environment); the variable costs 30 ns.
    return partial(getattr, module, name) if hasattr(module, name) else get

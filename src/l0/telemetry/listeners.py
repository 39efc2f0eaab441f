"""Does anyone listen? Asked once a call, so the answer is cached by the provider's identity; one may be set later."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Generic, TypeVar

from opentelemetry import context, metrics, trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import _internal as metrics_internal

from .names import DISTRIBUTION, OUTER_CALLS, OUTER_KIND, OUTER_KINDS, SCOPE

log = logging.getLogger(__name__)
_T = TypeVar("_T")
_NEVER = object()
_NOTHING: Mapping[str, object] = {}
_API = ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry._logs")


class Source(Generic[_T]):
    """Makes what is needed of a provider once per provider. ``None`` while there is none but the API's own.

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
        self._known: tuple[object | None, _T | None] = (_NEVER, None)

    def __call__(self) -> _T | None:
        provider = self._explicit or self._peek()
        seen, made = self._known
        if provider is seen:
            return made
        real = self._explicit or self._get()  # may itself set the global one, from the environment
        made = None if is_apis_own(real) else self._make(real)
        self._known = (self._explicit or self._peek(), made)
        return made


def tracer(explicit: trace.TracerProvider | None) -> Source[trace.Tracer]:
    """The tracer of ``explicit``, or of the global provider."""

    def make(provider: trace.TracerProvider) -> trace.Tracer | None:
        made = provider.get_tracer(SCOPE, own_version())
        return None if is_apis_own(made) else made

    return Source(
        explicit, _peek(trace, "_TRACER_PROVIDER", trace.get_tracer_provider), trace.get_tracer_provider, make
    )


def meter(explicit: metrics.MeterProvider | None, make: Callable[[metrics.Meter], _T]) -> Source[_T]:
    """What ``make`` makes of the meter of ``explicit``, or of the global provider's."""

    def from_provider(provider: metrics.MeterProvider) -> _T | None:
        made = provider.get_meter(SCOPE, own_version())
        return None if is_apis_own(made) else make(made)

    peek = _peek(metrics_internal, "_METER_PROVIDER", metrics.get_meter_provider)
    return Source(explicit, peek, metrics.get_meter_provider, from_provider)


def suppressed() -> bool:
    """Whether instrumentation is switched off in the current context."""
    return not is_instrumentation_enabled()


def inside_another() -> bool:
    """Whether another GenAI instrumentation has made the inference span of this call already."""
    current = context.get_current()
    for key in OUTER_CALLS:
        if current.get(key) is not None:
            return True
    span = trace.get_current_span(current)
    return span.is_recording() and getattr(span, "attributes", _NOTHING).get(OUTER_KIND) in OUTER_KINDS


def all_of(switch: str) -> bool:
    """Whether an environment variable says ``all``; another value than that does not, with a warning."""
    asked = os.environ.get(switch, "").strip().lower()
    if asked not in ("", "all"):
        log.warning("%s: got %r, allowed: all; it is passed over", switch, asked)
    return asked == "all"


def is_apis_own(thing: object) -> bool:
    """Whether a provider, tracer or meter is one of the API's: a proxy or a no-op, behind which nobody listens."""
    return type(thing).__module__.startswith(_API)


@cache
def own_version() -> str | None:
    """The version that the instrumentation scope carries; ``None`` for a tree that was never installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return None


def _peek(module: ModuleType, name: str, get: Callable[[], object]) -> Callable[[], object | None]:
    # While none is set the public getter costs a microsecond (it searches the environment), the variable 30 ns.
    return (lambda: getattr(module, name)) if hasattr(module, name) else get

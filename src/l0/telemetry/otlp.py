"""Set-up by one argument: providers that export by OTLP over HTTP, where the app has none of its own.

The only module that needs opentelemetry-sdk, and only once `setup` is called.
"""

# Imports stand inside the functions: whoever never calls `setup` needs no SDK.
from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Protocol

from opentelemetry import _logs, metrics, trace

from l0.model.errors import raised
from l0.model.policy import PolicyError
from l0.model.privacy import without_credentials

from . import names
from .capture import content_mode
from .listeners import is_apis_own

log = logging.getLogger(__name__)
Shutdown = Callable[[], None]

GRACE = 2.0
"""Seconds that the last flush may hold a program, whatever the collector does. With all else of l0's: 3 s."""

_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    # Older exporters raise instead, and the SDK logs the traceback.
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.sdk._shared_internal",
)


class _Closable(Protocol):
    def shutdown(self) -> Any: ...


def setup(endpoint: str | bool) -> Shutdown:
    """Make and register the providers that are missing; the app's own are kept.

    ``endpoint``: base URL of a collector (``"http://localhost:4318"``), or ``True`` for what OpenTelemetry's own
    environment variables say. The resource is detected as they say, too (``OTEL_SERVICE_NAME`` and the others).

    Returns what flushes and ends the export; it also runs by itself when the program ends. OpenTelemetry registers a
    provider once a process, so after it there is no second set-up.

    Raises `PolicyError` for an endpoint that is no URL, `ImportError` without opentelemetry-sdk.
    """
    base = _checked(endpoint)
    export = _Export(base or "the configured endpoint")
    if endpoint is not False:
        try:
            _register(base, export)
        except ImportError as error:
            raise ImportError("OTLP export needs opentelemetry-sdk: pip install 'l0-otel[otlp]'") from error
    if export.providers:
        export.begin()
    return export.end


def _checked(endpoint: str | bool) -> str | None:
    if isinstance(endpoint, bool):
        return None
    if not isinstance(endpoint, str) or not endpoint.startswith(("http://", "https://")):
        allowed = "the URL of an OTLP/HTTP collector such as 'http://localhost:4318', True, or False"
        raise PolicyError("otlp", endpoint, allowed)
    return endpoint.rstrip("/")


def _register(base: str | None, export: _Export) -> None:
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create()
    if is_apis_own(trace.get_tracer_provider()):
        _register_traces(base, resource, export)
    if is_apis_own(metrics.get_meter_provider()):
        _register_metrics(base, resource, export)
    if content_mode(os.environ.get(names.CONTENT_SWITCH)).on_event and is_apis_own(_logs.get_logger_provider()):
        _register_events(base, resource, export)


def _register_traces(base: str | None, resource: Any, export: _Export) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(_url(base, "traces"))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    export.add(provider, exporter)


def _register_metrics(base: str | None, resource: Any, export: _Export) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(_url(base, "metrics"))
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    export.add(provider, exporter)


def _register_events(base: str | None, resource: Any, export: _Export) -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter = OTLPLogExporter(_url(base, "logs"))
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    _logs.set_logger_provider(provider)
    export.add(provider, exporter)


def _url(base: str | None, signal: str) -> str | None:
    return None if base is None else f"{base}/v1/{signal}"


class _Once(logging.Filter):
    """Exporters warn at every try. One warning says it all."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = without_credentials(target)
        self._said = False

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        from_sdk = record.name.startswith("opentelemetry.sdk.")  # which warns of other things as well
        if record.levelno < logging.WARNING or (from_sdk and error is None):
            return True
        self.say(str(error or record.getMessage()))
        return False

    def say(self, reason: str) -> None:
        """Warn, the first time."""
        if not self._said:
            self._said = True
            reason = without_credentials(reason)
            log.warning("OTLP export to %s fails (%s). The program goes on; this is said once.", self._target, reason)


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Export:
    """The providers that are ours, and how they end: flushed, but nobody waits for longer than `GRACE`.

    A request that hangs cannot be interrupted, so it is a daemon thread that flushes.
    """

    target: str
    providers: list[_Closable] = field(default_factory=list)
    exporters: list[_Closable] = field(default_factory=list)
    ending: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)
    once: _Once = field(init=False)
    waits: bool = False
    """A thread is there to flush."""

    def __post_init__(self) -> None:
        self.once = _Once(self.target)

    def add(self, provider: _Closable, exporter: _Closable) -> None:
        self.providers.append(provider)
        self.exporters.append(exporter)

    def begin(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self.once)
        self.wait()
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.again)

    def wait(self) -> None:
        """Have a thread wait for the end: a program that is ending cannot start one any more."""
        self.waits = False
        try:
            Thread(target=self._flush, args=(self.ending, self.ended), name="l0-otlp-end", daemon=True).start()
        except RuntimeError:  # the limit of threads
            return
        self.waits = True

    def again(self) -> None:
        """In a forked child, which has no thread of the parent's, and whose events may have been locked."""
        over = self.ending.is_set()
        self.ending, self.ended = Event(), Event()
        if over:
            self.ending.set()
        else:
            self.wait()

    def end(self) -> None:
        if self.ending.is_set():
            return
        atexit.unregister(self.end)
        self.ending.set()
        if self.waits and not self.ended.wait(GRACE):
            self.once.say(f"no answer within {GRACE:g} s of the end; what was left is lost")
        if not self.ended.is_set():
            for exporter in self.exporters:
                _quietly(exporter.shutdown)  # wakes an export that is waiting for its next try

    def _flush(self, ending: Event, ended: Event) -> None:
        ending.wait()
        for provider in self.providers:
            _quietly(provider.shutdown)
        ended.set()


def _quietly(end: Callable[[], Any]) -> None:
    try:
        end()
    except Exception:
        log.debug("an exporter did not end cleanly: %s", raised())

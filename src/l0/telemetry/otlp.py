"""Set up OTLP/HTTP export for applications that set no OpenTelemetry providers.

Only this module needs opentelemetry-sdk, and only when `setup` is called.
"""

# Functions import the SDK, so that applications that never call `setup` do not need it.
from __future__ import annotations

import atexit
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic, sleep
from typing import Any, Protocol

from opentelemetry import _logs, metrics, trace

from l0.model.caller_warning import warn_caller
from l0.model.errors import raised
from l0.model.privacy import without_credentials
from l0.shared_state.auto_reset_event import AutoResetEvent
from l0.shared_state.signal_safe_event import SignalSafeEvent
from l0.shared_state.termination import SigtermFlush, at_end_of_worker

from . import names
from .capture import content_mode
from .listeners import is_no_op
from .otlp_request import EXPORTERS, check_endpoint

log = logging.getLogger(__name__)
Shutdown = Callable[[], None]

_POLL = 0.01
"""Seconds between two checks whether the last flush has ended."""
GRACE = 1.5
"""Maximum time in s for which the last flush delays the end of the program. L0 as a whole delays it by at most 2.5 s:
ends of abandoned calls (`runtime.finalizers`) and SLO windows (`shared_state.slo_storage`) have 0.5 s each."""

_OWN_ENDPOINT = "_l0_endpoint"
"""Attribute of the providers that L0 has registered: the base URL, or ``None`` for that of the environment."""
_NO_ENDPOINT = object()
_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    # Older exporters raise instead of logging, and the SDK logs their tracebacks.
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.sdk._shared_internal",
)
"""Loggers of failed exports, whose warnings `_WarnOnce` replaces."""


class _Closable(Protocol):
    def shutdown(self) -> Any: ...


class _Provider(_Closable, Protocol):
    def force_flush(self) -> Any: ...


def setup(endpoint: str | bool) -> Shutdown:
    """Create and register the missing providers. Keep the application's own.

    ``endpoint``: base URL of a collector (``"http://localhost:4318"``), or ``True`` to use OpenTelemetry's environment
    variables, which also set the resource (``OTEL_SERVICE_NAME`` and others).

    Return a function that flushes and ends the export. It also runs when the program ends. OpenTelemetry registers a
    provider only once per process, so the export cannot be set up again after that.

    Raises:
        PolicyError: the endpoint is not a URL.
        ImportError: opentelemetry-sdk is not installed.
    """
    base = check_endpoint(endpoint)
    export = _Export(base or "the configured endpoint")
    if endpoint is not False:
        try:
            _register(base, export)
        except ImportError as error:
            raise ImportError("OTLP export needs opentelemetry-sdk: pip install 'l0-otel[otlp]'") from error
    if export.providers:
        export.start()
    elif endpoint is not False:
        _warn_if_kept(base)
    return export.end


def setup_for_launcher() -> None:
    """Set up OTLP/HTTP export in a program for which `launcher_requests_export` is true.

    ``opentelemetry-instrument`` needs a distro's configurator to set up export; ``l0 run`` leaves it to this function.
    Providers that are set are kept. Raises nothing: the program must start.
    """
    try:
        if is_no_op(trace.get_tracer_provider()) or is_no_op(metrics.get_meter_provider()):
            setup(True)
    except ImportError:
        log.warning("the environment asks for OTLP export, which needs an extra: pip install 'l0-otel[otlp]'")
    except Exception:
        log.warning("the environment asks for OTLP export, which cannot be set up: %s", raised())


def _is_wanted(signal: str) -> bool:
    """Return False if the environment names only non-OTLP exporters for this signal, such as ``none``."""
    chosen = os.environ.get(EXPORTERS[signal], "").strip()
    return not chosen or "otlp" in chosen


def _warn_if_kept(base: str | None) -> None:
    """Warn if providers other than L0's for this endpoint are already registered."""
    if base is None and not all(_is_wanted(signal) for signal in ("traces", "metrics")):
        return  # the environment switches a signal off
    kept = [trace.get_tracer_provider(), metrics.get_meter_provider()]
    if all(getattr(provider, _OWN_ENDPOINT, _NO_ENDPOINT) == base for provider in kept):
        return
    names_of_kept = " and ".join(type(provider).__qualname__ for provider in kept)
    warn_caller(f"otlp={base or True!r} has no effect: L0 keeps the {names_of_kept} that this process already has")


def _register(base: str | None, export: _Export) -> None:
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create()
    if is_no_op(trace.get_tracer_provider()) and (base or _is_wanted("traces")):
        _register_traces(base, resource, export)
    if is_no_op(metrics.get_meter_provider()) and (base or _is_wanted("metrics")):
        _register_metrics(base, resource, export)
    if content_mode(os.environ.get(names.CONTENT_SWITCH)).on_event and is_no_op(_logs.get_logger_provider()):
        _register_events(base, resource, export)


def _register_traces(base: str | None, resource: Any, export: _Export) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(_url(base, "traces"))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)

    class _Processor(BatchSpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            if not export.has_worker_hook:
                export.end_with_worker_process()
            super().on_start(span, parent_context)

        def on_end(self, span: Any) -> None:
            super().on_end(span)
            export.sigterm.collected()

    provider.add_span_processor(_Processor(exporter))
    setattr(provider, _OWN_ENDPOINT, base)
    trace.set_tracer_provider(provider)
    export.add(provider, exporter)


def _register_metrics(base: str | None, resource: Any, export: _Export) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(_url(base, "metrics"))
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource, shutdown_on_exit=False)
    setattr(provider, _OWN_ENDPOINT, base)
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


class _WarnOnce(logging.Filter):
    """A log filter that replaces the exporters' warnings, one per failed export, by a single one."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = without_credentials(target)
        self._warned = False

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        from_sdk = record.name.startswith("opentelemetry.sdk.")  # the SDK's loggers also warn of other things
        if record.levelno < logging.WARNING or (from_sdk and error is None):
            return True
        self.warn(str(error or record.getMessage()))
        return False

    def warn(self, reason: str) -> None:
        """Warn on the first call only."""
        if not self._warned:
            self._warned = True
            reason = without_credentials(reason)
            log.warning(
                "OTLP export to %s fails (%s). The program continues; this is logged once.", self._target, reason
            )


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Export:
    """The providers that L0 registered. Ending flushes them and waits at most `GRACE`.

    A daemon thread flushes, because a request that hangs cannot be interrupted. It waits for `wake`.
    """

    target: str
    providers: list[_Provider] = field(default_factory=list)
    exporters: list[_Closable] = field(default_factory=list)
    ending: SignalSafeEvent = field(default_factory=SignalSafeEvent)
    ended: SignalSafeEvent = field(default_factory=SignalSafeEvent)
    wake: AutoResetEvent = field(default_factory=AutoResetEvent)
    flush_waiters: deque[SignalSafeEvent] = field(default_factory=deque)
    sigterm: SigtermFlush = field(init=False)
    warn_once: _WarnOnce = field(init=False)
    has_flush_thread: bool = False
    """True if there is a thread that flushes."""
    give_up_at: float = 0.0
    """The end of `GRACE`, in seconds of the monotonic clock, once ending has begun."""
    has_worker_hook: bool = False
    """True once `end` is registered to run at the end of this worker process."""

    def __post_init__(self) -> None:
        self.warn_once = _WarnOnce(self.target)
        self.sigterm = SigtermFlush(self.flush, self.end)

    def add(self, provider: _Provider, exporter: _Closable) -> None:
        self.providers.append(provider)
        self.exporters.append(exporter)

    def start(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self.warn_once)
        self.start_flush_thread()
        atexit.register(self.end)
        self.sigterm.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew_in_child)

    def start_flush_thread(self) -> None:
        """Start the thread that flushes at the end. Python cannot start threads once the interpreter shuts down."""
        self.has_flush_thread = False
        try:
            Thread(target=self._run, args=(self.wake, self.ending, self.ended), name="l0-otlp-end", daemon=True).start()
        except RuntimeError:  # the limit of threads is reached: `end` then does not wait
            return
        self.has_flush_thread = True

    def end_with_worker_process(self) -> None:
        """Run `end` when a worker of multiprocessing exits, which skips `atexit`, or gets SIGTERM.

        A server's worker may have replaced the signal handlers of its parent.
        """
        self.has_worker_hook = True
        at_end_of_worker(self.end)
        self.sigterm.install()

    def renew_in_child(self) -> None:
        """Start over in a forked child. It has no threads, and the locks of the parent's events may be held forever."""
        self.has_worker_hook = False
        was_ending = self.ending.is_set()
        self.ending, self.ended, self.wake = SignalSafeEvent(), SignalSafeEvent(), AutoResetEvent()
        self.flush_waiters.clear()
        self.sigterm.renew()
        if was_ending:
            self.ending.set()
        else:
            self.start_flush_thread()

    def end(self) -> None:
        if self.ending.is_set():
            self._wait_for_flush()
            return
        atexit.unregister(self.end)
        self.give_up_at = monotonic() + GRACE
        self.ending.set()
        self.wake.set()
        if self.has_flush_thread and not self.ended.wait(GRACE):
            self.warn_once.warn(f"no response within {GRACE:g} s at program end; unsent data is lost")
        if not self.ended.is_set():
            for exporter in self.exporters:
                _call_quietly(exporter.shutdown)  # wakes an export that waits for its next retry
        self.sigterm.remove()  # only now: the pool of a worker that is ending may send SIGTERM

    def flush(self, seconds: float) -> None:
        """Export what has been collected. Wait at most ``seconds``."""
        if self.has_flush_thread and not self.ending.is_set():
            done = SignalSafeEvent()
            self.flush_waiters.append(done)
            self.wake.set()
            done.wait(seconds)

    def _wait_for_flush(self) -> None:
        """Wait for the flush that has begun: a worker that is already ending may get SIGTERM, which would kill it.

        The signal may have interrupted this thread in any wait, so this must not wait for a lock.
        """
        while self.has_flush_thread and not self.ended.is_set() and monotonic() < self.give_up_at:
            sleep(_POLL)

    def _run(self, wake: AutoResetEvent, ending: SignalSafeEvent, ended: SignalSafeEvent) -> None:
        while not ending.is_set():
            wake.wait()
            waiters = [self.flush_waiters.popleft() for _ in range(len(self.flush_waiters))]
            for provider in self.providers if waiters else ():
                _call_quietly(provider.force_flush)
            for done in waiters:
                done.set()
        for provider in self.providers:
            _call_quietly(provider.shutdown)
        ended.set()


def _call_quietly(end: Callable[[], Any]) -> None:
    try:
        end()
    except Exception:
        log.debug("an exporter or provider did not shut down cleanly: %s", raised())

"""Define the variants: the bare SDK, l0, or a peer. Each one is enabled in its own process."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from time import process_time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .callers import Caller, L0PythonCaller, LiteLLMCaller, SdkCaller, StreamCaller
from .peers import PEERS

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

BARE = "bare"
FULL = "l0"
SILENT = "l0-silent"
GUARDED = "l0-guarded"
TRANSPORT = "l0-transport"
OWN: dict[str, str] = {
    BARE: "bare SDK",
    FULL: "L0",
    SILENT: "no OpenTelemetry SDK",
    GUARDED: "recommended guardrails",
    TRANSPORT: "no direct reading",
}
"""Variants that run in this environment, by name, with their titles."""
TITLES = OWN | {peer.name: peer.title for peer in PEERS.values()}


def switch_on(name: str) -> float:
    """Set up this process for one variant. Return the CPU time of the call that enables it, in milliseconds.

    Setting up OpenTelemetry does not count. Raises `KeyError` for an unknown name.
    """
    if name == BARE:
        return 0.0
    switch = _switch_of(name)
    began = process_time()
    switch()
    return (process_time() - began) * 1e3


def _switch_of(name: str) -> Callable[[], object]:
    """Import a variant, and return the function that switches it on."""
    if name == "logfire":
        return _switch_logfire
    if name != SILENT:
        _set_up_telemetry()
    if name in OWN:
        import l0

        policy = l0.Policy(guardrails="recommended") if name == GUARDED else None
        direct = False if name == TRANSPORT else None
        # The first look-up of `l0.instrument` imports what it needs, so it is part of the cost.
        return lambda: l0.instrument(policy, direct=direct)
    modules = [importlib.import_module(module) for module in PEERS[name].modules]
    return partial(_instrument, modules)


def _instrument(modules: Sequence[ModuleType]) -> None:
    for module in modules:
        for kind in ("OpenAIInstrumentor", "AnthropicInstrumentor"):
            if hasattr(module, kind):
                getattr(module, kind)().instrument()


def _switch_logfire() -> None:
    """Enable Logfire. It makes its own tracer and meter providers, which get the exporters of the other variants."""
    logfire: Any = importlib.import_module("logfire")
    spans, metrics = _exporters()
    logfire.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[spans],
        metrics=logfire.MetricsOptions(additional_readers=[metrics]),
    )
    logfire.instrument_openai()
    logfire.instrument_anthropic()


def caller(name: str, origin: str) -> Caller:
    """Return the caller of one variant, which must be enabled before it is used."""
    kinds: dict[str, Callable[[str], Caller]] = {
        TRANSPORT: StreamCaller,
        "litellm": LiteLLMCaller,
        "l0-python": L0PythonCaller,
    }
    return kinds.get(name, SdkCaller)(origin)


def _set_up_telemetry() -> None:
    """Set up tracer and meter providers as an application does."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    spans, reader = _exporters()
    traces = TracerProvider()
    traces.add_span_processor(spans)
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))


def _exporters() -> tuple[SpanProcessor, MetricReader]:
    """Return a span processor and a metric reader as in an application, whose exporters discard everything."""
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Spans(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
            return SpanExportResult.SUCCESS

    class Metrics(MetricExporter):
        def export(self, metrics_data: Any, timeout_millis: float = 0, **_: Any) -> MetricExportResult:  # noqa: ARG002
            return MetricExportResult.SUCCESS

        def force_flush(self, timeout_millis: float = 0) -> bool:  # noqa: ARG002
            return True

        def shutdown(self, timeout_millis: float = 0, **_: Any) -> None: ...

    return BatchSpanProcessor(Spans()), PeriodicExportingMetricReader(Metrics())

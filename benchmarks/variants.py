"""Define the variants: the bare SDK, l0, or a peer. Each one is enabled in its own process."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .callers import Caller, L0PythonCaller, LiteLLMCaller, SdkCaller, StreamCaller
from .peers import PEERS

BARE = "bare"
FULL = "l0"
SILENT = "l0-silent"
GUARDED = "l0-guarded"
DIRECT = "l0-direct"
OWN: dict[str, str] = {
    BARE: "bare SDK",
    SILENT: "l0, no OpenTelemetry SDK",
    FULL: "l0, everything on",
    GUARDED: "l0, everything on, recommended guardrails",
    DIRECT: "l0, everything on, direct",
}
"""Variants that run in this environment, by name, with their titles."""


def switch_on(name: str) -> None:
    """Set up this process for one variant. Raises `KeyError` for an unknown name."""
    if name == BARE:
        return
    if name != SILENT:
        _listen()
    if name in OWN:
        import l0

        l0.instrument(l0.Policy(guardrails="recommended") if name == GUARDED else None, direct=name == DIRECT)
        return
    for module in PEERS[name].modules:
        found = importlib.import_module(module)
        for kind in ("OpenAIInstrumentor", "AnthropicInstrumentor"):
            if hasattr(found, kind):
                getattr(found, kind)().instrument()


def caller(name: str, origin: str) -> Caller:
    """The functions that make calls in one variant, once it is enabled."""
    kinds: dict[str, Callable[[str], Caller]] = {
        DIRECT: StreamCaller,
        "litellm": LiteLLMCaller,
        "l0-python": L0PythonCaller,
    }
    return kinds.get(name, SdkCaller)(origin)


def _listen() -> None:
    """Tracer and meter providers as an application sets them up, with exporters that discard what they get."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
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

    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(Spans()))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider(metric_readers=[PeriodicExportingMetricReader(Metrics())]))

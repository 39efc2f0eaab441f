"""What stands between the user and the SDK: nothing, l0, or a peer. Each is switched on in a process of its own."""

from __future__ import annotations

from typing import Any

from .callers import Caller, L0PythonCaller, LiteLLMCaller, SdkCaller

BARE = "bare"
FULL = "l0"
SILENT = "l0-silent"
OWN: dict[str, str] = {
    BARE: "bare SDK",
    SILENT: "l0, no OpenTelemetry SDK",
    FULL: "l0, everything on",
}
"""Variants that run in this environment, by name, with their titles."""


def switch_on(name: str, origin: str) -> Caller:
    """Set up this process for one variant; how calls are made then. Raises `KeyError` for an unknown name."""
    if name == BARE:
        return SdkCaller(origin)
    if name != SILENT:
        _listen()
    if name in (FULL, SILENT):
        import l0

        l0.instrument()
        return SdkCaller(origin)
    if name == "litellm":
        return LiteLLMCaller(origin)
    if name == "l0-python":
        return L0PythonCaller(origin)
    _INSTRUMENT[name]()
    return SdkCaller(origin)


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


def _otel_genai() -> None:
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()


def _openllmetry() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()


def _openinference() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()


_INSTRUMENT = {"otel-genai": _otel_genai, "openllmetry": _openllmetry, "openinference": _openinference}

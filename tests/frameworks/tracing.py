"""The spans and metrics of one process."""

import json
from functools import cached_property
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

NOWHERE = "http://127.0.0.1:9"
"""An address to which nothing is sent."""
_OPERATIONS = ("chat", "text_completion", "embeddings", "generate_content")
_TOKENS = "gen_ai.client.token.usage"


class Tracing:
    """The exporters of one process. A tracer that sets up its own global providers sets ``set_up``."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self.exporter)
        self.reader = InMemoryMetricReader()
        self.set_up = False

    @cached_property
    def provider(self) -> TracerProvider:
        made = TracerProvider()
        made.add_span_processor(self.processor)
        return made

    @cached_property
    def meter_provider(self) -> MeterProvider:
        return MeterProvider(metric_readers=[self.reader])

    def begin(self) -> None:
        """Make the providers global, unless a tracer has done so."""
        if not self.set_up:
            trace.set_tracer_provider(self.provider)
            metrics.set_meter_provider(self.meter_provider)

    def inference(self) -> list[ReadableSpan]:
        """Return the spans that describe themselves as one request to a model."""
        return [span for span in self.exporter.get_finished_spans() if _is_inference(dict(span.attributes or {}))]

    def output_tokens_on_spans(self) -> set[float]:
        """Return the output tokens that inference spans state."""
        found = (_output_tokens(dict(span.attributes or {})) for span in self.inference())
        return {tokens for tokens in found if tokens is not None}

    def output_tokens(self) -> float:
        """Return the output tokens that the conventional metric has counted since the last call of this."""
        data: Any = self.reader.get_metrics_data()
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        points = [point for metric in found if metric.name == _TOKENS for point in metric.data.data_points]
        total = sum(one.sum for one in points if one.attributes.get("gen_ai.token.type") in ("output", "completion"))
        before, self._before = getattr(self, "_before", 0.0), total
        return float(total - before)


def _output_tokens(attributes: dict[str, Any]) -> float | None:
    for name in ("gen_ai.usage.output_tokens", "llm.token_count.completion"):
        if name in attributes:
            return float(attributes[name])
    usage = json.loads(attributes.get("langfuse.observation.usage_details") or "{}")
    return next(
        (float(usage[name]) for name in ("output", "output_tokens", "completion_tokens") if name in usage), None
    )


def _is_inference(attributes: dict[str, Any]) -> bool:
    if attributes.get("openinference.span.kind") in ("LLM", "EMBEDDING"):
        return True
    if attributes.get("langfuse.observation.type") in ("generation", "embedding"):
        return True
    operation = attributes.get("gen_ai.operation.name")
    return operation in _OPERATIONS or (operation is None and "gen_ai.request.model" in attributes)

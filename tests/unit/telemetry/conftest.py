"""A call, its events, and the real SDK's in-memory ends. Providers are passed explicitly: no test sets a global one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from makers import make_call, make_end
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent, ResponseMetadata, StreamStats
from l0.model.failure import Cause, Failure

_LOG_EXPORTER = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter  # its name until 1.39


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call() -> Call:
    return make_call(
        attributes={
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.stop_sequences": ("a", "b"),
        },
    )


@pytest.fixture
def stats() -> StreamStats:
    return StreamStats(
        chunks=11,
        first_chunk=0.5,
        last_chunk=2.5,
        first_content=0.3,
        duration=2.5,
        stalls=1,
        stalls_of_last=1,
        gap_max=0.4,
        gap_p50=0.1,
        gap_p95=0.2,
        gap_p99=0.35,
        jitter=0.01,
        smoothness=90.0,
        wire_bytes=1000,
        held_s=0.1,
    )


@pytest.fixture
def metadata() -> ResponseMetadata:
    return ResponseMetadata(
        response_id="chatcmpl-1",
        model="gpt-4o-2026",
        finish_reasons=("stop",),
        input_tokens=100,
        output_tokens=41,
        cache_read_tokens=60,
        reasoning_tokens=0,
        anomalies=("done_without_reason",),
    )


@pytest.fixture
def ended(metadata: ResponseMetadata, stats: StreamStats) -> CallEnded:
    """A call that went well at once, 2.5 s long by the engine's clock, which reads 100 at its first request."""
    return make_end(metadata=metadata, stream_stats=stats, text="hello", at=102.5)


@pytest.fixture
def overloaded() -> Failure:
    return Failure(cause=Cause.OVERLOADED, message="busy", status=529, code="overloaded_error")


@pytest.fixture
def smooth(ended: CallEnded) -> list[CallEvent]:
    return [
        AttemptStarted(attempt=AttemptSpec(number=1), at=100.0),
        AttemptEnded(number=1, failure=None, status=200, request_id="req_1", at=102.5),
        ended,
    ]


@pytest.fixture
def retried(ended: CallEnded, overloaded: Failure) -> list[CallEvent]:
    return [
        AttemptStarted(attempt=AttemptSpec(number=1), at=100.0),
        AttemptEnded(number=1, failure=overloaded, status=529, request_id="req_1", at=100.2),
        AttemptStarted(attempt=AttemptSpec(number=2, waited_s=0.3), at=100.5),
        AttemptEnded(number=2, failure=None, status=200, request_id="req_2", at=102.5),
        replace(ended, outcome=Outcome.RECOVERED_RETRY, failures=(overloaded,), attempts=2),
    ]


@pytest.fixture
def play(call: Call) -> Callable[..., Any]:
    def run(observer: Any, events: list[CallEvent], of: Call = call) -> Any:
        watcher = observer.observe(of)
        assert watcher is not None
        for event in events:
            watcher.notify(event)
        return watcher

    return run


@dataclass
class Traces:
    """A provider and an exporter that collect spans and log events."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    log_exporter: Any = field(default_factory=_LOG_EXPORTER)
    provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))
    logs: LoggerProvider = field(default_factory=lambda: LoggerProvider(shutdown_on_exit=False))

    def __post_init__(self) -> None:
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(self.log_exporter))

    @property
    def spans(self) -> dict[str, Any]:
        finished = self.exporter.get_finished_spans()
        assert len({span.name for span in finished}) == len(finished)
        return {span.name: span for span in finished}

    @property
    def events(self) -> list[Any]:
        return [data.log_record for data in self.log_exporter.get_finished_logs()]


class Metrics:
    """A provider and a reader that collect metrics."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def collect(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[tuple[dict[str, Any], float, int]]:
        """Attributes beyond those that every metric carries, sum, count (1 for counters)."""
        common = {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"}
        common |= {"server.address", "server.port"} if name.startswith("gen_ai.") else set()
        found = []
        for point in self.collect()[name].data.data_points:
            assert common <= set(point.attributes)
            rest = {key: value for key, value in point.attributes.items() if key not in common}
            value = point.sum if hasattr(point, "sum") else point.value
            found.append((rest, value, getattr(point, "count", 1)))
        return found


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()

"""Helpers that OpenTelemetry's suites share and do not publish, under the names that the suites use.

Fixtures (providers that keep what they are given, recorded answers, a report on one scenario) and functions.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from retelling import WITHOUT_OWN_METRICS, Retelling

OPERATION = "gen_ai.operation.name"


@contextmanager
def instrument(
    instrumentor: Any,
    *,
    content_capture: str | None = None,
    extra_env: dict[str, str] | None = None,
    emit_event: bool | None = None,
    **options: Any,
) -> Iterator[Any]:
    """An instrumentor that is on for a while. ``emit_event`` follows from ``content_capture`` with theirs as well."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (extra_env or {}).items():
            patched.setenv(name, value)
        if content_capture:
            patched.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content_capture)
        instrumentor.instrument(**options)
        try:
            yield instrumentor
        finally:
            instrumentor.uninstrument()


# -- providers ------------------------------------------------------------------------------------------------------


@pytest.fixture
def span_exporter() -> InMemorySpanExporter:
    return Retelling()


@pytest.fixture
def tracer_provider(span_exporter: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(span_exporter))
    return made


@pytest.fixture
def log_exporter() -> InMemoryLogRecordExporter:
    return InMemoryLogRecordExporter()


@pytest.fixture
def logger_provider(log_exporter: InMemoryLogRecordExporter) -> LoggerProvider:
    made = LoggerProvider(shutdown_on_exit=False)
    made.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
    return made


@pytest.fixture
def metric_reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meter_provider(metric_reader: InMemoryMetricReader) -> MeterProvider:
    return MeterProvider([metric_reader], shutdown_on_exit=False, views=[WITHOUT_OWN_METRICS])


# -- recorded answers -----------------------------------------------------------------------------------------------


@pytest.fixture
def vcr_cassette_name(request: pytest.FixtureRequest) -> str:
    """A test's own cassette, or that of the test which it names."""
    marker = request.node.get_closest_marker("cassette")
    return str(marker.args[0]) if marker else request.node.name


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Iterator[None]:
    """Cassettes are only played: nothing reaches for the network. Newer SDKs ask without the query of the recording."""
    made = yield
    if fixturedef.argname == "vcr_config":
        made |= {"record_mode": "none", "match_on": ["method", "scheme", "host", "path"], "ignore_localhost": True}
    return made


def unscrubbed(_: object) -> Callable[[Any], Any]:
    """Stand in for the removal of secrets from a recording; nothing is recorded here."""
    return lambda response: response


# -- scenarios ------------------------------------------------------------------------------------------------------


class ExpectedViolation:
    """Stand in for the list of accepted schema violations; there is no schema check here."""

    def __init__(self, *_: object, **__: object) -> None:
        """Forget it."""


class Scenario:
    """One recorded call of an operation, and what must be told of it."""

    expected_spans: ClassVar[dict[str, int]] = {}
    expected_metrics: ClassVar[tuple[str, ...]] = ()

    def validate(self, report: dict[str, Any]) -> None:
        """Spans by operation are exactly the expected ones; no expected metric is missing."""
        operations = Counter(
            attribute["value"]
            for sample in report["samples"]
            for attribute in sample["span"]["attributes"]
            if attribute["name"] == OPERATION
        )
        assert operations == self.expected_spans
        assert set(self.expected_metrics) <= set(report["statistics"]["seen_registry_metrics"])


@pytest.fixture
def weaver_live_check(
    tracer_provider: TracerProvider,
    meter_provider: MeterProvider,
    logger_provider: LoggerProvider,
    span_exporter: InMemorySpanExporter,
    metric_reader: InMemoryMetricReader,
) -> dict[str, Any]:
    """Return the data that Weaver would read. Weaver checks OTLP against the schema, and cannot be installed here."""
    providers = {
        "tracer_provider": tracer_provider,
        "meter_provider": meter_provider,
        "logger_provider": logger_provider,
    }
    return {"providers": providers, "spans": span_exporter, "metrics": metric_reader}


def run_conformance(scenario: Any, *, vcr: Any, weaver: dict[str, Any]) -> None:
    """Play a scenario, and let it judge what was told, in the form of Weaver's report."""
    scenario.run(vcr=vcr, **weaver["providers"])
    read = json.loads(weaver["metrics"].get_metrics_data().to_json())
    metrics = [one for part in read["resource_metrics"] for scope in part["scope_metrics"] for one in scope["metrics"]]
    samples = [
        {"span": {"name": span.name, "attributes": [{"name": k, "value": v} for k, v in span.attributes.items()]}}
        for span in weaver["spans"].get_finished_spans()
    ]
    seen = {one["name"]: len(one["data"]["data_points"]) for one in metrics}
    scenario.validate({"samples": samples, "statistics": {"seen_registry_metrics": seen}})

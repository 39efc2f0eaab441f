"""A pytest plugin for OpenTelemetry's own suites: l0's instrumentors in the place of theirs.

Their tests share helpers that are not published; what the chosen files need of them stands here, under their names.
``OTEL_SUITE_RESULTS``: the file for the outcomes of the tests in which l0 was at work, as ``{"node id": "passed" |
"failed"}``; tests that call the insides of their package say nothing of ours.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

_HELPERS = "opentelemetry.test_util_genai"
_OUTCOMES: dict[str, str] = {}
_at_work: list[object] = []
"""Our instrumentors that were put on in the present test."""


def pytest_runtest_setup() -> None:
    """A new test."""
    _at_work.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One phase of one test is over."""
    if _at_work and (report.when == "call" or report.failed):
        _OUTCOMES[report.nodeid] = "failed" if report.failed else "passed"


def pytest_sessionfinish() -> None:
    """All tests are over."""
    if path := os.environ.get("OTEL_SUITE_RESULTS"):
        Path(path).write_text(json.dumps(_OUTCOMES))


@contextmanager
def instrument(instrumentor: Any, *, content_capture: str | None = None, **providers: Any) -> Iterator[Any]:
    """An instrumentor that is on for a while."""
    with pytest.MonkeyPatch.context() as patched:
        if content_capture:
            patched.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content_capture)
        instrumentor.instrument(**providers)
        try:
            yield instrumentor
        finally:
            instrumentor.uninstrument()


@pytest.fixture
def span_exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer_provider(span_exporter: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(span_exporter))
    return made


@pytest.fixture
def logger_provider() -> LoggerProvider:
    return LoggerProvider(shutdown_on_exit=False)


@pytest.fixture
def metric_reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meter_provider(metric_reader: InMemoryMetricReader) -> MeterProvider:
    return MeterProvider([metric_reader], shutdown_on_exit=False)


def _helper(name: str, **held: Any) -> None:
    module = ModuleType(f"{_HELPERS}{name}", "PYTEST_DONT_REWRITE")  # without it pytest warns that it cannot
    vars(module).update(held)
    sys.modules[module.__name__] = module


def stand_in() -> None:
    """Before their conftest is imported, which is before any hook runs."""
    _helper("", __path__=[])
    _helper(".fixtures")
    _helper(".vcr", scrub_response_headers=lambda _: None, scrub_response_headers_overwrite=lambda _: None)
    _helper(".instrumentor", instrument=instrument)
    for name in ("OpenAI", "Anthropic"):
        theirs = import_module(f"opentelemetry.instrumentation.genai.{name.lower()}")
        ours = getattr(import_module(f"l0_{name.lower()}"), f"{name}Instrumentor")
        setattr(theirs, f"{name}Instrumentor", _noted(ours))


def _noted(kind: Any) -> Any:
    class Noted(kind):  # type: ignore[misc]  # ours, whose name is known at run time only
        def instrument(self, **providers: Any) -> Any:
            _at_work.append(self)
            return super().instrument(**providers)

    return Noted


stand_in()

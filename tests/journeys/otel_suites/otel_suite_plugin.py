"""A pytest plugin for OpenTelemetry's own suites: l0's instrumentors in the place of theirs.

``OTEL_SUITE_RESULTS``: the file for the outcomes, as ``{"node id": "passed" | "failed" | "skipped" | "aside"}``. Aside
are tests that pass without l0 at work: they call the insides of their package, and say nothing of ours.
``OTEL_SUITE_THEIRS``: set, their instrumentors stay, and the run shows what passes here with them.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import their_helpers

_HELPERS = "opentelemetry.test_util_genai"
_RANKS = ("passed", "aside", "skipped", "failed")
_OUTCOMES: dict[str, str] = {}
_at_work: list[Any] = []
"""The instrumentors that were put on in the present test."""


def pytest_configure(config: pytest.Config) -> None:
    """Their own marker: whose cassette a test plays."""
    config.addinivalue_line("markers", "cassette(name): the recording that a test shares")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A new test, on a bare SDK: some of theirs leave their instrumentor on."""
    for instrumentor in _at_work:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
    _at_work.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One phase of one test is over."""
    if report.when == "call" or not report.passed:
        aside = report.passed and not _at_work
        _note(report.nodeid, "aside" if aside else report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be read, or leaves itself out, counts as one test."""
    if not report.passed:
        _note(report.nodeid, report.outcome)


def _note(test: str, outcome: str) -> None:
    _OUTCOMES[test] = max(_OUTCOMES.get(test, "passed"), outcome, key=_RANKS.index)


def pytest_sessionfinish() -> None:
    """All tests are over."""
    if path := os.environ.get("OTEL_SUITE_RESULTS"):
        Path(path).write_text(json.dumps(_OUTCOMES))


def _helper(name: str, **held: Any) -> None:
    module = ModuleType(f"{_HELPERS}{name}", "PYTEST_DONT_REWRITE")  # without it pytest warns that it cannot
    vars(module).update({key: value for key, value in held.items() if not key.startswith("__") or key == "__path__"})
    sys.modules[module.__name__] = module


def stand_in() -> None:
    """Before their conftest is imported, which is before any hook runs."""
    scrubbing = ("scrub_response_headers", "scrub_response_headers_overwrite")
    _helper("", __path__=[])
    _helper(".fixtures", **vars(their_helpers))
    _helper(".vcr", **dict.fromkeys(scrubbing, their_helpers.unscrubbed))
    _helper(".instrumentor", instrument=their_helpers.instrument)
    _helper(".conformance", **vars(their_helpers))
    _transport_of_today()
    for name in ("OpenAI", "Anthropic"):
        kind = f"{name}Instrumentor"
        theirs = import_module(f"opentelemetry.instrumentation.genai.{name.lower()}")
        ours = theirs if os.environ.get("OTEL_SUITE_THEIRS") else import_module(f"l0_{name.lower()}")
        setattr(theirs, kind, _noted(getattr(ours, kind)))


def _transport_of_today() -> None:
    """Their tests beside the instrumentation of httpx look for what the SDKs of yesterday sent with."""
    import opentelemetry.instrumentation.httpx as beside

    found = pytest.importorskip
    pytest.importorskip = lambda name, *rest, **more: found("httpx2" if name == "httpx" else name, *rest, **more)
    beside.HTTPXClientInstrumentor = beside.HTTPX2ClientInstrumentor


def _noted(kind: Any) -> Any:
    class Noted(kind):  # type: ignore[misc]  # whose name is known at run time only
        def instrument(self, **options: Any) -> Any:
            _at_work.append(self)
            return super().instrument(**options)

    return Noted


stand_in()

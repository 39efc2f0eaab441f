"""Real back ends for the tests. `make test-backends` gets them first; without it only the load itself is tested.

A back end that could not be had is a skip with its reason, and the run does not pass: it exits with `NOT_ALL`, and its
last line says which back ends really ran.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

# pytest's importlib mode leaves the helpers' folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "examples")]

import found
from backends import Collector, Jaeger, Prometheus, Vmagent
from evidence import Running
from found import program
from stack import Stack

collect_ignore_glob = [] if found.FILE else ["test_[!l]*.py"]  # all but test_load.py
NOT_ALL = 6
"""Exit code if all tests that ran passed, but not all could run. pytest's own codes end at 5."""


@pytest.fixture(scope="module", autouse=True)
def _bare_sdks_again() -> None:
    """Not needed here: nothing is instrumented in this process."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a back end could not run."""
    if found.MISSING and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = NOT_ALL


def pytest_unconfigure() -> None:
    """The last line."""
    if found.FILE:
        ran, missing = (", ".join(sorted(names)) or "none" for names in (found.ran, found.MISSING))
        print(f"back ends that really ran: {ran}; missing: {missing}")


def _core(folder: Path, stack: ExitStack) -> Any:
    """core.yaml: all traces to Jaeger, metrics over OTLP; Debian's Prometheus has no receiver for it, vmagent does."""
    jaeger = Jaeger(program("jaeger"), folder)
    collector = Collector(program("otelcol-core"), folder, "core")
    prometheus = Prometheus(program("prometheus"), folder, collector.metrics)
    vmagent = Vmagent(program("vmagent"), folder, prometheus.write)
    collector.server.set(TRACES_URL=jaeger.otlp, METRICS_URL=vmagent.otlp)
    for server in (jaeger.server, prometheus.server, vmagent.server, collector.server):
        stack.enter_context(server)
    return jaeger, prometheus, collector


def _contrib(folder: Path, stack: ExitStack) -> Any:
    """contrib.yaml: eventful traces to Jaeger, metrics by remote write."""
    jaeger = Jaeger(program("jaeger"), folder)
    collector = Collector(program("otelcol-contrib"), folder, "contrib")
    prometheus = Prometheus(program("prometheus"), folder, collector.metrics)
    sampling = {"SAMPLING_WAIT": "3s", "SAMPLING_PERCENTAGE": "0", "SPAN_METRICS_INTERVAL": "1s"}
    collector.server.set(TRACES_URL=jaeger.otlp, PROMETHEUS_URL=prometheus.write, **sampling)
    for server in (jaeger.server, prometheus.server, collector.server):
        stack.enter_context(server)
    return jaeger, prometheus, collector


@pytest.fixture(scope="session", params=["core", "contrib"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A load through the whole of it."""
    contrib = request.param == "contrib"
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as running:
        jaeger, prometheus, collector = (_contrib if contrib else _core)(folder, running)
        load = Running(collector.otlp, folder, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY")
        did = load.evidence()
        yield Stack(
            name=request.param,
            jaeger=jaeger,
            prometheus=prometheus,
            collector=collector,
            did=did,
            span_metrics=contrib,
            sampled=contrib,
            exemplars=contrib,
        )

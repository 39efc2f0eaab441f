"""docs/coming_from.md: its blocks run as printed, and its tables hold for the packages that they name.

The packages patch what L0 patches, so they are in their own environment: `make test-migration`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from runnable_pages import ROOT, python_blocks

import l0
from l0.engine.retry import delay
from l0.simulator.server import Simulator
from l0.testing import simulator

PAGE = (ROOT / "docs" / "coming_from.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## From ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
CODE = re.compile(r"`([^`]+)`")
RECORD = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
metrics.set_meter_provider(MeterProvider([reader]))
"""
CALLS = """
import json
from contextlib import suppress

import anthropic, openai

chats = openai.OpenAI().chat.completions
say = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
tool = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
options = dict(model="gpt-4o", messages=say, temperature=0.5, top_p=0.9, max_tokens=50, seed=1, stop=["x"], user="u",
               frequency_penalty=0.1, presence_penalty=0.2)
chats.create(**options, tools=[{"type": "function", "function": tool}])
list(chats.create(**options, stream=True, stream_options={"include_usage": True}))
chats.create(model="gpt-4o", messages=say, response_format={"type": "json_object"})
with suppress(openai.BadRequestError):
    chats.create(model="gpt-4o", messages=[{"role": "user", "content": "[[simulate: status 400]]"}])
openai.OpenAI().embeddings.create(model="text-embedding-3-small", input="hi", dimensions=8, encoding_format="float")
openai.OpenAI().responses.create(model="gpt-4o", input="Hello", instructions="Be brief.", max_output_tokens=50)
asked = dict(model="claude-opus-4-1", max_tokens=50, system="Be brief.", messages=say[1:], stop_sequences=["x"])
anthropic.Anthropic().messages.create(**asked)
list(anthropic.Anthropic().messages.create(**asked, stream=True))

own_tracer = "com.anthropic.sdk.python"
spans = [span for span in exporter.get_finished_spans() if span.instrumentation_scope.name != own_tracer]
scopes = [scope for one in reader.get_metrics_data().resource_metrics for scope in one.scope_metrics]
found = [metric for scope in scopes for metric in scope.metrics]
print(json.dumps({
    "spans": sorted({span.name for span in spans}),
    "attributes": sorted({name for span in spans for name in span.attributes}),
    "events": sorted({event.name for span in spans for event in span.events} - {"exception"}),
    "metrics": sorted({metric.name for metric in found}),
    "dimensions": sorted({name for metric in found for point in metric.data.data_points for name in point.attributes}),
}))
"""


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


NEEDED = (
    "tenacity",
    "litellm",
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.genai.anthropic",
)
pytestmark = pytest.mark.skipif(
    not all(map(_found, NEEDED)), reason="the other libraries are not installed here: `make test-migration`"
)


def run(source: str, sim: Simulator, more: Mapping[str, str] | None = None) -> str:
    """Run a program with the simulator as its provider. Return its output."""
    providers = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": sim.openai,
        "ANTHROPIC_API_KEY": "none",
        "ANTHROPIC_BASE_URL": sim.anthropic,
    }
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, **providers, **(more or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- reliability ------------------------------------------------------------------------------------------------------

THEIRS, OURS = 0, 1
"""The blocks of a section: the other library's, and that with L0."""


def block(section: str, number: int) -> str:
    """Return a block of a section; an answer that is cut off is one on every host."""
    return python_blocks(SECTIONS[section])[number].replace("l0.Policy(", 'l0.Policy(truncation="strict",')


@pytest.mark.parametrize("section", ["tenacity", "litellm's Router"])
@pytest.mark.parametrize("number", [THEIRS, OURS], ids=["theirs", "l0"])
def test_block_of_reliability_runs(section: str, number: int) -> None:
    with simulator() as sim:
        assert "simulated model" in run(block(section, number), sim)


@pytest.mark.parametrize("number", [THEIRS, OURS], ids=["theirs", "l0"])
def test_both_retry_a_stream_whose_connection_breaks(number: int) -> None:
    with simulator() as sim:
        sim.script("reset at_event=5", "reset at_event=5", "ok")
        assert "simulated model" in run(block("tenacity", number), sim)
        assert len(sim.requests) == 3


@pytest.mark.parametrize("fault", ["empty", "clean_end at_event=5"])
def test_only_l0_retries_an_answer_that_is_not_complete(fault: str) -> None:
    with simulator() as sim:
        for number, requests in ((THEIRS, 1), (OURS, 2)):
            before = len(sim.requests)
            sim.script(fault)
            whole = "simulated model" in run(block("tenacity", number), sim)
            assert (whole, len(sim.requests) - before) == (number == OURS, requests)
            sim.script()


@pytest.mark.parametrize(("number", "requests"), [(THEIRS, 3), (OURS, 1)], ids=["theirs", "l0"])
def test_request_that_cannot_succeed(number: int, requests: int) -> None:
    with simulator() as sim:
        sim.script(*["status 401"] * 3)
        with pytest.raises(AssertionError, match="AuthenticationError"):
            run(block("tenacity", number), sim)
        assert len(sim.requests) == requests


@pytest.mark.parametrize("number", [THEIRS, OURS], ids=["theirs", "l0"])
def test_both_fall_back_to_the_other_model(number: int) -> None:
    with simulator() as sim:
        sim.script("status 500", "status 500", "ok")
        assert "simulated model" in run(block("litellm's Router", number), sim)
        assert [request.body["model"] for request in sim.requests][-1] == "gpt-4o"


@pytest.mark.parametrize("attempt", [1, 2, 3, 4, 5])
def test_waits_of_tenacity_are_those_of_the_table(attempt: int) -> None:
    import tenacity

    state: Any = SimpleNamespace(attempt_number=attempt)
    rows = [cells for cells in table("tenacity") if "wait_" in cells[0]]
    assert len(rows) == 3
    for theirs, ours in rows:
        wait = eval(CODE.findall(theirs)[0], vars(tenacity))
        retry = eval(CODE.findall(ours)[0], {"Retry": l0.Retry})
        longest = max(wait(state) for _ in range(200))
        assert longest <= delay(retry, attempt, chance=1.0) <= longest * 1.2


# -- telemetry --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reported:
    """The names that the same calls report with an instrumentation."""

    spans: frozenset[str]
    attributes: frozenset[str]
    events: frozenset[str]
    metrics: frozenset[str]
    dimensions: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All names except for the attributes of metrics."""
        return self.spans | self.attributes | self.events | self.metrics


def reported(source: str, **variables: str) -> Reported:
    """Make the calls below a block that turns an instrumentation on."""
    with simulator() as sim:
        found = json.loads(run(RECORD + source + CALLS, sim, variables).splitlines()[-1])
    return Reported(**{name: frozenset(values) for name, values in found.items()})


def table(section: str) -> list[list[str]]:
    """Return the cells of the rows of a section's table."""
    rows = re.findall(r"^\| (.+) \|$", SECTIONS[section], re.MULTILINE)
    return [row.split(" | ") for row in rows[1:]]


OF_METRICS = "attributes of metrics"
CAPTURED = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental/dup",
}


@pytest.fixture(scope="module")
def ours() -> Reported:
    return reported(python_blocks(SECTIONS["OpenLLMetry"])[OURS], **CAPTURED)


def test_names_of_opentelemetry_are_the_same(ours: Reported) -> None:
    variables = CAPTURED | {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
    theirs = reported(python_blocks(SECTIONS["OpenTelemetry's instrumentations"])[THEIRS], **variables)
    assert theirs.names <= ours.names
    rows = table("OpenTelemetry's instrumentations")
    dimensions = {name for cell, _ in rows if cell.startswith(OF_METRICS) for name in CODE.findall(cell)}
    assert theirs.dimensions - ours.dimensions == dimensions


def test_names_of_openllmetry_are_in_the_table(ours: Reported) -> None:
    theirs = reported(python_blocks(SECTIONS["OpenLLMetry"])[THEIRS])
    rows = table("OpenLLMetry")
    dimensions = {name for cell, _ in rows if cell.startswith(OF_METRICS) for name in CODE.findall(cell)}
    others = {name for cell, _ in rows if not cell.startswith(OF_METRICS) for name in CODE.findall(cell)}
    assert theirs.names - ours.names == others
    assert theirs.dimensions - ours.dimensions == dimensions
    assert {name for _, cell in rows for name in CODE.findall(cell)} <= ours.names
    assert "gen_ai.input.messages" in theirs.attributes

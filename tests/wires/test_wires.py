"""Odd but real wires through the real SDKs: no false alarm, nothing silent, and telemetry that is right."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from own_wires import GOOD, OWN
from wires_kit import Got, Reader, Wire, needs_wires, shared, usable, ways

import l0
from l0.runtime.finalizers import LATER
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

WIRES = usable((*shared(), *OWN))
CASES = [
    pytest.param(wire, way, sync, id=f"{wire}-{way}-{'sync' if sync else 'async'}")
    for wire in WIRES
    for way in ways(wire)
    for sync in (True, False)
]
Bare = Mapping[tuple[Wire, str, bool], Got]
TELEMETRY = {
    "id": "gen_ai.response.id",
    "model": "gen_ai.response.model",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "finish_reasons": "gen_ai.response.finish_reasons",
}


PIECES = {"chat": 3, "completions": 1, "messages": 3, "responses": 5}
"""Events of a good answer up to some text of it."""


class Spans:
    """The spans of the calls."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=provider)
        l0.instrument()

    def call(self) -> ReadableSpan:
        """Return the span of the last call."""
        LATER.finish()
        *_, span = (span for span in self._exporter.get_finished_spans() if "l0.outcome" in (span.attributes or {}))
        return span


@pytest.fixture(scope="module")
def bare(reader: Reader) -> Bare:
    """Return the reading of every wire without l0."""
    l0.uninstrument()
    return {
        (wire, way, sync): reader.read(wire, reader.server.route(wire), helper=way == "helper", sync=sync)
        for wire in WIRES
        for way in ways(wire)
        for sync in (True, False)
    }


@pytest.fixture(scope="module")
def spans(bare: Bare) -> Iterator[Spans]:
    """L0 is on, after the bare SDKs were seen."""
    yield Spans()
    l0.uninstrument()


@needs_wires
def test_shared_wires_are_at_hand() -> None:
    assert len(shared()) >= 43


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize(("wire", "way", "sync"), CASES)
def test_odd_wire(bare: Bare, spans: Spans, reader: Reader, wire: Wire, way: str, sync: bool, known: bool) -> None:
    good = GOOD[wire.dialect]
    base_url = reader.server.route(*[good] * known, wire)
    if known:
        assert reader.read(good, base_url, helper=False, sync=sync).error is None
    got = reader.read(wire, base_url, helper=way == "helper", sync=sync)
    seen = bare[wire, way, sync]
    if wire.broken:
        assert_not_silent(got, seen, spans.call())
    else:
        assert_as_bare(wire, got, seen, spans.call())


@pytest.mark.parametrize("dialect", sorted({wire.dialect for wire in WIRES}))
@pytest.mark.parametrize("same", ["model", "path", "both"])
def test_known_source_is_told_apart_by_path_and_model(spans: Spans, reader: Reader, dialect: str, same: str) -> None:
    """An answer that ends without its terminal event is an error only where that source has sent one."""
    good = GOOD[dialect]
    cut = replace(good, parts=good.parts[: PIECES[dialect]])
    model = good if same != "path" else replace(good, request={"model": "another"})
    base_url = reader.server.route(model, cut)
    assert reader.read(model, base_url, helper=False, sync=True).error is None
    elsewhere = base_url if same != "model" else reader.server.route(cut)
    got = reader.read(cut, elsewhere, helper=False, sync=True)
    assert (got.error is not None) is (same == "both")


def assert_not_silent(got: Got, seen: Got, span: ReadableSpan) -> None:
    """The user has a part of what the bare SDK hands over, and an error."""
    assert got.error is not None
    assert got.items == seen.items[: len(got.items)]
    assert span.status.status_code.name == "ERROR"


def assert_as_bare(wire: Wire, got: Got, seen: Got, span: ReadableSpan) -> None:
    if got.error is None and seen.error is not None:  # the bare SDK raises, and l0 reads on
        assert got.items[: len(seen.items)] == seen.items
    else:
        assert (type(got.error), str(got.error)) == (type(seen.error), str(seen.error))
        assert got.items == seen.items
    if wire.end != "clean":
        assert got.error is None
    assert got.requests == 1
    if got.error is not None:
        return  # a helper that cannot read this wire, bare as well
    assert span.status.status_code.name == "UNSET"
    told = {name: span.attributes.get(attribute) for name, attribute in TELEMETRY.items()}  # type: ignore[union-attr]
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    told |= {"status": "UNSET", "captured_text": captured(span, "text"), "tool_calls": captured(span, "tool_call")}
    expected = wire.telemetry
    assert {name: told[name] for name in expected} == expected
    if wire.kind:
        assert span.attributes.get("l0.anomalies", ()) == ((wire.odd,) if wire.odd else ())  # type: ignore[union-attr]


def captured(span: ReadableSpan, kind: str) -> Any:
    """Return the text of the answer, or its tool calls, from the captured content."""
    found = json.loads(str((span.attributes or {}).get("gen_ai.output.messages", "[]")))
    parts = [part for message in found for part in message["parts"] if part["type"] == kind]
    if kind == "text":
        return "".join(part["content"] for part in parts)
    return [[part["name"], part["arguments"]] for part in parts]


@pytest.mark.parametrize(
    ("wire", "sync"), [(wire, sync) for wire in WIRES if wire.broken for sync in (True, False)], ids=str
)
def test_broken_wire_is_recovered_or_an_error(spans: Spans, reader: Reader, wire: Wire, sync: bool) -> None:
    good = GOOD[wire.dialect]
    if not wire.stream:
        pytest.skip("a complete answer is covered by `test_odd_wire`")
    whole = reader.read(good, reader.server.route(good), helper=False, sync=sync)
    got = reader.read(wire, reader.server.route(wire, good), helper=False, sync=sync)
    assert got.requests <= 2
    assert got.error is not None or got.items == whole.items


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("wire", [wire for wire in WIRES if "break" in wire.name and wire.broken], ids=str)
def test_tool_call_that_breaks_off_is_recovered_if_held(spans: Spans, reader: Reader, wire: Wire, sync: bool) -> None:
    good = GOOD[wire.dialect]
    whole = reader.read(good, reader.server.route(good), helper=False, sync=sync)
    with l0.policy(hold="message"):
        got = reader.read(wire, reader.server.route(wire, good), helper=False, sync=sync)
    assert (got.items, got.error, got.requests) == (whole.items, None, 2)

"""Spans and metrics of the explicit API go to the providers that the program gave to an instrumentor in use."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from explicit_kit import chat, client
from journeys_kit import Heard

import l0
from l0.config import CONFIG
from l0.simulator.server import Simulator
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor


@pytest.fixture
def heard(sim: Simulator) -> Iterator[Heard]:
    """Spans and metrics of openai's calls; the other SDKs have the global providers."""
    made = Heard()
    OpenAIInstrumentor().instrument(tracer_provider=made.tracers, meter_provider=made.meters)
    yield made
    l0.uninstrument()


@pytest.fixture
def other() -> Heard:
    """Spans and metrics of anthropic's calls."""
    made = Heard()
    AnthropicInstrumentor().instrument(tracer_provider=made.tracers, meter_provider=made.meters)
    return made


def text() -> Iterator[str]:
    yield "All is well."


def names(heard: Heard) -> list[str]:
    return [span.name for span in heard.exporter.get_finished_spans()]


def test_source_that_is_an_sdk_reports_to_its_providers(sim: Simulator, heard: Heard, other: Heard) -> None:
    with client(sim, chat) as made:
        l0.run_sync(lambda: chat(made)).read()
    assert (names(heard), names(other)) == (["chat gpt-4o"], [])
    assert heard.points("gen_ai.client.operation.duration")
    assert not other.points("gen_ai.client.operation.duration")


def test_source_without_an_sdk_reports_to_the_providers_given_last(heard: Heard, other: Heard) -> None:
    l0.run_sync(text).read()
    assert (len(names(heard)), len(names(other))) == (0, 1)


def test_second_instrument_without_providers_takes_no_calls_from_those_given(heard: Heard) -> None:
    l0.instrument()
    l0.run_sync(text).read()
    assert len(names(heard)) == 1
    assert heard.points("gen_ai.client.operation.duration")


def test_providers_of_an_instrumentor_that_is_off_get_nothing(heard: Heard, other: Heard) -> None:
    AnthropicInstrumentor().uninstrument()
    l0.run_sync(text).read()
    assert (len(names(heard)), len(names(other))) == (1, 0)


def test_nothing_is_reported_after_uninstrument(heard: Heard) -> None:
    l0.uninstrument()
    l0.run_sync(text).read()
    assert not CONFIG.listening
    assert (names(heard), heard.points("gen_ai.client.operation.duration")) == ([], [])


@pytest.mark.parametrize("end", [l0.uninstrument, OpenAIInstrumentor().uninstrument])
def test_call_that_has_begun_is_reported_after_uninstrument(heard: Heard, end: Callable[[], Any]) -> None:
    with l0.run_sync(text) as stream:
        end()
        stream.read()
    assert len(names(heard)) == 1


@pytest.mark.anyio
async def test_fan_out_is_in_the_trace_of_its_calls(heard: Heard) -> None:
    await l0.parallel([lambda: l0.l0(text)])
    spans = {span.name.partition(" test")[0]: span for span in heard.exporter.get_finished_spans()}
    call = next(span for span in heard.exporter.get_finished_spans() if "l0.outcome" in (span.attributes or {}))
    assert call.parent is not None
    assert call.parent.span_id == spans["parallel branch"].context.span_id

"""Telemetry goes to the providers that were passed to an SDK's own instrumentor, and names who serves the call."""

from typing import Any

import pytest
from journeys_kit import CHATTING, MESSAGING, Spans, chat_client, claude
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

import l0
from l0.simulator.server import Simulator
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

_EXPORTER = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter  # its name until 1.39


def test_events_go_to_the_logger_provider_that_was_given(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY")
    exporter, logs, spans = _EXPORTER(), LoggerProvider(shutdown_on_exit=False), Spans()
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    OpenAIInstrumentor().instrument(tracer_provider=spans.provider, logger_provider=logs)
    l0.instrument()
    chat_client(sim).chat.completions.create(**CHATTING)
    (event,) = [data.log_record for data in exporter.get_finished_logs()]
    assert event.event_name == "gen_ai.client.inference.operation.details"
    context = spans.only.get_span_context()
    assert context is not None
    assert (event.trace_id, event.span_id) == (context.trace_id, context.span_id)
    told: Any = dict(event.attributes or {})
    assert told["gen_ai.input.messages"][0]["role"] == "user"
    logs.shutdown()


def test_each_sdk_keeps_the_providers_that_its_instrumentor_was_given(sim: Simulator) -> None:
    one, other = Spans(), Spans()
    OpenAIInstrumentor().instrument(tracer_provider=one.provider)
    AnthropicInstrumentor().instrument(tracer_provider=other.provider)
    chat_client(sim).chat.completions.create(**CHATTING)
    claude(sim).messages.create(**MESSAGING)
    told = [{**(spans.only.attributes or {})}["gen_ai.provider.name"] for spans in (one, other)]
    assert told == ["openai", "anthropic"]


def test_call_of_the_explicit_api_has_the_providers_of_the_sdk_that_serves_it(sim: Simulator) -> None:
    """The last SDK to be instrumented is not its own: `l0.instrument()` patches whatever is installed."""
    one, other = Spans(), Spans()
    OpenAIInstrumentor().instrument(tracer_provider=one.provider)
    AnthropicInstrumentor().instrument(tracer_provider=other.provider)
    l0.instrument()
    with chat_client(sim) as client, l0.run_sync(lambda: client.chat.completions.create(**CHATTING)) as stream:
        stream.read()
    assert (one.only.attributes or {})["gen_ai.provider.name"] == "openai"
    assert other.all == ()
    l0.run_sync(lambda: ["a source without an SDK"]).read()
    assert len(other.all) == 1
    l0.uninstrument()
    l0.run_sync(lambda: ["unobserved"]).read()
    assert (len(one.all), len(other.all)) == (1, 1)


@pytest.mark.parametrize("key", ["127.0.0.1", "127.0.0.1:{port}"])
def test_name_of_a_provider_is_the_one_that_the_user_gave(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    spans, host = Spans(), key.format(port=sim.origin.rpartition(":")[2])
    monkeypatch.setenv("L0_PROVIDER_NAMES", f"{host}=vllm")
    OpenAIInstrumentor().instrument(tracer_provider=spans.provider)
    with chat_client(sim) as client:
        client.chat.completions.create(**CHATTING)
        l0.instrument(provider_names={host: "mine"})
        client.chat.completions.create(**CHATTING)
        l0.instrument(provider_names={"elsewhere.example": "other"})
        client.chat.completions.create(**CHATTING)
    told = [(span.attributes or {})["gen_ai.provider.name"] for span in spans.all]
    assert told == ["vllm", "mine", "openai"]


@pytest.mark.parametrize("names", [{"host": ""}, {"": "name"}, {"host": 1}, ["host"], "host"])
def test_names_of_providers_are_checked(names: Any) -> None:
    with pytest.raises(l0.PolicyError, match="provider_names"):
        l0.instrument(provider_names=names)

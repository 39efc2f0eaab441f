"""Telemetry goes to the providers that were passed to an SDK's own instrumentor."""

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

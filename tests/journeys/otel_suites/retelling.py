"""Translate L0's telemetry to the names of OpenTelemetry's instrumentations, so that only values are compared.

l0 says how the provider itself ended an answer (``end_turn``), theirs by another vocabulary (``stop``); l0 has
spans for attempts and its own metrics beside the conventions'; a zero that the provider counted is told, not left
out; an exception's class goes by its own name, theirs for openai by that of the package too.
"""

import json
from collections.abc import Sequence
from typing import Any

import openai
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

OWN = "l0."
ZEROS = tuple(f"gen_ai.usage.{part}_tokens" for part in ("cache_read.input", "cache_write.input", "reasoning.output"))
ERROR = "error.type"
MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages")
PROVIDER = "gen_ai.provider.name"
REASONS = "gen_ai.response.finish_reasons"
WORDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "completed": "stop",
    "incomplete": "length",
    "tool_use": "tool_calls",
}
"""Ends of an answer: Anthropic's and the Responses API's, in OpenAI's words."""
WITHOUT_OWN_METRICS = View(instrument_name=f"{OWN}*", aggregation=DropAggregation())


class Retelling(InMemorySpanExporter):
    """Keeps spans of calls, retold; attempts are no part of what they look at."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([_retold(span) for span in spans if not span.name.startswith("attempt ")])


def _retold(span: ReadableSpan) -> ReadableSpan:
    told = {key: value for key, value in (span.attributes or {}).items() if not key.startswith(OWN)}
    for name in ZEROS:
        if told.get(name) == 0:
            del told[name]
    if (error := told.get(ERROR)) and told.get(PROVIDER) == "openai" and hasattr(openai, str(error)):
        told[ERROR] = f"openai.{error}"
    if REASONS in told:
        told[REASONS] = tuple(WORDS.get(reason, reason) for reason in told[REASONS])
    for name in MESSAGES:
        if name in told:
            told[name] = json.dumps([_message(message) for message in json.loads(told[name])])
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=told,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """With the empty fields that theirs have."""
    told = {"name": None} | message
    if "finish_reason" in told:
        told["finish_reason"] = WORDS.get(told["finish_reason"], told["finish_reason"])
    return told

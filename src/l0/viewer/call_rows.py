"""Recognize the spans that are calls to a model, and read what the list of calls shows.

L0's own attributes come first, then the names of OpenTelemetry's GenAI conventions, old and new, then those of
OpenInference and Traceloop. A call without L0's attributes has one attempt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l0.model.call import Outcome
from l0.telemetry import names

from .api_contract import ListedCall
from .span_record import SpanRecord

MAX_COLUMN = 300
"""Characters that are kept of a value by which calls are listed, searched or filtered."""
_MAX_COUNT = 2**53
_CLIENT_KINDS = frozenset({0, 1, 3})
"""OTLP's kinds of spans that a caller makes: unspecified, internal and client."""
_PROVIDER = (names.PROVIDER, *names.OTHER_PROVIDERS)
_OTHER_MODEL = (names.RESPONSE_MODEL, *names.OTHER_MODELS)
_OPERATION = (names.OPERATION, *names.OTHER_OPERATIONS)
_INPUT_TOKENS = (names.INPUT_TOKENS, *names.OTHER_INPUT_TOKENS)
_OUTPUT_TOKENS = (names.OUTPUT_TOKENS, *names.OTHER_OUTPUT_TOKENS)
_SEARCHED = (names.RESPONSE_ID, names.RESPONSE_MODEL, names.CONVERSATION_ID, names.REQUEST_ID, names.SERVER_ADDRESS)
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it is stored. ``causes``: one per failed attempt. ``search``: the text in which a search looks."""

    call: ListedCall
    causes: tuple[str, ...]
    attempts_failed: int
    wasted_tokens: int | None
    sdk_retries: int | None
    recovery_time: float | None
    search: str


def call_row(span: SpanRecord) -> CallRow | None:
    """Return the call that a span describes; ``None`` for any other span."""
    known = span.attributes
    if not is_call(span):
        return None
    outcome = _outcome(span)
    final = _text(known, names.CAUSE) if outcome == Outcome.FAILED else None
    causes = (*_texts(known, names.RETRY_CAUSES), *((final,) if final else ()))
    attempts = max(1, _integer(known, names.ATTEMPTS_MADE) or 1)
    call = ListedCall(
        trace_id=span.trace_id,
        span_id=span.span_id,
        start=span.start,
        duration=span.duration,
        service=span.service[:MAX_COLUMN],
        provider=_text(known, *_PROVIDER),
        model=_model(known),
        operation=_text(known, *_OPERATION),
        outcome=outcome,
        error_type=_text(known, names.ERROR_TYPE),
        cause=causes[-1] if causes else None,
        attempts=attempts,
        first_token=_milliseconds(known, names.RESPONSE_TIME_TO_FIRST_CHUNK, names.TIME_TO_FIRST_CONTENT),
        gap_p95=_milliseconds(known, names.GAP_P95),
        gap_max=_milliseconds(known, names.GAP_MAX),
        input_tokens=_integer(known, *_INPUT_TOKENS),
        output_tokens=_integer(known, *_OUTPUT_TOKENS),
        finish_reasons=_texts(known, names.RESPONSE_FINISH_REASONS),
        stop_reason=_text(known, names.STOP_REASON),
    )
    retried = len(_texts(known, names.RETRY_CAUSES))
    return CallRow(
        call=call,
        causes=causes,
        attempts_failed=min(attempts, retried + (outcome == Outcome.FAILED)),
        wasted_tokens=_integer(known, names.WASTED_TOKENS),
        sdk_retries=_integer(known, names.SDK_RETRIES),
        recovery_time=_milliseconds(known, names.RECOVERY_TIME),
        search=_searched(span, call, causes),
    )


def request_id(span: SpanRecord) -> str | None:
    """Return the provider's id of the request that a span describes."""
    return _text(span.attributes, names.REQUEST_ID)


def is_call(span: SpanRecord) -> bool:
    """Return True for the span of one request to a model: by its operation, by a requested model without an operation,
    or by the marks of OpenInference and Langfuse."""
    known = span.attributes
    if _text(known, names.OUTER_KIND) in names.OUTER_KINDS:
        return True
    if _text(known, names.OUTER_LANGFUSE) in names.OUTER_OBSERVATIONS:
        return True
    if span.kind not in _CLIENT_KINDS:
        return False
    operation = _text(known, names.OPERATION)
    if operation is not None:
        return operation in names.INFERENCE_OPERATIONS
    return names.REQUEST_MODEL in known


def _model(known: Mapping[str, Any]) -> str | None:
    """Return the requested model, so that all calls that ask for one stand together, else that of the response."""
    return _text(known, names.REQUEST_MODEL) or _text(_parameters(known), "model") or _text(known, *_OTHER_MODEL)


def _parameters(known: Mapping[str, Any]) -> Mapping[str, Any]:
    text = known.get(names.OTHER_PARAMETERS)
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _outcome(span: SpanRecord) -> str:
    outcome = span.attributes.get(names.OUTCOME)
    if isinstance(outcome, str) and outcome in _OUTCOMES:
        return outcome
    return Outcome.FAILED.value if span.failed or names.ERROR_TYPE in span.attributes else Outcome.OK.value


def _searched(span: SpanRecord, call: ListedCall, causes: Sequence[str]) -> str:
    known = [call["provider"], call["model"], call["operation"], call["error_type"], *call["finish_reasons"], *causes]
    further = [_text(span.attributes, name) for name in _SEARCHED]
    ids = [call["trace_id"], call["span_id"], call["outcome"], call["service"], span.name[:MAX_COLUMN]]
    return " ".join(part for part in (*ids, *known, *further) if part)


def _text(known: Mapping[str, Any], *wanted: str) -> str | None:
    """Return the first attribute that is set, as text."""
    for name in wanted:
        value = known.get(name)
        if value is not None and value != "":
            return str(value)[:MAX_COLUMN]
    return None


def _texts(known: Mapping[str, Any], name: str) -> list[str]:
    value = known.get(name)
    return [str(one)[:MAX_COLUMN] for one in value[:100]] if isinstance(value, list) else []


def _integer(known: Mapping[str, Any], *wanted: str) -> int | None:
    for name in wanted:
        value = known.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
            return int(value)
    return None


def _milliseconds(known: Mapping[str, Any], *wanted: str) -> float | None:
    """Return the first attribute in seconds that is set, in milliseconds."""
    for name in wanted:
        value = known.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return value * 1e3
    return None

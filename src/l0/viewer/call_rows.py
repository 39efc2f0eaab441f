"""Recognize the spans that are calls to a model, and read what the list of calls shows.

Some values have several names. Those of OpenTelemetry's GenAI conventions, old and new, come before those of
OpenInference and Traceloop. A call without L0's attributes has one attempt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from l0.model.call import Outcome
from l0.telemetry import names

from .api_contract import ListedCall
from .span_record import SpanRecord

MAX_COLUMN = 300
"""Characters that are kept of a value by which calls are listed, searched or filtered."""
_MAX_NUMBER = 2**53
"""The largest count, and number of seconds, that is read: up to it, JavaScript holds every integer exactly."""
_CLIENT_KINDS = frozenset({0, 1, 3})
"""OTLP's kinds of spans that a caller makes: unspecified, internal and client."""
_PROVIDER = (names.PROVIDER, *names.OTHER_PROVIDERS)
_OTHER_MODEL = (names.RESPONSE_MODEL, *names.OTHER_MODELS)
_OPERATION = (names.OPERATION, *names.OTHER_OPERATIONS)
_INPUT_TOKENS = (names.INPUT_TOKENS, *names.OTHER_INPUT_TOKENS)
_OUTPUT_TOKENS = (names.OUTPUT_TOKENS, *names.OTHER_OUTPUT_TOKENS)
_SEARCHED_ATTRIBUTES = (
    names.RESPONSE_ID,
    names.RESPONSE_MODEL,
    names.CONVERSATION_ID,
    names.REQUEST_ID,
    names.SERVER_ADDRESS,
)
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it is stored.

    ``causes``: of the failures that were retried, at most the first 100, and then of a failed call. ``attempts_failed``
    can be larger, because not every sender reports causes. ``recovery_time``: in ms. ``search``: the text that a search
    goes through.
    """

    call: ListedCall
    causes: tuple[str, ...]
    attempts_failed: int
    wasted_tokens: int | None
    unknown_waste: bool
    sdk_retries: int | None
    recovery_time: float | None
    search: str


def call_row(span: SpanRecord) -> CallRow | None:
    """Return the call that a span describes; ``None`` for any other span."""
    attributes = span.attributes
    if not is_call(span):
        return None
    outcome = _outcome(span)
    final = _text(attributes, names.CAUSE) if outcome == Outcome.FAILED else None
    causes = (*_texts(attributes, names.RETRY_CAUSES), *((final,) if final else ()))
    attempts = max(1, _integer(attributes, names.ATTEMPTS_MADE) or 1)
    call = ListedCall(
        trace_id=span.trace_id,
        span_id=span.span_id,
        start=span.start,
        duration=span.duration,
        service=span.service[:MAX_COLUMN],
        provider=_text(attributes, *_PROVIDER),
        model=_model(attributes),
        operation=_text(attributes, *_OPERATION),
        outcome=outcome,
        error_type=_text(attributes, names.ERROR_TYPE),
        cause=causes[-1] if causes else None,
        attempts=attempts,
        first_token=milliseconds(attributes, names.RESPONSE_TIME_TO_FIRST_CHUNK),
        gap_p95=milliseconds(attributes, names.GAP_P95),
        gap_max=milliseconds(attributes, names.GAP_MAX),
        input_tokens=_integer(attributes, *_INPUT_TOKENS),
        output_tokens=_integer(attributes, *_OUTPUT_TOKENS),
        finish_reasons=_texts(attributes, names.RESPONSE_FINISH_REASONS),
        stop_reason=_text(attributes, names.STOP_REASON),
    )
    retried = len(_texts(attributes, names.RETRY_CAUSES))
    return CallRow(
        call=call,
        causes=causes,
        attempts_failed=min(attempts, retried + (outcome == Outcome.FAILED)),
        wasted_tokens=_integer(attributes, names.WASTED_TOKENS),
        unknown_waste=attributes.get(names.UNKNOWN_WASTE) is True,
        sdk_retries=_integer(attributes, names.SDK_RETRIES),
        recovery_time=milliseconds(attributes, names.RECOVERY_TIME),
        search=_search_text(span, call, causes),
    )


def request_id(span: SpanRecord) -> str | None:
    """Return the provider's id of the request that a span describes."""
    return _text(span.attributes, names.REQUEST_ID)


def is_call(span: SpanRecord) -> bool:
    """Return True for the span of one call to a model: by the marks of OpenInference and Langfuse, or, if it is a
    client's span, by its operation, or by a requested model without an operation."""
    attributes = span.attributes
    if _text(attributes, names.OUTER_KIND) in names.OUTER_KINDS:
        return True
    if _text(attributes, names.OUTER_LANGFUSE) in names.OUTER_OBSERVATIONS:
        return True
    if span.kind not in _CLIENT_KINDS:
        return False
    operation = _text(attributes, names.OPERATION)
    if operation is not None:
        return operation in names.INFERENCE_OPERATIONS
    return names.REQUEST_MODEL in attributes


def _model(attributes: Mapping[str, Any]) -> str | None:
    """Return the requested model, else that of the response, so that calls that request the same model are listed under
    one name."""
    return (
        _text(attributes, names.REQUEST_MODEL)
        or _text(_parameters(attributes), "model")
        or _text(attributes, *_OTHER_MODEL)
    )


def _parameters(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of the request, which OpenInference writes as one JSON text."""
    text = attributes.get(names.OTHER_PARAMETERS)
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


def _search_text(span: SpanRecord, call: ListedCall, causes: Sequence[str]) -> str:
    columns = [call["provider"], call["model"], call["operation"], call["error_type"], *call["finish_reasons"], *causes]
    further = [_text(span.attributes, name) for name in _SEARCHED_ATTRIBUTES]
    ids = [call["trace_id"], call["span_id"], call["outcome"], call["service"], span.name[:MAX_COLUMN]]
    return " ".join(part for part in (*ids, *columns, *further) if part)


def _text(attributes: Mapping[str, Any], *wanted: str) -> str | None:
    """Return the first attribute that is set, as text."""
    for name in wanted:
        value = attributes.get(name)
        if value is not None and value != "":
            return str(value)[:MAX_COLUMN]
    return None


def _texts(attributes: Mapping[str, Any], name: str) -> list[str]:
    value = attributes.get(name)
    return [str(item)[:MAX_COLUMN] for item in value[:100]] if isinstance(value, list) else []


def _integer(attributes: Mapping[str, Any], *wanted: str) -> int | None:
    for name in wanted:
        value = attributes.get(name)
        if _is_number(value):
            return int(value)
    return None


def milliseconds(attributes: Mapping[str, Any], name: str) -> float | None:
    """Return an attribute in seconds, in milliseconds; ``None`` if it is not set, or its value is no time."""
    value = attributes.get(name)
    return value * 1e3 if _is_number(value) else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_NUMBER

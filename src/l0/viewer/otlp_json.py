"""Read OTLP requests in JSON: ids in hexadecimal, 64-bit integers as text or numbers, enumerations as numbers."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from .otlp_values import (
    CUT,
    MAX_DEPTH,
    SHOWN_GAUGES,
    OtlpError,
    gauge_records,
    integer,
    real,
    span_record,
    text,
    unix_milliseconds,
)
from .span_record import GaugeRecord, ReceivedBatch, RecordedEvent, SpanRecord

Json = Mapping[str, Any]


def parse(signal: str, body: bytes) -> Any:
    """Return the object of a request. Raises `OtlpError` for broken or very deep JSON."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise OtlpError(f"the body is not JSON for {signal}, or it is nested too deeply") from error
    if not isinstance(message, dict):
        raise OtlpError(f"the body for {signal} is not a JSON object")
    return message


def read(signal: str, message: Json) -> ReceivedBatch:
    """Return the content of an object that `parse` made. Raises `OtlpError` for a field of the wrong type."""
    try:
        if signal == "traces":
            spans = list(_spans(message))
            kept = tuple(span for span in spans if span is not None)
            return ReceivedBatch(spans=kept, rejected=len(spans) - len(kept))
        return ReceivedBatch(gauges=tuple(_gauges(message))) if signal == "metrics" else ReceivedBatch()
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise OtlpError(f"a field of the JSON for {signal} is not as OTLP defines it") from error


def response(signal: str, rejected: int, message: str) -> bytes:
    """Return the body of a successful response."""
    if signal != "traces" or not rejected:
        return b"{}"
    return json.dumps({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}).encode()


def error_body(code: int, message: str) -> bytes:
    """Return a ``google.rpc.Status`` as JSON."""
    return json.dumps({"code": code, "message": message}).encode()


def _each(parent: Json, name: str) -> Iterable[Json]:
    """Return the objects of a list; none if it is absent."""
    return parent.get(name) or ()


def _object(parent: Json, name: str) -> Json:
    return parent.get(name) or {}


def _spans(request: Json) -> Iterable[SpanRecord | None]:
    for resource_spans in _each(request, "resourceSpans"):
        resource = _attributes(_each(_object(resource_spans, "resource"), "attributes"))
        for scope_spans in _each(resource_spans, "scopeSpans"):
            scope = text(_object(scope_spans, "scope").get("name", ""))
            for span in _each(scope_spans, "spans"):
                yield _span(span, scope, resource)


def _span(span: Json, scope: str, resource: dict[str, Any]) -> SpanRecord | None:
    status = _object(span, "status")
    return span_record(
        ids=(_id(span, "traceId"), _id(span, "spanId"), _id(span, "parentSpanId")),
        name=span.get("name", ""),
        kind=int(span.get("kind", 0)),
        times=(int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))),
        status=(int(status.get("code", 0)), status.get("message", "")),
        attributes=_attributes(_each(span, "attributes")),
        events=tuple(map(_event, _each(span, "events"))),
        scope=scope,
        resource=resource,
    )


def _event(event: Json) -> RecordedEvent:
    time = unix_milliseconds(int(event.get("timeUnixNano", 0)))
    return RecordedEvent(
        time=time, name=text(event.get("name", "")), attributes=_attributes(_each(event, "attributes"))
    )


def _id(span: Json, name: str) -> bytes:
    try:
        return bytes.fromhex(span.get(name, ""))
    except ValueError:
        return b""


def _gauges(request: Json) -> Iterable[GaugeRecord]:
    for resource_metrics in _each(request, "resourceMetrics"):
        resource = _attributes(_each(_object(resource_metrics, "resource"), "attributes"))
        for scope_metrics in _each(resource_metrics, "scopeMetrics"):
            for metric in _each(scope_metrics, "metrics"):
                yield from _points(metric, resource)


def _points(metric: Json, resource: dict[str, Any]) -> Iterable[GaugeRecord]:
    if metric.get("name") not in SHOWN_GAUGES:
        return
    for point in _each(_object(metric, "gauge"), "dataPoints"):
        value = float(point["asDouble"] if "asDouble" in point else point.get("asInt", 0))
        attributes = _attributes(_each(point, "attributes"))
        yield from gauge_records(metric["name"], resource, attributes, value, int(point.get("timeUnixNano", 0)))


def _attributes(pairs: Iterable[Json], depth: int = 0) -> dict[str, Any]:
    return {text(pair["key"]): _value(_object(pair, "value"), depth) for pair in pairs if "key" in pair}


def _value(value: Json, depth: int) -> Any:
    for kind, content in value.items():
        match kind:
            case "stringValue":
                return text(content)
            case "intValue":
                return integer(int(content))
            case "doubleValue":
                return real(float(content))
            case "boolValue":
                return bool(content)
            case "bytesValue":
                return text(b64decode(content, validate=True).hex())
            case "arrayValue" | "kvlistValue" if depth >= MAX_DEPTH:
                return CUT
            case "arrayValue":
                return [_value(item, depth + 1) for item in _each(content, "values")]
            case "kvlistValue":
                return _attributes(_each(content, "values"), depth + 1)
    return None

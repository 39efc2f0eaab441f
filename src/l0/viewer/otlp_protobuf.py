"""Read OTLP requests in protobuf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

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

_REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def parse(signal: str, body: bytes) -> Any:
    """Return the message of a request. Raises `OtlpError` for broken bytes, and for values nested 100 levels deep."""
    message = _REQUESTS[signal]()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise OtlpError(f"the body is not a protobuf message for {signal}") from error
    return message


def read(signal: str, message: Any) -> ReceivedBatch:
    """Return the content of a message that `parse` made."""
    if signal == "traces":
        spans = list(_spans(message))
        kept = tuple(span for span in spans if span is not None)
        return ReceivedBatch(spans=kept, rejected=len(spans) - len(kept))
    return ReceivedBatch(gauges=tuple(_gauges(message))) if signal == "metrics" else ReceivedBatch()


def response(signal: str, rejected: int, message: str) -> bytes:
    """Return the body of a success, which is empty unless spans were rejected."""
    if signal != "traces" or not rejected:
        return b""
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    encoded: bytes = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    return encoded


def error_body(code: int, message: str) -> bytes:
    """Return a ``google.rpc.Status``, whose module is not a dependency: field 1 is the code, field 2 the message."""
    encoded = message.encode()[:127]  # so that the length takes one byte
    return bytes((0x08, code, 0x12, len(encoded))) + encoded


def _spans(request: Any) -> Iterable[SpanRecord | None]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = text(scope_spans.scope.name)
            for span in scope_spans.spans:
                yield _span(span, scope, resource)


def _span(span: Any, scope: str, resource: dict[str, Any]) -> SpanRecord | None:
    return span_record(
        ids=(span.trace_id, span.span_id, span.parent_span_id),
        name=span.name,
        kind=span.kind,
        times=(span.start_time_unix_nano, span.end_time_unix_nano),
        status=(span.status.code, span.status.message),
        attributes=_attributes(span.attributes),
        events=tuple(map(_event, span.events)),
        scope=scope,
        resource=resource,
    )


def _event(event: Any) -> RecordedEvent:
    time = unix_milliseconds(event.time_unix_nano)
    return RecordedEvent(time=time, name=text(event.name), attributes=_attributes(event.attributes))


def _gauges(request: Any) -> Iterable[GaugeRecord]:
    for resource_metrics in request.resource_metrics:
        resource = _attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield from _points(metric, resource)


def _points(metric: Any, resource: dict[str, Any]) -> Iterable[GaugeRecord]:
    if metric.name not in SHOWN_GAUGES:
        return
    for point in metric.gauge.data_points:
        value = point.as_double if point.WhichOneof("value") == "as_double" else float(point.as_int)
        attributes = _attributes(point.attributes)
        yield from gauge_records(metric.name, resource, attributes, value, point.time_unix_nano)


def _attributes(pairs: Any, depth: int = 0) -> dict[str, Any]:
    return {text(pair.key): _value(pair.value, depth) for pair in pairs}


def _value(value: Any, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return text(value.string_value)
    if kind == "int_value":
        return integer(value.int_value)
    if kind == "double_value":
        return real(value.double_value)
    if kind == "bool_value":
        return value.bool_value
    if depth >= MAX_DEPTH:
        return CUT
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values, depth + 1)
    return text(value.bytes_value.hex()) if kind == "bytes_value" else None

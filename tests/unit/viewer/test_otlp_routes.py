"""OTLP over HTTP: the real exporter, both encodings, compression, limits, and bodies that are not OTLP."""

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from viewer_client import Answer, ViewerClient, attributes, call, running_viewer, span, traces

from l0.viewer.otlp_body import MAX_BODY_BYTES
from l0.viewer.otlp_values import MAX_DEPTH, MAX_TEXT

NUMBERS = itertools.count(1)
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
PAGE = "/api/calls"
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


def post(viewer: ViewerClient, body: bytes, headers: dict[str, str], signal: str = "traces") -> Answer:
    return viewer.request("POST", f"/v1/{signal}", body, headers)


def error_of(answer: Answer) -> str:
    """Return the message of a ``google.rpc.Status``."""
    if answer.headers["content-type"] == "application/json":
        return str(answer.json["message"])
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert (answer.body[0], answer.body[2], answer.body[3]) == (0x08, 0x12, len(answer.body) - 4)
    return answer.body[4:].decode()


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider(resource=Resource({"service.name": "shop"}))
    yield made
    made.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_real_exporter(viewer: ViewerClient, provider: TracerProvider, compression: Compression) -> None:
    exporter = OTLPSpanExporter(f"{viewer.origin}/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    known: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.finish_reasons": ("stop", "length"),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "flag": True,
    }
    with provider.get_tracer("t").start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT, attributes=known) as made:
        made.add_event("hello", {"numbers": (1, 2)})
        made.set_status(Status(StatusCode.ERROR, "broken"))
    assert provider.force_flush()
    context = made.get_span_context()
    found = viewer.get(f"/api/calls/{context.trace_id:032x}/{context.span_id:016x}")
    assert (found["service"], found["outcome"], found["status_message"]) == ("shop", "failed", "broken")
    assert (found["finish_reasons"], found["input_tokens"], found["first_token"]) == (["stop", "length"], 7, 250.0)
    assert found["attributes"]["flag"] is True
    assert [(event["name"], event["attributes"]) for event in found["events"]] == [("hello", {"numbers": [1, 2]})]


def test_budgets_arrive_as_metrics(viewer: ViewerClient) -> None:
    exporter = OTLPMetricExporter(f"{viewer.origin}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], Resource({"service.name": "shop"}))
    meter = provider.get_meter("t")
    known = {"l0.slo": "first word", "l0.slo.layer": "delivered", "l0.slo.window": "30d", "gen_ai.request.model": "m"}
    meter.create_gauge("l0.slo.error_budget.remaining").set(0.75, known)
    meter.create_gauge("l0.slo.burn_rate").set(2, known)
    meter.create_counter("other").add(1)
    assert provider.force_flush()
    provider.shutdown()
    (state,) = viewer.get("/api/overview")["budgets"]
    assert (state["service"], state["slo"], state["window"]) == ("shop", "first word", "30d")
    assert (state["remaining"], state["burn_rate"], state["model"]) == (0.75, 2.0, "m")


def test_logs_are_accepted_and_dropped(viewer: ViewerClient) -> None:
    assert post(viewer, b"", PROTOBUF, "logs").body == b""
    assert post(viewer, b'{"resourceLogs": []}', JSON, "logs").json == {}


def test_span_that_is_sent_again_is_kept_once(viewer: ViewerClient) -> None:
    sent = call(number := next(NUMBERS))
    viewer.send(sent)
    viewer.send(sent, sent)
    assert viewer.get(PAGE, q=f"{number:032x}")["total"] == 1


@pytest.mark.parametrize("ids", [{"traceId": "00" * 16}, {"spanId": "ab"}, {"spanId": "zz" * 8}, {"traceId": ""}])
def test_spans_without_ids_are_rejected_and_the_others_kept(viewer: ViewerClient, ids: dict[str, str]) -> None:
    number = next(NUMBERS)
    answer = viewer.post_json("traces", traces(call(number), span(next(NUMBERS)) | ids))
    assert answer.status == 200
    assert answer.json["partialSuccess"]["rejectedSpans"] == "1"
    assert viewer.get(PAGE, q=f"{number:032x}")["total"] == 1


def test_rejected_spans_in_protobuf(viewer: ViewerClient) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="no ids")
    answer = post(viewer, request.SerializeToString(), PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1


@pytest.mark.parametrize("headers", [PROTOBUF, JSON])
@pytest.mark.parametrize("signal", ["traces", "metrics"])
@pytest.mark.parametrize("body", [b"\xff" * 64, b"[1]", b"{", b"\x0a\xff\xff\xff\xff\x0f", b'"\xff"'])
def test_broken_body(viewer: ViewerClient, headers: dict[str, str], signal: str, body: bytes) -> None:
    answer = post(viewer, body, headers, signal)
    assert answer.status == 400
    assert signal in error_of(answer)


@pytest.mark.parametrize(
    "message",
    [
        {"resourceSpans": 7},
        {"resourceSpans": [7]},
        {"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]},
        traces(span(1, startTimeUnixNano="soon")),
        traces(span(1, startTimeUnixNano=1e999)),
        traces(span(1, name=["x"])),
        traces(span(1, attributes=[{"key": 1, "value": {}}])),
        traces(span(1, attributes=[{"key": "a", "value": {"intValue": "9" * 5000}}])),
        traces(span(1, attributes=[{"key": "a", "value": {"bytesValue": "?"}}])),
        traces(span(1, status={"code": {}})),
    ],
)
def test_json_field_of_another_type(viewer: ViewerClient, message: Any) -> None:
    answer = viewer.post_json("traces", message)
    assert answer.status == 400
    assert "JSON" in error_of(answer)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 90])
def test_deep_values_are_cut(viewer: ViewerClient, depth: int) -> None:
    known: Any = "core"
    for _ in range(depth):
        known = [known]
    viewer.send(call(number := next(NUMBERS), {"deep": known}))
    found = viewer.get(f"/api/calls/{number:032x}/{number:016x}")["attributes"]["deep"]
    for _ in range(MAX_DEPTH):
        (found,) = found
    assert found == ("core" if depth == MAX_DEPTH else "…")


def test_very_deep_json(viewer: ViewerClient) -> None:
    answer = post(viewer, b'{"a":' * 200_000 + b"1" + b"}" * 200_000, JSON)
    assert answer.status == 400
    assert "nested too deeply" in error_of(answer)


def test_very_deep_protobuf(viewer: ViewerClient) -> None:
    request = ExportTraceServiceRequest()
    made = request.resource_spans.add().scope_spans.add().spans.add()
    held = made.attributes.add(key="a").value
    for _ in range(150):
        held = held.array_value.values.add()
    assert post(viewer, request.SerializeToString(), PROTOBUF).status == 400


def test_oversized_body_is_refused_by_its_length(viewer: ViewerClient) -> None:
    assert viewer.raw(HEAD + f"content-length: {10**12}\r\n\r\n".encode()).startswith(b"HTTP/1.1 413 ")


def test_oversized_body_without_a_length(viewer: ViewerClient) -> None:
    head = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % 2**20 + b" " * 2**20 + b"\r\n"
    try:
        answered = viewer.raw(head + chunk * (MAX_BODY_BYTES // 2**20 + 1))
    except ConnectionError:  # the viewer closes the connection while the rest is sent
        return
    assert answered.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compression_bomb(viewer: ViewerClient, encoding: str) -> None:
    bomb = b" " * (MAX_BODY_BYTES + 1)
    body = gzip.compress(bomb, 9) if encoding == "gzip" else zlib.compress(bomb, 9)
    assert len(body) < 100_000
    assert post(viewer, body, JSON | {"content-encoding": encoding}).status == 413


def test_gzip_of_several_members(viewer: ViewerClient) -> None:
    body = json.dumps(traces(call(number := next(NUMBERS)))).encode()
    parts = gzip.compress(body[:50]) + gzip.compress(body[50:])
    assert post(viewer, parts, JSON | {"content-encoding": "gzip"}).json == {}
    assert viewer.get(PAGE, q=f"{number:032x}")["total"] == 1


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"rest"],
    ids=["not gzip", "cut", "more after the end"],
)
def test_broken_gzip(viewer: ViewerClient, body: bytes) -> None:
    answer = post(viewer, body, JSON | {"content-encoding": "gzip"})
    assert answer.status == 400
    assert "gzip" in error_of(answer)


@pytest.mark.parametrize("headers", [{"content-type": "application/grpc"}, {}, JSON | {"content-encoding": "br"}])
def test_other_encodings(viewer: ViewerClient, headers: dict[str, str]) -> None:
    assert post(viewer, b"{}", headers).status == 415


def test_unknown_signal(viewer: ViewerClient) -> None:
    assert post(viewer, b"{}", JSON, "profiles").status == 405


HOSTILE = [
    "<script>x()</script>",
    "'; DROP TABLE calls; --",
    "\x00\x1b[31m",
    "\ud800 half",
    "\u202egnp.exe",
    "%_\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_as_data(viewer: ViewerClient, text: str) -> None:
    number = next(NUMBERS)
    known = {"gen_ai.request.model": text, text: text, "l0.retry.causes": [text], "l0.outcome": text}
    viewer.send(call(number, known, name=text, error=text), service=text)
    shown = text.replace("\ud800", "�")
    found = viewer.get(f"/api/calls/{number:032x}/{number:016x}")
    assert (found["model"], found["service"], found["name"], found["cause"]) == (shown, shown, shown, shown)
    assert (found["attributes"][shown], found["status_message"], found["outcome"]) == (shown, shown, "failed")
    assert viewer.get(PAGE, model=shown)["calls"][0]["model"] == shown
    assert shown in viewer.get("/api/facets")["causes"]
    assert viewer.get(PAGE)["total"] > 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"intValue": str(2**63 - 1)}, str(2**63 - 1)),
        ({"intValue": 2**53 - 1}, 2**53 - 1),
        ({"doubleValue": "NaN"}, "nan"),
        ({"doubleValue": "-Infinity"}, "-inf"),
        ({"bytesValue": "AP8="}, "00ff"),
        ({"stringValue": "x" * (MAX_TEXT + 5)}, "x" * MAX_TEXT + "…"),
        ({"unknownValue": 1}, None),
        ({"kvlistValue": {"values": attributes({"a": [1, "b"]})}}, {"a": [1, "b"]}),
    ],
)
def test_values_that_javascript_cannot_hold(viewer: ViewerClient, value: dict[str, Any], shown: Any) -> None:
    made = call(number := next(NUMBERS))
    made["attributes"] = [*made["attributes"], {"key": "odd", "value": value}]
    viewer.send(made)
    assert viewer.get(f"/api/calls/{number:032x}/{number:016x}")["attributes"]["odd"] == shown


@pytest.mark.parametrize("name", ["gen_ai.usage.input_tokens", "l0.attempts", "l0.gap.p95", "l0.gap.max"])
@pytest.mark.parametrize("value", [2**62, 1e300, -5, "many", [1], True])
def test_odd_numbers_of_a_call(viewer: ViewerClient, name: str, value: Any) -> None:
    viewer.send(call(number := next(NUMBERS), {name: value}))
    assert viewer.get(PAGE, q=f"{number:032x}")["total"] == 1


def test_odd_times(viewer: ViewerClient, tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as other:
        other.send(
            call(1, startTimeUnixNano="0", endTimeUnixNano="0"),
            call(2, startTimeUnixNano=str(2**64 - 1), endTimeUnixNano="5"),
            call(3, startTimeUnixNano=-7, endTimeUnixNano=10**30),
        )
        found = other.get(PAGE)["calls"]
        assert all(one["duration"] >= 0 for one in found)
        assert len(other.get("/api/overview")["series"]["t"]) <= 120

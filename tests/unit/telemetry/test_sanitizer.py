"""Values passed to OpenTelemetry can be encoded: one malformed text never loses the batch."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

import l0.telemetry
from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, ResponseMetadata, RuleMatched, RuleTimes
from l0.model.failure import Cause, Failure
from l0.model.rule import Severity, Violation
from l0.model.text_safety import well_formed
from l0.telemetry import sanitizer
from l0.telemetry.breaker_metrics import BreakerObserver
from l0.telemetry.fan_out_spans import FanOutSpan
from l0.telemetry.metrics import MetricObserver
from l0.telemetry.spans import SpanObserver

LONE = "half \ud83d of one"
SHOWN = "half \ufffd of one"
SWITCH = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("plain", "plain"),
        ("café 😀", "café 😀"),
        (LONE, SHOWN),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("", ""),
    ],
)
def test_texts_are_well_formed(given, got):
    assert well_formed(given) == got


def test_attributes_that_can_be_encoded_are_not_copied():
    given = {"a": "b", "c": 1, "d": 0.5, "e": True, "f": ("g", "h")}
    assert sanitizer.encodable(given) is given


def test_whatever_is_in_an_attribute_it_can_be_encoded():
    given = {"text": LONE, "texts": ("a", LONE), "number": 2**70, "small": -(2**63), "yes": True}
    assert sanitizer.encodable(given) == {
        "text": SHOWN,
        "texts": ("a", SHOWN),
        "number": str(2**70),
        "small": -(2**63),
        "yes": True,
    }


@pytest.fixture
def events(smooth):
    """A call of which every text has a lone surrogate, and some number is too large."""
    failure = Failure(cause=Cause.BAD_REQUEST, detail=LONE, code=LONE, status=400, message=LONE, request_id=LONE)
    found = Violation(rule=LONE, message=LONE, severity=Severity.ERROR, at=3)
    metadata = ResponseMetadata(
        response_id=LONE, model=LONE, finish_reasons=(LONE,), output_tokens=2**70, anomalies=(LONE,), extra={"x": LONE}
    )
    return [
        AttemptStarted(attempt=AttemptSpec(number=1), at=100.0),
        AttemptEnded(number=1, failure=failure, status=400, request_id=LONE, at=100.2),
        AttemptStarted(attempt=AttemptSpec(number=2, resume=LONE, waited_s=0.3), at=100.5),
        RuleMatched(violation=found, action="failed", at=100.6),
        RuleMatched(violation=replace(found, rule=f"drift.{LONE}"), action="failed", at=100.6, drift=True),
        AttemptEnded(number=2, failure=failure, status=200, request_id=LONE, at=102.5),
        replace(
            smooth[-1],
            outcome=Outcome.FAILED,
            failure=failure,
            failures=(failure, failure),
            attempts=2,
            metadata=metadata,
            text=LONE,
            tool_calls=((LONE, LONE),),
            rules={LONE: RuleTimes(count=1, streaming=0.1, final=0.1)},
        ),
    ]


@pytest.fixture
def broken(call):
    body = {"messages": [{"role": LONE, "content": [LONE, {"type": LONE}]}], "tools": [{"type": LONE, "name": LONE}]}
    return replace(call, model=LONE, attributes={"gen_ai.request.stop_sequences": (LONE,), "seed": 2**70}, body=body)


@pytest.mark.parametrize("mode", ["", "SPAN_AND_EVENT"])
def test_no_text_of_a_call_loses_the_batch(traces, metrics, broken, events, play, monkeypatch, mode):
    monkeypatch.setenv(SWITCH, mode)
    play(SpanObserver(traces.provider, logger_provider=traces.logs), events, broken)
    play(MetricObserver(metrics.provider), events, broken)
    spans = encode_spans(traces.exporter.get_finished_spans()).SerializeToString()
    assert SHOWN.encode() in spans
    logs = encode_logs(traces.log_exporter.get_finished_logs()).SerializeToString()
    assert (SHOWN.encode() in logs) == bool(mode)
    assert SHOWN.encode() in encode_metrics(metrics.reader.get_metrics_data()).SerializeToString()
    assert len(traces.exporter.get_finished_spans()) == 3


def test_captured_content_is_valid_json_with_lone_surrogates_replaced(traces, broken, events, play, monkeypatch):
    monkeypatch.setenv(SWITCH, "SPAN_ONLY")
    play(SpanObserver(traces.provider), events, broken)
    (span,) = (span for span in traces.exporter.get_finished_spans() if span.parent is None)
    (message,) = json.loads(span.attributes["gen_ai.input.messages"])
    assert message["parts"][0]["content"] == SHOWN
    assert span.status.description.endswith(SHOWN)


def test_fans_and_breakers_too(traces, metrics, broken, monkeypatch):
    class Breakers:
        meters: set[object] = set()  # noqa: RUF012 - one test

        def items(self):
            return [(("openai", LONE), type("Breaker", (), {"state": "open"})())]

    BreakerObserver(Breakers(), metrics.provider).observe(broken)
    assert SHOWN.encode() in encode_metrics(metrics.reader.get_metrics_data()).SerializeToString()
    tracer = traces.provider.get_tracer("t")
    monkeypatch.setattr("l0.telemetry.fan_out_spans._GLOBAL_TRACER", lambda: tracer)
    with FanOutSpan(LONE) as fan, fan.branch(0) as branch:
        branch.failed(ValueError("x"))
    assert encode_spans(traces.exporter.get_finished_spans()).SerializeToString().count(SHOWN.encode()) >= 2  # names


def test_all_calls_to_opentelemetry_use_the_sanitizer():
    telling = re.compile(r"\.(set_attributes?|add_event|set_status|record_exception|start_span)\(")
    room = Path(l0.telemetry.__file__).parent
    others = [
        f"{file.name}: {line.strip()}"
        for file in room.glob("*.py")
        if file.name != "sanitizer.py"
        for line in file.read_text().splitlines()
        if telling.search(line) and "sanitizer." not in line
    ]
    assert others == []

"""Gemini's chunks: finish reasons are the only end, and an answer in one event proves nothing about its connection."""

import json
from typing import Any

import pytest

from l0.dialects.answer_fold import complete_answer
from l0.dialects.generate_content import GENERATE_CONTENT, GenerateContentReader, content_deltas
from l0.model.failure import Cause
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.dialects import generate_content_server
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest


def reader(choices: int = 1) -> GenerateContentReader:
    return GenerateContentReader(
        dict, "text/event-stream", choices=choices, make_error=lambda message, body: ValueError(message)
    )


def chunk(*parts: dict[str, Any], reason: str | None = None, index: int | None = 0, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    candidate |= {} if index is None else {"index": index}
    candidate |= {} if reason is None else {"finishReason": reason}
    return {"candidates": [candidate], "modelVersion": "gemini", "responseId": "r1"} | more


def text(fragment: str, **more: Any) -> dict[str, Any]:
    return chunk({"text": fragment}, **more)


CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}


@pytest.mark.parametrize(
    ("events", "missing", "certain", "whole", "anomalies"),
    [
        ([text("Hi"), text("", reason="STOP")], None, True, "Hi", ()),
        ([text("H"), text("i", reason="STOP")], None, True, "Hi", ()),
        ([text("Hi", reason="STOP")], None, False, "Hi", ()),  # it may state a reason in each event
        ([text("H", reason="STOP"), text("i", reason="STOP")], None, False, "Hi", ("finish_reason_per_event",)),
        ([text("Hi", index=None), chunk(reason="STOP", index=None)], None, True, "Hi", ()),
        ([text("Hi")], Cause.TRUNCATED, False, "Hi", ()),
        ([text("Hi", reason="FINISH_REASON_UNSPECIFIED")], Cause.TRUNCATED, False, "Hi", ()),
        ([text("Hi"), text("Ho", index=1), chunk(reason="STOP")], Cause.TRUNCATED, False, "Hi", ()),
        # Some gateways state a reason before the text, in frames without content.
        ([chunk(reason="STOP"), text("Hi")], Cause.TRUNCATED, False, "Hi", ()),
        ([chunk(reason="STOP"), text("Hi"), chunk(reason="STOP")], None, True, "Hi", ()),
        ([], Cause.EMPTY, False, "", ()),
        ([chunk(reason="MALFORMED_FUNCTION_CALL")], None, False, "", ("no_content",)),
        ([BLOCKED], None, True, "", ("no_content",)),
        ([chunk({"text": "I think", "thought": True}), text("Hi", reason="STOP")], None, True, "Hi", ()),
        ([chunk(CALL, reason="STOP")], None, False, "", ()),
    ],
)
def test_end_of_an_answer(
    events: list[Any], missing: Cause | None, certain: bool, whole: str, anomalies: tuple[str, ...]
) -> None:
    read = reader()
    for event in events:
        assert read.read_event(None, json.dumps(event).encode()) == event
    read.finish()
    assert (read.failure, read.incomplete_cause(), "".join(read.text)) == (None, missing, whole)
    assert read.certainly_complete() is certain
    assert read.metadata().anomalies == anomalies


def test_error_in_place_of_a_chunk_fails() -> None:
    read = reader()
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}
    assert read.read_event(None, json.dumps({"error": error}).encode()) is None
    assert read.failure is not None
    assert (read.failure.cause, read.failure.code) == (Cause.RATE_LIMIT, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(
    "event",
    [
        {"candidates": 3},
        {"candidates": [3]},
        {"candidates": [{"content": {"parts": [3]}}]},
        {"candidates": [{"index": []}]},
    ],
)
def test_odd_shape_reaches_the_user_and_is_noted(event: Any) -> None:
    read = reader()
    assert read.read_event(None, json.dumps(event).encode()) == event
    assert read.failure is None


ANSWERS = [
    Answer(text="One, two."),
    Answer(reasoning="I think.", text="So I am."),
    Answer(text="Look:", tool_calls=(SimulatedToolCall(name="f", arguments='{"a": [1]}'),)),
    Answer(refusal="No."),
    Answer(text="It goes on", stop="length"),
]


@pytest.mark.parametrize("choices", [1, 2])
@pytest.mark.parametrize("answer", ANSWERS)
def test_reader_deltas_and_complete_answers_agree(answer: Answer, choices: int) -> None:
    request = SimulatedRequest(model="gemini", stream=True, choices=choices)
    identity = AnswerIdentity.of(0, 0)
    read = reader(choices)
    body = b"".join(generate_content_server.events(answer, request, identity))
    for line in filter(None, body.split(b"\r\n\r\n")):
        read.read_event(None, line.removeprefix(b"data: "))
    whole = complete_answer(GENERATE_CONTENT, generate_content_server.complete_response(answer, request, identity))
    metadata = read.metadata()
    assert whole.text == "".join(read.text)
    assert whole.metadata is not None
    assert whole.metadata.finish_reasons == metadata.finish_reasons
    assert (whole.metadata.input_tokens, whole.metadata.output_tokens) == (
        metadata.input_tokens,
        metadata.output_tokens,
    )
    if choices == 1:
        assert whole.calls == tuple((call.name, "".join(call.arguments)) for call in read.tools.values())


def test_repeated_answer_is_joined_within_its_last_event() -> None:
    first = reader()
    for event in (text("Hello"), text(" wor")):
        first.read_event(None, json.dumps(event).encode())
    again = reader()
    again.resume(first.resume_state(), "exact")
    items = [
        item
        for event in (text("Hello wor"), text("ld", reason="STOP"))
        for item in again.read_resumed(None, json.dumps(event).encode())
    ]
    again.finish()
    assert again.failure is None
    assert "".join(item["candidates"][0]["content"]["parts"][0]["text"] for item in items) == "ld"
    assert items[-1]["candidates"][0]["finishReason"] == "STOP"


def test_end_is_not_lost_if_its_event_repeats_the_last_text() -> None:
    first = reader()
    first.read_event(None, json.dumps(text("Hello world")).encode())
    again = reader()
    again.resume(first.resume_state(), "exact")
    items = again.read_resumed(None, json.dumps(text("Hello world", reason="STOP")).encode())
    again.finish()
    assert again.failure is None
    assert [item["candidates"][0].get("finishReason") for item in items] == ["STOP"]


def test_error_of_a_complete_answer_is_a_delta() -> None:
    (delta,) = content_deltas({"error": {"message": "no", "status": "INTERNAL"}})
    assert (delta.message, delta.code) == ("no", "INTERNAL")

"""Bedrock's Converse events: complete at `messageStop`, and the usage comes after it."""

import json
from typing import Any

import pytest

from l0.dialects.answer_fold import AnswerFold, complete_answer
from l0.dialects.converse import CONVERSE, ConverseReader, event_deltas
from l0.dialects.deltas import AnswerError, TextDelta
from l0.model.failure import Cause
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.dialects import converse_server
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest

Event = tuple[str, dict[str, Any]]


def reader() -> ConverseReader:
    return ConverseReader(dict, "")


def read(events: list[Event], into: ConverseReader) -> list[Any]:
    return [into.read_event(name.encode(), json.dumps(body).encode()) for name, body in events]


def delta(index: int = 0, **body: Any) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": body}


def end(index: int = 0) -> Event:
    return "contentBlockStop", {"contentBlockIndex": index}


START: Event = ("messageStart", {"role": "assistant"})
STOP: Event = ("messageStop", {"stopReason": "end_turn"})
USAGE: Event = ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 4}})
TOOL: Event = ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})
SERVER: Event = ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolResult": {"toolUseId": "t"}}})


@pytest.mark.parametrize(
    ("events", "missing", "anomalies"),
    [
        ([START, delta(text="Hi"), end(), STOP, USAGE], None, ()),
        ([START, delta(text="Hi"), end(), STOP], None, ()),
        ([START, delta(text="Hi"), end()], Cause.TRUNCATED, ()),
        ([START], Cause.EMPTY, ()),
        ([], Cause.EMPTY, ()),
        ([START, STOP, USAGE], None, ("no_content",)),
        ([START, delta(text="Hi"), end(), STOP, delta(text="!"), USAGE], None, ("data_after_end",)),
        ([START, delta(text="Hi"), end(), delta(text="!"), STOP, USAGE], None, ("out_of_order",)),
        ([START, TOOL, delta(1, toolUse={"input": "{}"}), end(1), STOP, USAGE], None, ()),
        ([START, delta(reasoningContent={"text": "So"}), delta(1, text="Hi"), STOP, USAGE], None, ()),
        ([START, SERVER, STOP, USAGE], None, ()),
        ([START, ("newEvent", {}), delta(text="Hi"), STOP, USAGE], None, ()),
    ],
)
def test_end_of_an_answer(events: list[Event], missing: Cause | None, anomalies: tuple[str, ...]) -> None:
    into = reader()
    assert read(events, into) == [{name: body} for name, body in events]
    into.finish()
    assert (into.failure, into.incomplete_cause()) == (None, missing)
    assert into.metadata().anomalies == anomalies
    assert into.finished is (STOP in events and USAGE in events)


def test_input_tokens_include_cached_ones() -> None:
    into = reader()
    read([START, delta(text="Hi"), STOP, USAGE], into)
    metadata = into.metadata()
    assert (metadata.input_tokens, metadata.output_tokens, metadata.cache_read_tokens) == (7, 2, 4)
    assert metadata.finish_reasons == ("end_turn",)


def test_tool_of_the_server_accepts_the_request() -> None:
    into = reader()
    read([START, SERVER], into)
    assert into.accepted


def test_arguments_that_break_off_are_a_failure() -> None:
    into, stop = reader(), ("messageStop", {"stopReason": "tool_use"})
    read([START, TOOL, delta(1, toolUse={"input": '{"a": '}), end(1), stop], into)
    into.finish()
    assert into.failure is not None
    assert into.failure.cause is Cause.TRUNCATED


@pytest.mark.parametrize(
    "event",
    [delta(), ("contentBlockDelta", {}), ("contentBlockDelta", {"delta": 3}), ("messageStop", {}), ("metadata", {})],
)
def test_odd_shape_reaches_the_user(event: Event) -> None:
    into = reader()
    assert read([event], into) == [dict([event])]
    assert into.failure is None


def test_event_without_a_type_is_left_out_as_by_the_sdk() -> None:
    into = reader()
    assert into.read_event(None, b'{"contentBlockIndex": 0}') is None
    assert "unnamed_event" in into.anomalies


def test_broken_json_fails() -> None:
    into = reader()
    assert into.read_event(b"contentBlockDelta", b'{"delta"') is None
    assert into.failure is not None
    assert into.failure.cause is Cause.MALFORMED


def test_repeated_answer_is_joined() -> None:
    first, again = reader(), reader()
    read([START, delta(text="Hello"), delta(text=" wor")], first)
    again.resume(first.resume_state(), "exact")
    events = [START, delta(text="Hello wor"), delta(text="ld"), end(), STOP, USAGE]
    items = [item for name, body in events for item in again.read_resumed(name.encode(), json.dumps(body).encode())]
    again.finish()
    assert again.failure is None
    assert items == [{name: body} for name, body in events[2:]]


ANSWERS = [
    Answer(text="One, two."),
    Answer(reasoning="I think.", text="So I am."),
    Answer(text="Look:", tool_calls=(SimulatedToolCall(name="f", arguments='{"a": [1]}'),)),
    Answer(refusal="No."),
    Answer(text="It goes on", stop="length"),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_reader_deltas_and_complete_answers_agree(answer: Answer) -> None:
    request, identity = SimulatedRequest(model="nova", stream=True), AnswerIdentity.of(0, 0)
    into, fold, texts = reader(), AnswerFold(CONVERSE), []
    for block in converse_server.events(answer, request, identity):
        name, data = block.rstrip().removeprefix(b"event: ").split(b"\ndata: ")
        for each in event_deltas(into.read_event(name, data)):
            fold.add(each)
            texts += [each.text] if isinstance(each, TextDelta) else []
    whole = complete_answer(CONVERSE, converse_server.complete_response(answer, request, identity))
    assert whole.text == "".join(into.text) == "".join(texts)
    calls = tuple((call.name, "".join(call.arguments)) for call in into.tools.values())
    assert whole.calls == calls == tuple((call.name, call.arguments) for call in fold.calls)
    assert fold.ended
    for metadata in (fold.metadata(), whole.metadata):
        assert metadata is not None
        assert metadata.finish_reasons == into.metadata().finish_reasons
        assert metadata.output_tokens == into.metadata().output_tokens


def test_exception_is_an_error() -> None:
    (found,) = event_deltas({"throttlingException": {"message": "slow down"}})
    assert found == AnswerError("slow down", "throttlingException")
    assert event_deltas({"newEvent": {}}) == event_deltas(3) == []

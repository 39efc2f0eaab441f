"""Chat chunks and legacy completions: event sequences to verdict, content, oddities, failure and facts."""

import json
from typing import Any

import openai
import pytest
from installed import httpx
from reading import feed

from l0.dialects.chat import ChatReader, completion_deltas
from l0.dialects.completions import CompletionsReader
from l0.dialects.deltas import AnswerError, TextDelta, UsageDelta
from l0.model.failure import Cause

REQUEST = httpx.Request("POST", "https://api.openai.com/v1/chat/completions")


def make_error(message: str, body: object) -> Exception:
    return openai.APIError(message, request=REQUEST, body=body)


DONE = b"[DONE]"
NO_WRAPS: frozenset[bytes] = frozenset()


def reader(kind: Any = ChatReader, *, choices: int = 1, wraps: frozenset[bytes] = NO_WRAPS, **options: Any) -> Any:
    made = {"build": dict, "content_type": "text/event-stream"} | options
    return kind(made["build"], made["content_type"], choices=choices, wraps=wraps, make_error=make_error)


def chunk(
    delta: dict[str, Any] | None = None, finish_reason: str | None = None, index: int = 0, **more: Any
) -> dict[str, Any]:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [choice]} | more


def delta(text: str, index: int = 0) -> dict[str, Any]:
    return chunk({"content": text}, index=index)


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk(finish_reason="stop")
USAGE = {
    "id": "chatcmpl-1",
    "choices": [],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
TOOL = chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]})
ARGUMENTS = chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]})


@pytest.mark.parametrize(
    ("events", "choices", "missing", "content", "text", "anomalies"),
    [
        ([ROLE, delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ()),
        ([ROLE, delta("Hi"), STOP], 1, None, 1, "Hi", ()),  # a finish reason is as good as a terminal event
        ([ROLE, delta("Hi"), DONE], 1, None, 1, "Hi", ("done_without_finish_reason",)),
        ([ROLE, STOP, DONE], 1, None, 0, "", ("no_content",)),
        ([ROLE, STOP], 1, None, 0, "", ("no_content",)),
        ([ROLE, delta("Hi")], 1, Cause.TRUNCATED, 1, "Hi", ()),
        ([ROLE], 1, Cause.EMPTY, 0, "", ()),
        ([], 1, Cause.EMPTY, 0, "", ()),
        ([DONE], 1, Cause.EMPTY, 0, "", ()),
        # The events are of another format, so nothing proves that the answer is empty.
        ([{"id": "c", "event": {"delta": {"text": "Hi"}}}], 1, Cause.TRUNCATED, 0, "", ("unknown_shape",)),
        ([b"null", delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ("null_event",)),
        ([b"", delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ("event_without_data",)),
        # Several choices: each must finish, and only the first is the text.
        (
            [delta("a"), delta("b", 1), STOP, chunk(finish_reason="length", index=1), DONE],
            2,
            None,
            2,
            "a",
            (),
        ),
        ([delta("a"), delta("b", 1), STOP], 2, Cause.TRUNCATED, 2, "a", ()),
        ([delta("a"), delta("b", 1), STOP, chunk(finish_reason="stop", index=1)], 2, None, 2, "a", ()),
        # Content that is no text.
        ([ROLE, TOOL, ARGUMENTS, chunk(finish_reason="tool_calls"), DONE], 1, None, 2, "", ()),
        ([ROLE, TOOL], 1, Cause.TRUNCATED, 1, "", ()),
        ([ROLE, chunk({"refusal": "I can't."}), STOP, DONE], 1, None, 1, "", ()),
        ([ROLE, chunk({"reasoning_content": "hm"}), delta("Hi"), STOP, DONE], 1, None, 2, "Hi", ()),
        ([ROLE, chunk({"audio": {"data": "AAAA"}}), STOP, DONE], 1, None, 1, "", ()),
        ([ROLE, chunk({"function_call": {"name": "f", "arguments": "{"}}), STOP, DONE], 1, None, 1, "", ()),
        # Shapes that nobody promised.
        ([{"choices": None}, delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ("unknown_shape",)),
        ([{"object": "ping"}, delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ("unknown_shape",)),
        ([{"choices": []}, delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ()),
        ([chunk(None), delta("Hi"), STOP, DONE], 1, None, 1, "Hi", ()),
    ],
)
def test_sequences(events, choices, missing, content, text, anomalies):
    made = reader(choices=choices)
    feed(made, *events)
    assert made.failure is None
    assert (made.incomplete_cause(), made.content, "".join(made.text)) == (missing, content, text)
    assert made.metadata().anomalies == anomalies


def test_all_events_but_the_terminal_one_are_delivered():
    made = reader()
    assert feed(made, ROLE, delta("Hi"), STOP, USAGE, DONE, delta("late")) == [
        ROLE,
        delta("Hi"),
        STOP,
        USAGE,
    ]
    assert (made.finished, made.stopped) == (True, True)


def test_done_may_carry_white_space():
    made = reader()
    feed(made, delta("Hi"), STOP, b"[DONE] ")
    assert made.finished


def test_facts():
    made = reader()
    feed(made, ROLE, delta("Hi"), STOP, USAGE, DONE)
    metadata = made.metadata()
    assert (metadata.response_id, metadata.model, metadata.finish_reasons) == ("chatcmpl-1", "gpt-4o", ("stop",))
    assert (metadata.input_tokens, metadata.output_tokens) == (9, 4)
    assert (metadata.cache_read_tokens, metadata.cache_write_tokens, metadata.reasoning_tokens) == (3, 1, 2)
    assert metadata.extra == {}


def test_the_tier_and_the_fingerprint_are_those_of_the_first_chunk():
    made = reader()
    feed(
        made,
        chunk({"content": "Hi"}, service_tier="flex", system_fingerprint="fp_1"),
        chunk(finish_reason="stop"),
        DONE,
    )
    told = {"openai.response.service_tier": "flex", "openai.response.system_fingerprint": "fp_1"}
    assert made.metadata().extra == told


@pytest.mark.parametrize(
    ("events", "choices", "reasons"),
    [
        ([delta("a")], 1, ("error",)),
        ([delta("a"), delta("b", 1), STOP], 2, ("stop", "error")),
        ([delta("a"), STOP], 2, ("stop",)),  # fewer choices than were asked for
        ([chunk(finish_reason="length", index=1), STOP], 2, ("stop", "length")),
        ([STOP, chunk(finish_reason="stop", index=1)], 1, ("stop", "stop")),  # more choices than were asked for
    ],
)
def test_finish_reasons_per_choice_with_error_for_a_missing_one(events, choices, reasons):
    made = reader(choices=choices)
    feed(made, *events)
    assert made.metadata().finish_reasons == reasons


def test_without_usage_nothing_is_estimated():
    made = reader()
    feed(made, delta("Hi"), STOP, DONE)
    assert (made.metadata().input_tokens, made.metadata().output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow"}, Cause.RATE_LIMIT, "rate_limit_exceeded"),
        ({"code": "insufficient_quota", "message": "pay"}, Cause.QUOTA, "insufficient_quota"),
        ({"type": "server_error", "message": "oops"}, Cause.SERVER_ERROR, "server_error"),
        ({"code": None, "type": "overloaded_error", "message": "busy"}, Cause.OVERLOADED, "overloaded_error"),
        ({"code": "context_length_exceeded", "message": "long"}, Cause.CONTEXT_LENGTH, "context_length_exceeded"),
        ({"code": 529, "message": "busy"}, Cause.OVERLOADED, "529"),
        ({"code": 502, "message": "gateway"}, Cause.SERVER_ERROR, "502"),
        ({"code": 400, "message": "you"}, Cause.BAD_REQUEST, "400"),
        ({"code": "never heard of", "message": "?"}, Cause.IN_BAND_ERROR, "never heard of"),
        ("just text", Cause.IN_BAND_ERROR, None),
    ],
)
def test_an_error_inside_the_stream_is_the_sdks_and_classified_by_its_code(error, cause, code):
    made = reader()
    assert feed(made, delta("Hi"), {"error": error}, delta("late")) == [delta("Hi")]
    failure = made.failure
    assert (failure.cause, failure.code, failure.typed) == (cause, code, False)
    assert type(failure.error) is openai.APIError
    assert failure.error.body == error
    expected = error["message"] if isinstance(error, dict) else "An error occurred during streaming"
    assert failure.error.message == expected


@pytest.mark.parametrize("reason", ["error", "abort", "network_error", "insufficient_system_resource"])
def test_a_finish_reason_of_a_failure_is_one_that_the_user_has_seen(reason):
    made = reader()
    feed(made, delta("Hi"), chunk(finish_reason=reason), DONE)
    assert (made.failure.cause, made.failure.typed) == (Cause.IN_BAND_ERROR, True)


@pytest.mark.parametrize("reason", ["stop", None])
def test_an_error_in_the_field_of_groq_is_a_failure(reason):
    made = reader()
    feed(made, delta("Hi"), chunk(finish_reason=reason, x_groq={"id": "req", "error": "over_capacity"}), DONE)
    failure = made.failure
    assert (failure.cause, failure.code, failure.typed) == (Cause.IN_BAND_ERROR, "over_capacity", True)


def test_the_field_of_groq_is_read_in_objects_as_well():
    groq = {"usage": USAGE["usage"], "error": "over_capacity"}
    found = completion_deltas(chunk(finish_reason="stop", x_groq=groq))
    assert any(type(each) is UsageDelta for each in found)
    assert next(each.code for each in found if type(each) is AnswerError) == "over_capacity"


def test_the_usage_in_the_field_of_groq_is_read():
    made = reader()
    feed(made, delta("Hi"), chunk(finish_reason="stop", x_groq={"id": "req", "usage": USAGE["usage"]}), DONE)
    assert (made.failure, made.metadata().input_tokens, made.metadata().output_tokens) == (None, 9, 4)


def test_an_error_beside_null_choices_is_a_failure():
    made = reader()
    status = {"status_code": 1008, "status_msg": "insufficient balance"}
    feed(made, {"id": "", "choices": None, "usage": {"total_tokens": 0}, "base_resp": status})
    assert (made.failure.code, made.failure.detail) == ("1008", "insufficient balance")


def test_broken_json_stops_the_reading():
    made = reader()
    assert feed(made, delta("Hi"), b'{"choices": [', delta("late")) == [delta("Hi")]
    assert made.failure.cause is Cause.MALFORMED
    assert isinstance(made.failure.error, json.JSONDecodeError)


def test_named_events_are_wrapped_as_by_the_sdk():
    assert reader().read_event(b"probe", json.dumps(delta("Hi")).encode()) == delta("Hi")
    wrapped = reader(wraps=frozenset({b"probe"})).read_event(b"probe", json.dumps(delta("Hi")).encode())
    assert wrapped == {"data": delta("Hi"), "event": "probe"}


def test_an_event_named_error_is_one():
    made = reader()
    made.read_event(b"error", b'{"code": "server_error", "message": "oops"}')
    assert made.failure.cause is Cause.SERVER_ERROR


def test_characters_of_every_kind_of_content_are_counted():
    made = reader()
    feed(made, delta("four"), chunk({"reasoning_content": "six..."}), ARGUMENTS)
    assert made.chars == 4 + 6 + 8


def test_a_page_that_is_no_stream():
    assert reader(content_type="text/html").incomplete_cause() is Cause.NOT_A_STREAM


CUT = chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"path": "/tm'}}]})


@pytest.mark.parametrize(
    "ending",
    [
        [],
        [DONE],
        [chunk(finish_reason="end_turn"), DONE],
        [chunk(finish_reason="eos_token"), DONE],
        [chunk(finish_reason="tool_calls"), {"id": "chatcmpl-1", "usage": {"prompt_tokens": 1}}, DONE],
        [chunk(finish_reason="tool_calls"), {"id": "chatcmpl-1", "choices": None, "usage": {"prompt_tokens": 1}}, DONE],
    ],
)
def test_tool_arguments_that_break_off_without_a_limit_are_a_failure(ending):
    made = reader()
    feed(made, ROLE, TOOL, CUT, *ending)
    made.finish()
    assert made.failure.cause is Cause.TRUNCATED


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens", "never heard of"])
def test_tool_arguments_may_break_off_at_a_limit(reason):
    made = reader()
    feed(made, ROLE, TOOL, CUT, chunk(finish_reason=reason), DONE)
    made.finish()
    assert made.failure is None


@pytest.mark.parametrize("choices", [{}, {"choices": None}])
def test_usage_without_choices_is_read(choices):
    made = reader()
    feed(made, delta("Hi"), STOP, {"id": "chatcmpl-1", "usage": USAGE["usage"]} | choices, DONE)
    assert (made.metadata().input_tokens, made.metadata().anomalies) == (9, ())


# Legacy completions


def legacy(text: str, finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    choice = {"text": text, "index": index, "finish_reason": finish_reason}
    return {"id": "cmpl-1", "model": "gpt-3.5-turbo-instruct", "choices": [choice]}


@pytest.mark.parametrize(
    ("events", "choices", "missing", "text"),
    [
        ([legacy("Hi"), legacy("", "stop"), DONE], 1, None, "Hi"),
        ([legacy("Hi", "length")], 1, None, "Hi"),
        ([legacy("Hi")], 1, Cause.TRUNCATED, "Hi"),
        ([legacy("a"), legacy("b", "stop", 1), DONE], 2, None, "a"),
        ([legacy("a", "stop"), legacy("b", index=1)], 2, Cause.TRUNCATED, "a"),
        ([legacy("")], 1, Cause.EMPTY, ""),
    ],
)
def test_legacy_completions(events, choices, missing, text):
    made = reader(CompletionsReader, choices=choices)
    feed(made, *events)
    assert (made.incomplete_cause(), "".join(made.text)) == (missing, text)
    assert made.metadata().model == (events[0]["model"] if events else None)


def test_unusual_legacy_chunk_is_an_anomaly_and_not_a_failure():
    made = reader(CompletionsReader)
    feed(made, {"choices": 7}, legacy("Hi", "stop"))
    assert (made.incomplete_cause(), made.metadata().anomalies) == (None, ("unknown_shape",))


def test_identity_is_that_of_the_first_chunk_that_states_one():
    """Azure sends the results of its prompt filter first, in a chunk without id and model."""
    made = reader()
    filtered = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    feed(made, filtered, delta("Hi"), chunk(finish_reason="stop") | {"model": "another"})
    assert (made.metadata().response_id, made.metadata().model) == ("chatcmpl-1", "gpt-4o")


def test_service_tier_may_come_with_the_usage():
    made = reader()
    last = {"choices": [], "usage": {"prompt_tokens": 1}, "service_tier": "default", "system_fingerprint": "fp"}
    feed(made, delta("Hi"), chunk(finish_reason="stop"), last)
    expected = {"openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp"}
    assert made.metadata().extra == expected


def test_custom_tool_call_has_its_name_and_its_input():
    made = reader()
    pieces = [{"index": 0, "id": "c", "custom": {"name": "n", "input": "fr"}}, {"index": 0, "custom": {"input": "ee"}}]
    feed(made, *(chunk({"tool_calls": [piece]}) for piece in pieces))
    assert [(call.name, "".join(call.arguments)) for call in made.tools.values()] == [("n", "free")]


@pytest.mark.parametrize(
    ("parts", "content", "text"),
    [
        ([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}], 2, "Hello"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], 1, ""),
        ([{"type": "text", "text": ""}], 0, ""),
        ([{"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "Oslo"}], 2, "Oslo"),
    ],
    ids=["text", "thinking", "empty text", "reference and text"],
)
def test_list_of_parts_holds_the_text_of_the_answer(parts: list[Any], content: int, text: str) -> None:
    read = reader()
    event = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": parts}, "finish_reason": None}]}
    read.apply(event)
    assert (read.content, "".join(read.text), read.chars) == (content, text, len(text))
    assert not read.resumable
    assert "".join(delta.text for delta in completion_deltas(event) if isinstance(delta, TextDelta)) == text


def test_text_in_parts_of_another_choice_is_not_the_text_of_the_answer() -> None:
    read = reader(choices=2)
    read.apply(
        {"id": "c", "model": "m", "choices": [{"index": 1, "delta": {"content": [{"type": "text", "text": "B"}]}}]}
    )
    assert (read.content, read.text, read.chars) == (1, [], 1)

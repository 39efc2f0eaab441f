"""Responses events: sequence numbers, typed failures, server tools and what is missing."""

from typing import Any

import openai
import pytest
from installed import httpx
from reading import feed

from l0.dialects.responses import ResponsesReader
from l0.model.failure import Cause

REQUEST = httpx.Request("POST", "https://api.openai.com/v1/responses")


def make_error(message: str, body: object) -> Exception:
    return openai.APIError(message, request=REQUEST, body=body)


def reader(
    *, kept: bool = False, replays: bool = False, content_type: str = "text/event-stream", order: Any = "evidence"
) -> ResponsesReader:
    return ResponsesReader(dict, content_type, kept=kept, replays=replays, make_error=make_error, order=order)


def numbered(*events: dict[str, Any], start: int = 0) -> list[dict[str, Any]]:
    return [event | {"sequence_number": number} for number, event in enumerate(events, start)]


def response(kind: str, **fields: Any) -> dict[str, Any]:
    body = {"id": "resp_1", "model": "gpt-5", "status": kind, "error": None} | fields
    return {"type": f"response.{kind}", "response": body}


def text(piece: str, output: int = 0) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": piece, "output_index": output}


CREATED = response("created")
USAGE = {
    "input_tokens": 9,
    "output_tokens": 4,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1},
    "output_tokens_details": {"reasoning_tokens": 2},
}
COMPLETED = response("completed", usage=USAGE)


@pytest.mark.parametrize(
    ("events", "missing", "content", "text", "anomalies"),
    [
        ([CREATED, text("Hi"), COMPLETED], None, 1, "Hi", ()),
        ([CREATED, text("Hi"), response("incomplete")], None, 1, "Hi", ()),
        ([CREATED, COMPLETED], None, 0, "", ("no_content",)),
        ([CREATED, text("Hi")], Cause.TRUNCATED, 1, "Hi", ()),
        ([CREATED], Cause.EMPTY, 0, "", ()),
        ([], Cause.EMPTY, 0, "", ()),
        ([b"[DONE]"], Cause.EMPTY, 0, "", ()),
        ([b"null"], Cause.EMPTY, 0, "", ("null_event",)),
        ([{"id": "c", "event": {"delta": "Hi"}}], Cause.TRUNCATED, 0, "", ()),
        ([CREATED, text("Hi"), b"[DONE]"], Cause.TRUNCATED, 1, "Hi", ()),
        ([CREATED, {"type": "response.refusal.delta", "delta": "no"}, COMPLETED], None, 1, "", ()),
        ([CREATED, {"type": "response.function_call_arguments.delta", "delta": "{"}, COMPLETED], None, 1, "", ()),
        ([CREATED, {"type": "response.reasoning_summary_text.delta", "delta": "hm"}, COMPLETED], None, 1, "", ()),
        ([CREATED, text("a"), text("b", 1), COMPLETED], None, 2, "ab", ()),  # after reasoning, the text is item 1
        ([CREATED, {"type": None}, {"no": "type"}, text("a"), COMPLETED], None, 1, "a", ()),
    ],
)
def test_sequences(events, missing, content, text, anomalies):
    made = reader()
    feed(made, *events)
    assert made.failure is None
    assert (made.incomplete_cause(), made.content, "".join(made.text)) == (missing, content, text)
    assert made.metadata().anomalies == anomalies


def test_events_after_the_terminal_one_are_delivered_until_done():
    made = reader()
    other = {"type": "server.bookkeeping"}
    assert feed(made, CREATED, text("Hi"), COMPLETED, other, b"[DONE]", text("late"))[-1] == other
    assert (made.finished, made.incomplete_cause()) == (True, None)


def test_facts():
    made = reader()
    feed(made, CREATED, text("Hi"), COMPLETED)
    metadata = made.metadata()
    assert (metadata.response_id, metadata.model, metadata.finish_reasons) == ("resp_1", "gpt-5", ("completed",))
    assert (metadata.input_tokens, metadata.output_tokens) == (9, 4)
    assert (metadata.cache_read_tokens, metadata.cache_write_tokens, metadata.reasoning_tokens) == (3, 1, 2)
    assert metadata.extra == {}


def test_the_tier_is_the_one_that_served():
    made = reader()
    asked, served = response("created", service_tier="auto"), response("completed", service_tier="flex")
    feed(made, asked, text("Hi"), served)
    assert made.metadata().extra == {"openai.response.service_tier": "flex"}


def test_an_answer_that_broke_off_has_error_for_a_finish_reason():
    made = reader()
    feed(made, CREATED, text("Hi"))
    assert made.metadata().finish_reasons == ("error",)


# Sequence numbers

A, B, C, D = numbered(CREATED, text("a"), text("b"), COMPLETED)


def renumbered(event: dict[str, Any], number: object) -> dict[str, Any]:
    return event | {"sequence_number": number}


@pytest.mark.parametrize(
    ("events", "handed", "cause", "anomalies"),
    [
        ([A, B, C, D], [A, B, C, D], None, ()),
        ([A, B, B, C, D], [A, B, C, D], None, ("duplicate_event",)),
        ([A, B, B, B, C, D], [A, B, C, D], None, ("duplicate_event",)),
        ([A, B, renumbered(text("x"), 1)], [A, B], Cause.OUT_OF_ORDER, ()),  # same number, another event
        ([A, B, D], [A, B], Cause.OUT_OF_ORDER, ()),  # a gap
        ([A, B, C, B], [A, B, C], Cause.OUT_OF_ORDER, ()),  # a step back
        ([A, B, renumbered(C, 3), renumbered(text("b"), 2)], [A, B], Cause.OUT_OF_ORDER, ()),  # two changed places
    ],
)
def test_order_strict_fails_at_numbers_out_of_order(events, handed, cause, anomalies):
    made = reader(order="strict")
    assert feed(made, *events) == handed
    assert (made.failure.cause if made.failure else None) is cause
    assert made.metadata().anomalies == anomalies


@pytest.mark.parametrize("numbers", [(0, 1, 5, 6), (0, 1, 0, 1), (0, 1, 1, 2)], ids=str)
@pytest.mark.parametrize("order", ["evidence", "off"])
def test_numbers_out_of_order_are_an_anomaly(numbers, order):
    events = [renumbered(event, number) for event, number in zip((A, B, C, D), numbers, strict=True)]
    made = reader(order=order)
    assert feed(made, *events) == events
    assert (made.failure, made.incomplete_cause(), made.disordered) == (None, None, True)
    assert made.metadata().anomalies == ("out_of_order",)


@pytest.mark.parametrize(
    "numbers",
    [(0, 0, 0, 0), (None, None, None, None), (5, 5, 5, 5), ("0", "1", "2", "3"), (3, 1, 1, 1)],
    ids=["always 0", "null", "always 5", "text", "none of it counts up"],
)
def test_a_server_that_does_not_count_is_not_held_to_it(numbers):
    events = [renumbered(event, number) for event, number in zip((A, B, C, D), numbers, strict=True)]
    made = reader()
    assert feed(made, *events) == events
    assert made.failure is None


def test_counting_may_start_anywhere_as_after_a_server_replay():
    events = numbered(CREATED, text("a"), COMPLETED, start=41)
    made = reader()
    assert feed(made, *events) == events
    assert made.incomplete_cause() is None


def test_a_duplicate_of_the_very_first_event_is_seen():
    """The count has not begun to go up yet, but it is the same event byte for byte."""
    made = reader()
    assert feed(made, A, A, B, C, D) == [A, B, C, D]
    assert made.failure is None


def test_a_gap_at_the_start_is_seen_once_the_server_is_known_to_count():
    made = reader(order="strict")
    feed(made, A, C, D)
    assert made.failure is not None
    assert made.failure.cause is Cause.OUT_OF_ORDER


def test_two_equal_deltas_of_a_server_that_does_not_count_are_both_content():
    made = reader()
    feed(made, renumbered(CREATED, 0), renumbered(text("ha"), 0), renumbered(text("ha"), 0), renumbered(COMPLETED, 0))
    assert "".join(made.text) == "haha"


# Failures


@pytest.mark.parametrize(
    ("event", "cause", "code", "reason"),
    [
        (
            response("failed", error={"code": "server_error", "message": "!"}),
            Cause.SERVER_ERROR,
            "server_error",
            "failed",
        ),
        (response("failed", error={"code": "slow_down"}), Cause.RATE_LIMIT, "slow_down", "failed"),
        (response("failed", error=None), Cause.IN_BAND_ERROR, None, "failed"),
        ({"type": "error", "code": "insufficient_quota", "message": "pay"}, Cause.QUOTA, "insufficient_quota", "error"),
        ({"type": "error", "message": "?"}, Cause.IN_BAND_ERROR, None, "error"),
    ],
)
def test_typed_failures_stay_events_and_are_failures_too(event, cause, code, reason):
    made = reader()
    assert feed(made, CREATED, text("Hi"), event) == [CREATED, text("Hi"), event]
    assert (made.failure.cause, made.failure.code, made.failure.typed) == (cause, code, True)
    assert isinstance(made.failure.error, openai.APIError)  # raised after the event
    assert made.metadata().finish_reasons == (reason,)


def test_an_answer_that_is_completed_after_all_was_not_failed():
    made = reader()
    feed(made, CREATED, text("Hi"), {"type": "error", "message": "hiccup"}, COMPLETED)
    assert (made.failure, made.incomplete_cause()) == (None, None)


def test_an_untyped_error_is_raised_as_the_sdk_raises_it():
    made = reader()
    assert feed(made, CREATED, {"error": {"code": "server_error", "message": "oops"}}) == [CREATED]
    assert (made.failure.cause, made.failure.typed) == (Cause.SERVER_ERROR, False)
    assert type(made.failure.error) is openai.APIError


# What must not be asked for twice


SPOKEN = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}


@pytest.mark.parametrize(
    ("before", "output", "cause"),
    [([], [SPOKEN], Cause.OUT_OF_ORDER), ([], [], None), ([CREATED], [SPOKEN], None)],
    ids=["headless", "empty", "begun"],
)
def test_an_end_that_comes_first_though_it_shows_text_is_no_answer_for_order_strict(before, output, cause):
    made = reader(order="strict")
    end = response("completed", output=output)
    items = feed(made, *before, end)
    assert (made.failure.cause if made.failure else None) == cause
    assert (end in items) is (cause is None)


@pytest.mark.parametrize("kept", [True, False])
def test_a_stored_response_is_begun_with_its_first_event(kept):
    made = reader(kept=kept)
    feed(made, CREATED)
    assert made.accepted is kept


@pytest.mark.parametrize(
    "kind",
    [
        "response.web_search_call.in_progress",
        "response.file_search_call.searching",
        "response.code_interpreter_call.interpreting",
        "response.image_generation_call.generating",
        "response.mcp_call.in_progress",
        "response.mcp_list_tools.in_progress",
        "response.shell_call_output_content.done",
    ],
)
def test_a_server_tool_at_work_is_a_commit_point(kind):
    made = reader()
    feed(made, CREATED, {"type": kind, "output_index": 0})
    assert made.accepted


def container(kind: str) -> dict[str, Any]:
    return {"type": "shell_call", "action": {"commands": []}, "environment": {"type": kind}}


@pytest.mark.parametrize("event", ["added", "done"])
@pytest.mark.parametrize(
    ("item", "on_server"),
    [
        (container("container_reference"), True),
        (container("local"), False),
        ({"type": "shell_call_output"}, True),
        ({"type": "web_search_call"}, True),
        ({"type": "mcp_call"}, True),
        ({"type": "program"}, True),
        ({"type": "tool_search_call", "execution": "server"}, True),
        ({"type": "tool_search_call", "execution": "client"}, False),
        ({"type": "a_tool_of_next_year"}, True),
        ({"type": "local_shell_call"}, False),
        ({"type": "computer_call"}, False),
        ({"type": "apply_patch_call"}, False),
        ({"type": "mcp_approval_request"}, False),
        ({"type": "compaction"}, False),
        ({"type": "function_call", "arguments": "{}"}, False),
        ({"type": "custom_tool_call", "input": ""}, False),
        ({"type": "reasoning"}, False),
        ({"type": "message"}, False),
        ({"type": None}, False),
        (None, False),
    ],
    ids=str,
)
def test_item_of_a_server_tool_is_a_commit_point(item, on_server, event):
    made = reader()
    feed(made, CREATED, {"type": f"response.output_item.{event}", "output_index": 0, "item": item})
    assert made.accepted is on_server
    assert not (on_server and made.resumable)


def test_lifecycle_events_are_none():
    made = reader()
    item = {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}}
    feed(made, CREATED, response("in_progress"), item)
    assert (made.accepted, made.content) == (False, 0)


@pytest.mark.parametrize(("kind", "field"), [("function_call", "arguments"), ("custom_tool_call", "input")])
def test_end_of_an_item_has_the_whole_tool_call(kind, field):
    """Its start, or pieces of it, may be missing."""
    made = reader()
    item = {"type": kind, "call_id": "c", "name": "n", field: '{"a": 1}'}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item | {field: ""}}
    done = [{"type": "response.output_item.done", "output_index": index, "item": item} for index in (0, 1)]
    feed(made, CREATED, added, *done, COMPLETED)
    assert [(call.name, "".join(call.arguments)) for call in made.tools.values()] == [("n", '{"a": 1}')] * 2


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_status_of_a_completed_response_decides(status):
    made = reader()
    feed(made, CREATED, text("Hi"), response("completed", status=status))
    assert (made.failure.cause, made.failure.typed) == (Cause.IN_BAND_ERROR, True)

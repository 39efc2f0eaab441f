"""Messages events: block order, cumulative usage, unnamed events, server tools."""

import json
from functools import partial
from typing import Any

import pytest
import reading

from l0.dialects.messages import MessagesReader
from l0.model.failure import Cause, Failure

NAMES = frozenset({b"message_start", b"content_block_start", b"content_block_delta", b"content_block_stop"})


def refuse(data: bytes) -> Failure:
    return Failure(cause=Cause.OVERLOADED, message=data.decode())


def reader(
    *, names: Any = None, typed: bool = False, content_type: str = "text/event-stream", order: Any = "evidence"
) -> MessagesReader:
    return MessagesReader(dict, content_type, names=names, typed=typed, refuse=refuse, order=order)


feed = partial(reading.feed, named=True)


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "model": "claude-opus", "usage": {"input_tokens": 9, "output_tokens": 1} | usage}
    return {"type": "message_start", "message": message}


def opened(index: int = 0, kind: str = "text") -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind}}


def delta(piece: str, index: int = 0, kind: str = "text_delta", field: str = "text") -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}


def closed(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7} | usage}


START, STOP = start(), {"type": "message_stop"}
TEXT = [START, opened(), delta("Hi"), closed()]


@pytest.mark.parametrize(
    ("events", "missing", "content", "text", "anomalies"),
    [
        ([*TEXT, ending(), STOP], None, 1, "Hi", ()),
        ([*TEXT, ending()], None, 1, "Hi", ()),  # a stop reason is as good as message_stop
        ([*TEXT, STOP], None, 1, "Hi", ("stop_without_reason",)),
        ([*TEXT, ending(None), STOP], None, 1, "Hi", ("stop_without_reason",)),
        ([START, ending(), STOP], None, 0, "", ("no_content",)),
        ([START, opened(), delta(""), closed(), ending(), STOP], None, 0, "", ("no_content",)),
        (TEXT, Cause.TRUNCATED, 1, "Hi", ()),
        ([START], Cause.EMPTY, 0, "", ()),
        ([], Cause.EMPTY, 0, "", ()),
        ([STOP], Cause.EMPTY, 0, "", ()),
        ([ending()], Cause.EMPTY, 0, "", ()),
        ([ending(), STOP], Cause.EMPTY, 0, "", ()),
        ([START, opened(0, "thinking"), delta("hm", 0, "thinking_delta", "thinking")], Cause.TRUNCATED, 1, "", ()),
        (
            [
                START,
                opened(0, "tool_use"),
                delta('{"a"', 0, "input_json_delta", "partial_json"),
                closed(),
                ending(),
            ],
            *(None, 1, "", ()),
        ),
        ([*TEXT, opened(1), delta("!", 1), closed(1), ending(), STOP], None, 2, "Hi!", ()),
        ([START, opened(), delta("x", 0, "signature_delta", "signature"), closed(), ending()], None, 0, "", None),
        ([*TEXT, {"type": "content_block_delta", "delta": {}}, ending()], None, 1, "Hi", ("unknown_shape",)),
        ([*TEXT, {"type": "something_new"}, ending(), STOP], None, 1, "Hi", ()),
    ],
)
def test_sequences(events, missing, content, text, anomalies):
    made = reader()
    feed(made, *events)
    assert made.failure is None
    assert (made.incomplete_cause(), made.content, "".join(made.text)) == (missing, content, text)
    if anomalies is not None:
        assert made.metadata().anomalies == anomalies


DISORDER = pytest.mark.parametrize(
    "events",
    [
        [START, START],
        [opened()],
        [START, delta("Hi")],
        [START, opened(1)],
        [START, opened(), opened()],
        [START, opened(), closed(), opened(0)],
        [START, opened(), closed(), closed()],
        [START, opened(), closed(), delta("late")],
        [START, opened(), opened(2)],
        [START, opened(), delta("Hi", 1)],
    ],
    ids=[
        *("two starts", "block before the message", "delta before its block", "block skipped", "block doubled"),
        *("block again", "end doubled", "delta after its block", "gap", "delta of another block"),
    ],
)


@DISORDER
def test_order_strict_fails_at_blocks_out_of_order(events):
    made = reader(order="strict")
    handed = feed(made, *events)
    assert made.failure.cause is Cause.OUT_OF_ORDER
    assert handed == events[:-1]


@DISORDER
@pytest.mark.parametrize("order", ["evidence", "off"])
def test_blocks_out_of_order_are_an_anomaly(events, order):
    made = reader(order=order)
    assert feed(made, *events, ending(), STOP) == [*events, ending(), STOP]
    assert (made.failure, made.disordered, made.resumable) == (None, True, False)
    assert {"out_of_order", "repeated_start"} & set(made.metadata().anomalies)


@pytest.mark.parametrize(
    ("order", "cause"), [("evidence", Cause.OUT_OF_ORDER), ("strict", Cause.OUT_OF_ORDER), ("off", None)]
)
def test_start_of_another_answer_is_proof(order, cause):
    made = reader(order=order)
    other = {"type": "message_start", "message": {"id": "msg_2", "model": "claude-opus"}}
    feed(made, *TEXT[:3], other)
    assert (made.failure.cause if made.failure else None) is cause


# Usage: cumulative, and the cached parts belong to the input


def usage_of(*events: dict[str, Any]) -> tuple[Any, ...]:
    made = reader()
    feed(made, *events)
    metadata = made.metadata()
    return metadata.input_tokens, metadata.output_tokens, metadata.cache_read_tokens, metadata.cache_write_tokens


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start(), ending()], (9, 7, None, None)),
        ([start()], (9, 1, None, None)),
        ([start(cache_read_input_tokens=100, cache_creation_input_tokens=20), ending()], (129, 7, 100, 20)),
        ([start(), ending(), ending(output_tokens=12)], (9, 12, None, None)),
        ([start(), ending(input_tokens=11, cache_read_input_tokens=5)], (16, 7, 5, None)),
        ([start(cache_read_input_tokens=100), ending(input_tokens=None)], (109, 7, 100, None)),
        ([{"type": "message_start", "message": {"id": "m", "model": "c"}}], (None, None, None, None)),
    ],
)
def test_usage_is_cumulative(events, expected):
    assert usage_of(*events) == expected


def test_facts():
    made = reader()
    feed(made, *TEXT, ending("max_tokens", output_tokens_details={"thinking_tokens": 3}), STOP)
    metadata = made.metadata()
    assert (metadata.response_id, metadata.model, metadata.finish_reasons) == ("msg_1", "claude-opus", ("max_tokens",))
    assert metadata.reasoning_tokens == 3


def test_an_answer_that_broke_off_has_error_for_a_finish_reason():
    made = reader()
    feed(made, *TEXT)
    assert made.metadata().finish_reasons == ("error",)


# Names


def test_pings_are_nothing():
    made = reader()
    assert made.read_event(b"ping", b'{"type": "ping"}') is None
    assert made.read_event(None, b'{"type": "ping"}') is None
    assert (made.events, made.metadata().anomalies) == (0, ())


def test_events_without_names_are_read_by_their_type_and_marked():
    made = reader()
    events = [*TEXT, ending(), STOP]
    assert feed(made, *events, named=False) == events
    assert (made.incomplete_cause(), made.metadata().anomalies) == (None, ("unnamed_event",))


@pytest.mark.parametrize("data", [b"", b"not json", b"[1]", b'{"no": "type"}', b'{"type": 5}'])
def test_other_events_without_a_name_are_skipped_as_the_sdk_skips_them(data):
    made = reader()
    assert made.read_event(None, data) is None
    assert (made.events, made.failure) == (0, None)


def test_names_that_an_old_sdk_does_not_know_are_skipped():
    made = reader(names=NAMES)
    assert made.read_event(b"something_new", b'{"type": "something_new"}') is None
    assert made.read_event(b"message_start", json.dumps(START).encode()) == START


def test_missing_type_is_added_as_by_the_sdk():
    bare = {"message": START["message"]}
    assert reader(typed=True).read_event(b"message_start", json.dumps(bare).encode()) == START
    assert reader().read_event(b"message_start", json.dumps(bare).encode()) == bare


def test_content_after_the_terminal_event_is_not_delivered():
    made = reader()
    assert feed(made, *TEXT, ending(), STOP, delta("late")) == [*TEXT, ending(), STOP]
    assert (made.incomplete_cause(), made.metadata().anomalies) == (None, ("data_after_end",))


@pytest.mark.parametrize(
    ("events", "oddity"),
    [
        ([START, closed(), ending(), STOP], "stray_block_stop"),
        ([START, opened(), delta("Hi"), ending(), STOP], "open_block"),
    ],
)
def test_ends_that_do_not_fit_cost_no_text_and_are_marked(events, oddity):
    made = reader()
    assert feed(made, *events) == events
    assert made.incomplete_cause() is None
    assert oddity in made.metadata().anomalies


# Errors and server tools


@pytest.mark.parametrize("name", [b"error", b"message", b"content_block_delta", None])
@pytest.mark.parametrize("names", [None, NAMES])
def test_an_error_event_is_the_sdks_exception(name, names):
    made = reader(names=names)
    feed(made, START)
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}'
    assert made.read_event(name, body) is None
    assert (made.failure.cause, made.failure.message, made.stopped) == (Cause.OVERLOADED, body.decode(), True)


def test_a_stop_reason_of_error_is_a_failure():
    made = reader()
    feed(made, START, opened(), delta("Hi"), closed(), ending("error"), STOP)
    assert made.failure.message == '{"stop_reason": "error"}'


def test_broken_json_stops_the_reading():
    made = reader()
    assert made.read_event(b"message_start", b'{"type": "mess') is None
    assert made.failure.cause is Cause.MALFORMED


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [
        ("text", False),
        ("thinking", False),
        ("tool_use", False),
        ("server_tool_use", True),
        ("web_search_tool_result", True),
        ("code_execution_tool_result", True),
        ("mcp_tool_use", True),
    ],
)
def test_work_on_the_servers_side_is_a_commit_point(kind, accepted):
    made = reader()
    feed(made, START, opened(0, kind))
    assert made.accepted is accepted


def test_text_at_the_start_of_a_block_counts():
    made = reader()
    started = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "He"}}
    feed(made, START, started, delta("y"), closed(), ending(), STOP, named=True)
    assert ("".join(made.text), made.chars, made.content) == ("Hey", 3, 2)
    assert not made.resumable  # no text can be put into the start of a block, or taken from it


# Tool calls that break off


@pytest.mark.parametrize("ending", [[], [STOP]])
def test_a_tool_call_that_breaks_off_without_a_stop_reason_is_a_failure(ending):
    made = reader()
    cut = delta('{"path": "/tm', kind="input_json_delta", field="partial_json")
    feed(made, START, opened(kind="tool_use"), cut, *ending)
    made.finish()
    assert made.failure.cause is Cause.TRUNCATED


HALF = [START, opened(0, "tool_use"), delta('{"a"', 0, "input_json_delta", "partial_json"), closed()]
OTHER = [START, opened(0, "tool_use"), delta("{}", 0, "input_json_delta", "partial_json"), closed()]
AGAIN = [opened(2, "tool_use"), delta('{"a"', 2, "input_json_delta", "partial_json"), closed(2)]


@pytest.mark.parametrize(
    ("order", "events", "cause"),
    [
        ("evidence", [*HALF, ending(), STOP], Cause.TRUNCATED),
        ("strict", [*HALF, ending("tool_use"), STOP], Cause.TRUNCATED),
        ("off", [*HALF, ending(), STOP], None),
        ("evidence", [*HALF, ending("max_tokens"), STOP], None),
        ("evidence", [*HALF, ending("stop_sequence"), STOP], None),
        # The model refused in the middle of a call, and another one answers.
        ("evidence", [*HALF, opened(1, "fallback"), closed(1), ending(), STOP], None),
        ("evidence", [*OTHER, opened(1, "fallback"), closed(1), *AGAIN, ending(), STOP], Cause.TRUNCATED),
        ("evidence", [*HALF, closed(), ending(), STOP], None),  # in disorder, a fragment may belong elsewhere
        ("evidence", [*HALF, {"type": "content_block_delta", "index": 0, "delta": 1}, ending(), STOP], None),
    ],
)
def test_tool_call_that_breaks_off(order: Any, events: list[dict[str, Any]], cause: Cause | None) -> None:
    made = reader(order=order)
    feed(made, *events)
    made.finish()
    assert (None if made.failure is None else made.failure.cause) is cause

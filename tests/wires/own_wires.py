"""Odd wires of this project's own: several per kind, in every dialect that has the kind.

``kind`` is the row of the table in docs/wires.md, for a wire that is accepted.
"""

import json
from collections.abc import Sequence
from typing import Any

from wires_kit import Wire

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"
HELLO = "Hello world"


def data(event: Json) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def named(event: Json) -> bytes:
    return b"event: " + event["type"].encode() + b"\n" + data(event)


# -- chat and completions -------------------------------------------------------------------------------------------


def chunk(delta: Json | None = None, finish: str | None = None, index: Any = 0, **more: Any) -> Json:
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice], **more}


def tool(index: int | None, id_: str | None, name: str | None, arguments: str, choice: int = 0) -> Json:
    call = {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
    return chunk({"tool_calls": [call if index is None else {"index": index, **call}]}, index=choice)


ROLE = chunk({"role": "assistant", "content": ""})
HELL, WORLD = chunk({"content": "Hello"}), chunk({"content": " world"})
STOP = chunk(finish="stop")
TOLD = {"finish_reasons": ["stop"], "id": "c-1", "model": "m-1", "status": "UNSET", "captured_text": HELLO}
CALLED = {"finish_reasons": ["tool_calls"], "status": "UNSET"}
F_AND_G = CALLED | {"tool_calls": [["f", '{"a":1}'], ["g", '{"b":2}']]}
CALLS = chunk(finish="tool_calls")


def chat(name: str, *events: Json | bytes, done: bool = True, **more: Any) -> Wire:
    parts = [event if isinstance(event, bytes) else data(event) for event in events]
    return Wire(name=name, dialect="chat", parts=(*parts, DONE) if done else tuple(parts), **more)


def whole_chat(name: str, kind: str, *events: Json | bytes, telemetry: Json | None = None, **more: Any) -> Wire:
    return chat(name, *events, kind=kind, telemetry=TOLD if telemetry is None else telemetry, **more)


def ids(*events: Json) -> list[Json]:
    """Give every chunk its own id, as some servers do."""
    return [event | {"id": f"c-{number}"} for number, event in enumerate(events, 1)]


def positions(*events: Json) -> list[Json]:
    """Number the choices like tokens."""
    return [
        event | {"choices": [choice | {"index": number} for choice in event["choices"]]}
        for number, event in enumerate(events)
    ]


def text(piece: str, finish: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "text": piece, "finish_reason": finish, "logprobs": None}
    return {"id": "c-1", "object": "text_completion", "created": 1, "model": "m-1", "choices": [choice]}


def completions(name: str, *events: Json, done: bool = True, **more: Any) -> Wire:
    return Wire(name=name, dialect="completions", parts=tuple(map(data, events)) + ((DONE,) if done else ()), **more)


OTHER_ANSWER = [event | {"id": "c-2"} for event in (chunk({"content": " else"}), STOP)]
VLLM_ERROR = {"object": "error", "message": "boom", "type": "InternalServerError", "param": None, "code": 500}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
IN_CHOICE = {"index": 0, "delta": {"content": ""}, "finish_reason": None, "error": {"code": 502, "message": "boom"}}
BLANK = {"id": "", "object": "", "created": 0, "model": "", "choices": []}

CHAT = (
    whole_chat("blank_first_chunk", "a first event without id and model", BLANK, ROLE, HELL, WORLD, STOP),
    whole_chat(
        "id_per_chunk",
        "an id per event",
        *ids(ROLE, HELL, WORLD, STOP),
        odd="id_per_event",
    ),
    whole_chat(
        "usage_under_another_id",
        "an id per event",
        ROLE,
        HELL,
        WORLD,
        STOP,
        BLANK | {"id": "u", "usage": USAGE},
        telemetry=TOLD | {"input_tokens": 11, "output_tokens": 7},
    ),
    whole_chat(
        "two_asked_one_given",
        "fewer choices than requested",
        ROLE,
        HELL,
        WORLD,
        STOP,
        request={"n": 2},
        odd="fewer_choices",
    ),
    whole_chat(
        "two_asked_one_given_no_done",
        "fewer choices than requested",
        ROLE,
        HELL,
        WORLD,
        STOP,
        done=False,
        request={"n": 2},
        odd="fewer_choices",
    ),
    whole_chat(
        "more_choices_than_asked",
        "more choices than requested",
        ROLE,
        HELL,
        WORLD,
        tool(0, "t", "f", "{}", choice=1),
        chunk(finish="stop"),
        chunk(finish="tool_calls", index=1),
        telemetry={"finish_reasons": ["stop", "tool_calls"], "captured_text": HELLO},
    ),
    whole_chat(
        "finish_with_every_chunk",
        "a finish reason with every chunk",
        chunk({"content": "Hello"}, "stop"),
        chunk({"content": " world"}, "stop"),
    ),
    whole_chat(
        "finish_twice_no_done",
        "a finish reason twice",
        ROLE,
        HELL,
        chunk({"content": " world"}, "stop"),
        STOP,
        done=False,
    ),
    whole_chat(
        "reset_after_finish", "a connection that breaks after the end", ROLE, HELL, WORLD, STOP, done=False, end="rst"
    ),
    whole_chat(
        "cut_after_both_finished",
        "a connection that breaks after the end",
        ROLE,
        HELL,
        WORLD,
        chunk({"content": "x"}, index=1),
        STOP,
        chunk(finish="stop", index=1),
        done=False,
        end="cut",
        request={"n": 2},
        telemetry={"finish_reasons": ["stop", "stop"], "captured_text": HELLO},
    ),
    whole_chat(
        "parallel_tools_index_0",
        "parallel tool calls under one index",
        ROLE,
        tool(0, "t1", "f", '{"a":1}'),
        tool(0, "t2", "g", '{"b":2}'),
        CALLS,
        telemetry=F_AND_G,
    ),
    whole_chat(
        "parallel_tools_no_index",
        "parallel tool calls under one index",
        ROLE,
        tool(None, "t1", "f", '{"a":1}'),
        tool(None, "t2", "g", '{"b":2}'),
        CALLS,
        telemetry=F_AND_G,
    ),
    whole_chat(
        "parallel_tools_index_0_in_pieces",
        "parallel tool calls under one index",
        ROLE,
        tool(0, "t1", "f", '{"a"'),
        tool(0, None, None, ":1}"),
        tool(0, "t2", "g", '{"b"'),
        tool(0, None, None, ":2}"),
        CALLS,
        telemetry=F_AND_G,
    ),
    whole_chat(
        "tool_index_is_a_token_number",
        "indices that number tokens",
        ROLE,
        tool(0, "t", "f", ""),
        tool(1, "", None, '{"a"'),
        tool(2, "", None, ":1}"),
        CALLS,
        telemetry=CALLED | {"tool_calls": [["f", '{"a":1}']]},
    ),
    whole_chat(
        "choice_index_is_a_token_number",
        "indices that number tokens",
        *positions(HELL, chunk({"content": " "}), chunk({"content": "wor"}), chunk({"content": "ld"}), STOP),
        odd="index_counts_tokens",
    ),
    whole_chat(
        "usage_in_choice",
        "usage inside a choice",
        ROLE,
        HELL,
        WORLD,
        STOP | {"choices": [STOP["choices"][0] | {"usage": USAGE}]},
        telemetry=TOLD | {"input_tokens": 11, "output_tokens": 7},
    ),
    whole_chat(
        "text_parts",
        "content as a list of parts",
        ROLE,
        chunk({"content": [{"type": "text", "text": "Hello"}]}),
        WORLD,
        STOP,
    ),
    whole_chat(
        "thinking_parts",
        "content as a list of parts",
        ROLE,
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
        HELL,
        WORLD,
        STOP,
    ),
    whole_chat(
        "usage_details_as_list",
        "values of another type",
        ROLE,
        HELL,
        WORLD,
        STOP,
        BLANK | {"usage": USAGE | {"prompt_tokens_details": [], "completion_tokens_details": [1]}},
        telemetry=TOLD | {"input_tokens": 11},
    ),
    whole_chat(
        "bookkeeping_event",
        "events of a gateway's own",
        ROLE,
        HELL,
        {"object": "gateway.ping"},
        WORLD,
        STOP,
        odd="unknown_shape",
    ),
    whole_chat(
        "tool_arguments_at_the_limit",
        "tool arguments that a limit cuts",
        ROLE,
        tool(0, "t", "f", '{"a"'),
        chunk(finish="length"),
        telemetry={"finish_reasons": ["length"], "tool_calls": [["f", '{"a"']]},
    ),
    whole_chat(
        "tool_arguments_are_no_json",
        "tool arguments that are not JSON",
        ROLE,
        tool(0, "t", "f", "{'a': 1"),
        CALLS,
        telemetry=CALLED,
    ),
    whole_chat(
        "tool_arguments_are_free_text",
        "tool arguments that are not JSON",
        ROLE,
        chunk({"tool_calls": [{"index": 0, "id": "t", "type": "custom", "custom": {"name": "f", "input": '{"a"'}}]}),
        CALLS,
        telemetry=CALLED,
    ),
    whole_chat(
        "nothing_but_an_end",
        "an answer without any content",
        ROLE,
        STOP,
        telemetry=TOLD | {"captured_text": ""},
        odd="no_content",
    ),
    chat("tool_arguments_break_off", ROLE, tool(0, "t", "f", '{"a"'), CALLS, broken=True),
    chat("second_tool_breaks_off", ROLE, tool(0, "t", "f", "{}"), tool(1, "u", "g", '{"b": ["x'), STOP, broken=True),
    chat("reset_in_finish_with_every_chunk", chunk({"content": "Hello"}, "stop"), done=False, end="rst", broken=True),
    chat("cut_in_finish_with_every_chunk", chunk({"content": "Hello"}, "stop"), done=False, end="cut", broken=True),
    chat("text_after_finish_then_reset", ROLE, HELL, STOP, WORLD, done=False, end="rst", broken=True),
    chat("second_choice_cut", ROLE, HELL, STOP, chunk({"content": "oth"}, index=1), done=False, broken=True),
    chat("second_choice_cut_before_done", ROLE, HELL, STOP, chunk({"content": "oth"}, index=1), broken=True),
    chat("another_answer_in_the_middle", ROLE, HELL, WORLD, *OTHER_ANSWER, broken=True),
    chat("vllm_error", ROLE, HELL, VLLM_ERROR, broken=True),
    chat("vllm_error_first", VLLM_ERROR, broken=True),
    chat("fastchat_error", ROLE, HELL, {"text": "**NETWORK ERROR**", "error_code": 50002}, broken=True),
    chat("detail_error", ROLE, HELL, {"detail": "Internal Server Error"}, broken=True),
    chat("code_and_message", ROLE, HELL, {"code": "InternalError", "message": "boom", "request_id": "r"}, broken=True),
    chat("error_in_choice", ROLE, HELL, chunk() | {"choices": [IN_CHOICE]}, broken=True),
    chat("error_text", ROLE, HELL, {"error": "Input validation error", "error_type": "validation"}, broken=True),
    chat("finish_reason_error", ROLE, HELL, chunk(finish="error"), broken=True),
)

COMPLETIONS = (
    completions(
        "finish_with_every_chunk",
        text("Hello", "stop"),
        text(" world", "stop"),
        kind="a finish reason with every chunk",
        telemetry=TOLD,
    ),
    completions(
        "two_asked_one_given",
        text("Hello"),
        text(" world", "stop"),
        done=False,
        request={"n": 2},
        kind="fewer choices than requested",
        telemetry=TOLD,
        odd="fewer_choices",
    ),
    completions("reset_in_finish_with_every_chunk", text("Hello", "stop"), done=False, end="rst", broken=True),
    completions("second_choice_cut", text("Hello"), text("", "stop"), text("oth", index=1), done=False, broken=True),
    completions(
        "another_answer_in_the_middle",
        text("Hel"),
        text("lo"),
        text("x") | {"id": "c-2"},
        text("", "stop") | {"id": "c-2"},
        broken=True,
    ),
    completions("vllm_error", text("Hello"), VLLM_ERROR, broken=True),
    completions("fastchat_error", text("Hello"), {"text": "**NETWORK ERROR**", "error_code": 50002}, broken=True),
)

# -- messages -------------------------------------------------------------------------------------------------------


def started(id_: str = "msg_1", **usage: int) -> Json:
    message = {"id": id_, "type": "message", "role": "assistant", "content": [], "model": "claude-x"}
    ended = {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1} | usage}
    return {"type": "message_start", "message": message | ended}


def block(index: int, kind: str = "text", **more: Any) -> Json:
    content = {"text": {"text": ""}, "tool_use": {"id": f"t{index}", "name": "f", "input": {}}}.get(kind, {})
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **content, **more}}


def said(piece: str, index: int = 0) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}


def argued(piece: str, index: int) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}}


def closed(index: int = 0) -> Json:
    return {"type": "content_block_stop", "index": index}


def reason(why: str = "end_turn", **usage: int) -> Json:
    stopped = {"stop_reason": why, "stop_sequence": None}
    return {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 7} | usage}


OVER = {"type": "message_stop"}
START, SAID = started(), (block(0), said("Hello"), said(" world"), closed())
MESSAGE_TOLD = {
    "finish_reasons": ["end_turn"],
    "id": "msg_1",
    "model": "claude-x",
    "input_tokens": 11,
    "output_tokens": 7,
    "status": "UNSET",
    "captured_text": HELLO,
}
SEARCH = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}


def messages(name: str, *events: Json | bytes, **more: Any) -> Wire:
    parts = tuple(event if isinstance(event, bytes) else named(event) for event in events)
    return Wire(name=name, dialect="messages", parts=parts, **more)


def whole_message(name: str, kind: str, *events: Json | bytes, **more: Any) -> Wire:
    return messages(name, *events, kind=kind, **{"telemetry": MESSAGE_TOLD} | more)


MESSAGES = (
    whole_message(
        "second_start", "a second start with the same id", START, START, *SAID, reason(), OVER, odd="repeated_start"
    ),
    whole_message(
        "second_start_after_text",
        "a second start with the same id",
        START,
        block(0),
        said("Hello"),
        START,
        said(" world"),
        closed(),
        reason(),
        OVER,
        odd="repeated_start",
    ),
    whole_message(
        "second_start_another_id_before_text",
        "a second start before any content",
        started("msg_0"),
        START,
        *SAID,
        reason(),
        OVER,
        odd="repeated_start",
    ),
    whole_message(
        "no_start",
        "an answer without its start",
        *SAID,
        reason(),
        OVER,
        odd="out_of_order",
        telemetry={"finish_reasons": ["end_turn"], "captured_text": HELLO},
    ),
    whole_message(
        "index_reused",
        "block indices that are reused or skipped",
        START,
        block(0, "server_tool_use", id="s", name="web_search", input={}),
        closed(0),
        block(0),
        said("Hello"),
        said(" world"),
        closed(),
        reason(),
        OVER,
        request=SEARCH,
        odd="out_of_order",
    ),
    whole_message(
        "index_skipped",
        "block indices that are reused or skipped",
        START,
        block(2),
        said("Hello", 2),
        said(" world", 2),
        closed(2),
        reason(),
        OVER,
        odd="out_of_order",
    ),
    whole_message(
        "first_index_1",
        "block indices that are reused or skipped",
        START,
        block(1),
        said("Hello", 1),
        said(" world", 1),
        closed(1),
        reason(),
        OVER,
        odd="out_of_order",
    ),
    whole_message(
        "delta_after_stop",
        "deltas outside their block",
        START,
        block(0),
        said("Hello"),
        closed(),
        said(" world"),
        reason(),
        OVER,
        odd="out_of_order",
    ),
    whole_message(
        "interleaved_tools",
        "deltas outside their block",
        START,
        block(0, "tool_use"),
        block(1, "tool_use", name="g"),
        argued('{"a"', 0),
        argued('{"b"', 1),
        closed(0),
        argued(":1}", 0),
        argued(":2}", 1),
        closed(1),
        reason("tool_use"),
        OVER,
        telemetry={"finish_reasons": ["tool_use"], "tool_calls": [["f", '{"a":1}'], ["g", '{"b":2}']]},
        odd="out_of_order",
    ),
    whole_message(
        "no_block_start",
        "deltas outside their block",
        START,
        said("Hello"),
        said(" world"),
        reason(),
        OVER,
        odd="out_of_order",
    ),
    whole_message(
        "empty_delta_after_stop",
        "deltas outside their block",
        START,
        *SAID,
        said(""),
        reason(),
        OVER,
        odd="out_of_order",
    ),
    whole_message(
        "empty_block",
        "an answer without any content",
        START,
        block(0),
        closed(),
        reason(),
        OVER,
        telemetry=MESSAGE_TOLD | {"captured_text": ""},
        odd="no_content",
    ),
    whole_message(
        "empty_block_before_a_tool",
        "an empty part before a tool call",
        START,
        block(0),
        said(""),
        closed(),
        block(1, "tool_use"),
        argued('{"a":1}', 1),
        closed(1),
        reason("tool_use"),
        OVER,
        telemetry={"finish_reasons": ["tool_use"], "tool_calls": [["f", '{"a":1}']]},
    ),
    whole_message(
        "tool_input_at_the_limit",
        "tool arguments that a limit cuts",
        START,
        block(0, "tool_use"),
        argued('{"a"', 0),
        closed(),
        reason("max_tokens"),
        OVER,
        telemetry={"finish_reasons": ["max_tokens"], "tool_calls": [["f", '{"a"']]},
    ),
    whole_message(
        "end_turn_after_a_tool",
        "a stop reason other than that of its tool calls",
        START,
        block(0, "tool_use"),
        argued('{"a":1}', 0),
        closed(),
        reason("end_turn"),
        OVER,
        telemetry={"finish_reasons": ["end_turn"], "tool_calls": [["f", '{"a":1}']]},
    ),
    whole_message(
        "stopped_twice", "a block that stops twice", START, *SAID, closed(), reason(), OVER, odd="out_of_order"
    ),
    whole_message(
        "text_with_start",
        "text at the start of a block",
        START,
        block(0, text="Hello"),
        said(" world"),
        closed(),
        reason(),
        OVER,
    ),
    whole_message(
        "input_0_at_the_end",
        "a count of 0 that replaces a real one",
        START,
        *SAID,
        reason(input_tokens=0, cache_read_input_tokens=0),
        OVER,
    ),
    whole_message(
        "reset_after_stop", "a connection that breaks after the end", START, *SAID, reason(), OVER, end="rst"
    ),
    whole_message("cut_after_stop_reason", "a connection that breaks after the end", START, *SAID, reason(), end="cut"),
    messages(
        "another_answer_in_the_middle",
        START,
        block(0),
        said("Hello"),
        started("msg_2"),
        *SAID,
        reason(),
        OVER,
        broken=True,
    ),
    messages(
        "text_after_stop_reason_then_reset",
        START,
        block(0),
        said("Hello"),
        reason(),
        said(" wor"),
        end="rst",
        broken=True,
    ),
    messages(
        "text_after_stop_reason_then_cut",
        START,
        block(0),
        said("Hello"),
        reason(),
        said(" wor"),
        end="cut",
        broken=True,
    ),
    messages(
        "tool_input_breaks_off", START, block(0, "tool_use"), argued('{"a"', 0), closed(), reason(), OVER, broken=True
    ),
    messages(
        "second_tool_input_breaks_off",
        START,
        block(0, "tool_use"),
        argued("{}", 0),
        closed(),
        block(1, "tool_use"),
        argued('{"b": "x', 1),
        closed(1),
        reason("tool_use"),
        OVER,
        broken=True,
    ),
    messages("end_without_a_start", reason(), OVER, broken=True),
    messages(
        "error_under_message",
        START,
        block(0),
        said("Hello"),
        named({"type": "error", "message": {"type": "api_error", "message": "boom"}}),
        closed(),
        reason(),
        OVER,
        broken=True,
    ),
    messages(
        "error_without_a_name",
        START,
        block(0),
        said("Hello"),
        data({"error": {"message": "x", "code": "500"}}),
        broken=True,
    ),
    messages("error_without_a_name_first", data({"error": {"message": "x", "code": "500"}}), broken=True),
    messages(
        "typed_error_without_a_name",
        START,
        block(0),
        said("Hello"),
        data({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        broken=True,
    ),
    messages("vllm_error", START, block(0), said("Hello"), data(VLLM_ERROR), broken=True),
    messages(
        "error_under_another_name",
        START,
        block(0),
        said("Hello"),
        b"event: message_delta\n" + data({"error": {"message": "x", "code": 500}}),
        broken=True,
    ),
)

# -- responses ------------------------------------------------------------------------------------------------------


def response(status: str, **more: Any) -> Json:
    body = {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m-1", "output": []}
    asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "usage": None}
    return body | asked | {"incomplete_details": None, "instructions": None, "metadata": {}} | more


RESPONSE_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 18,
}
SPOKEN = {"type": "output_text", "text": HELLO, "annotations": []}


def spoken(text_: str = HELLO) -> Json:
    part = SPOKEN | {"text": text_}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def completed(*output: Json, status: str = "completed", type_: str = "response.completed", **more: Any) -> Json:
    return {"type": type_, "response": response(status, output=list(output), usage=RESPONSE_USAGE, **more)}


def at(type_: str, output: int = 0, content: int | None = 0, **more: Any) -> Json:
    place = {"item_id": f"item_{output}", "output_index": output}
    return {"type": type_, **place, **({} if content is None else {"content_index": content}), **more}


def delta(piece: str, **place: int) -> Json:
    return at("response.output_text.delta", delta=piece, logprobs=[], **place)


def item(kind: str, item_: Json, output: int = 0) -> Json:
    return {"type": f"response.output_item.{kind}", "output_index": output, "item": item_}


def text_done(text_: str = HELLO, **place: int) -> Json:
    return at("response.output_text.done", text=text_, logprobs=[], **place)


def part_done(text_: str = HELLO) -> Json:
    return at("response.content_part.done", part=SPOKEN | {"text": text_})


def function(arguments: str, status: str = "in_progress") -> Json:
    call = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f"}
    return call | {"arguments": arguments, "status": status}


CREATED = {"type": "response.created", "response": response("in_progress")}
ADDED = item("added", spoken() | {"content": [], "status": "in_progress"})
PART = at("response.content_part.added", part=SPOKEN | {"text": ""})
OPENING = (CREATED, ADDED, PART)
SPEAKING = (*OPENING, delta("Hello"), delta(" world"))
ENDING = (text_done(), part_done(), item("done", spoken()), completed(spoken()))
ANSWER = (*SPEAKING, *ENDING)
RESPONSE_TOLD = {
    "finish_reasons": ["completed"],
    "id": "resp_1",
    "model": "m-1",
    "input_tokens": 11,
    "output_tokens": 7,
    "status": "UNSET",
    "captured_text": HELLO,
}


def numbered(events: Sequence[Json], numbers: Sequence[int | None] | None = None) -> list[Json]:
    numbers = range(len(events)) if numbers is None else numbers
    return [
        event if number is None else event | {"sequence_number": number}
        for event, number in zip(events, numbers, strict=True)
    ]


def responses(name: str, *events: Json, numbers: Sequence[int | None] | None = None, **more: Any) -> Wire:
    return Wire(name=name, dialect="responses", parts=tuple(map(named, numbered(events, numbers))), **more)


def whole_response(name: str, kind: str, *events: Json, **more: Any) -> Wire:
    return responses(name, *events, kind=kind, **{"telemetry": RESPONSE_TOLD} | more)


PLAIN = (None,) * 9
NUMBERS = "numbers that have gaps, repeat, restart or are missing"
FINAL_ONLY = "text in the final events only"
CALLING = (CREATED, item("added", function("")))
ARGUED = "response.function_call_arguments.delta"
REASONED = "response.reasoning_summary_text.delta"
ARGUMENTS_DONE = "response.function_call_arguments.done"
TOOL_TOLD = {"finish_reasons": ["completed"], "tool_calls": [["f", '{"a": 1}']]}
CUSTOM = {"id": "ct_1", "type": "custom_tool_call", "call_id": "c", "name": "f", "input": '{"a"'}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm, so"}]}
THINKING = item("added", {"id": "item_0", "type": "reasoning", "summary": []})


def called(*events: Json, final: str = '{"a": 1}') -> tuple[Json, ...]:
    whole = function(final, "completed")
    return (*CALLING, *events, item("done", whole), completed(whole))


def summary(kind: str, **more: Any) -> Json:
    return at(f"response.reasoning_summary_text.{kind}", content=None, summary_index=0, **more)


RESPONSES = (
    whole_response("number_gap", NUMBERS, *ANSWER, numbers=(0, 1, 2, 3, 24, 25, 26, 27, 28), odd="out_of_order"),
    whole_response("number_restart", NUMBERS, *ANSWER, numbers=(0, 1, 2, 3, 0, 1, 2, 3, 4), odd="out_of_order"),
    whole_response("number_repeat", NUMBERS, *ANSWER, numbers=(0, 1, 2, 3, 3, 4, 5, 6, 7), odd="out_of_order"),
    whole_response("number_step_back", NUMBERS, *ANSWER, numbers=(0, 1, 2, 3, 4, 5, 6, 1, 7), odd="out_of_order"),
    whole_response(
        "number_missing", NUMBERS, *ANSWER, numbers=(0, 1, None, 3, 4, None, 6, 7, 8), odd="unnumbered_event"
    ),
    whole_response("no_numbers", NUMBERS, *ANSWER, numbers=PLAIN),
    whole_response(
        "keepalives",
        "events of a gateway's own",
        *OPENING,
        {"type": "keepalive"},
        delta("Hello"),
        {"type": "keepalive"},
        delta(" world"),
        *ENDING,
        numbers=(0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8),
        odd="out_of_order",
    ),
    whole_response(
        "only_completed",
        FINAL_ONLY,
        completed(spoken()),
        odd="text_without_deltas",
    ),
    whole_response(
        "created_and_completed",
        FINAL_ONLY,
        CREATED,
        completed(spoken()),
        odd="text_without_deltas",
    ),
    whole_response(
        "created_done_completed",
        FINAL_ONLY,
        CREATED,
        text_done(),
        completed(spoken()),
        numbers=(None,) * 3,
        odd="text_without_deltas",
    ),
    whole_response(
        "part_done_only",
        FINAL_ONLY,
        *OPENING,
        part_done(),
        completed(),
        odd="text_without_deltas",
    ),
    whole_response(
        "item_done_only",
        FINAL_ONLY,
        CREATED,
        item("done", spoken()),
        completed(),
        odd="text_without_deltas",
    ),
    whole_response(
        "response_done",
        "`response.done` as the end",
        *SPEAKING,
        text_done(),
        completed(spoken(), type_="response.done"),
        odd="response_done",
    ),
    whole_response("completed_without_output", "final texts that are empty or missing", *SPEAKING, completed()),
    whole_response(
        "empty_final_text",
        "final texts that are empty or missing",
        *SPEAKING,
        text_done(""),
        completed(spoken("")),
        odd="text_differs_from_deltas",
    ),
    whole_response(
        "final_text_trimmed",
        "final texts without outer white space",
        *SPEAKING,
        delta("\n"),
        text_done(),
        completed(spoken()),
        telemetry=RESPONSE_TOLD | {"captured_text": f"{HELLO}\n"},
        odd="text_differs_from_deltas",
    ),
    whole_response(
        "final_text_under_another_index",
        "final texts under another index",
        *SPEAKING,
        text_done(output=1),
        completed(spoken()),
        odd="text_differs_from_deltas",
    ),
    whole_response(
        "completed_under_another_id",
        "an end under another id",
        *SPEAKING,
        *ENDING[:-1],
        completed(spoken(), id="resp_2"),
        telemetry={"captured_text": HELLO},
    ),
    whole_response(
        "arguments_written_anew",
        "tool arguments with other white space",
        *called(at(ARGUED, content=None, delta='{"a":1}'), at(ARGUMENTS_DONE, content=None, arguments='{"a": 1}')),
        telemetry=TOOL_TOLD,
    ),
    whole_response("arguments_only_at_the_end", FINAL_ONLY, *called(), telemetry=TOOL_TOLD),
    whole_response(
        "parts_interleaved",
        "parts that interleave",
        CREATED,
        delta("Hel", output=0),
        delta("wor", output=1),
        delta("lo", output=0),
        delta("ld", output=1),
        text_done("Hello", output=0),
        text_done("world", output=1),
        completed(spoken("Hello"), spoken("world")),
        telemetry={"finish_reasons": ["completed"]},
    ),
    whole_response(
        "ends_after_all_items",
        "parts that end after all others",
        *SPEAKING,
        item("added", function(""), 1),
        at(ARGUED, 1, None, delta='{"a": 1}'),
        at(ARGUMENTS_DONE, 1, None, arguments='{"a": 1}'),
        item("done", function('{"a": 1}', "completed"), 1),
        text_done(),
        part_done(),
        item("done", spoken()),
        completed(spoken(), function('{"a": 1}', "completed")),
        telemetry=TOOL_TOLD | {"captured_text": HELLO},
    ),
    whole_response(
        "reasoning_without_its_part",
        "reasoning deltas that name no part",
        CREATED,
        item("added", {"id": "rs_1", "type": "reasoning", "status": "in_progress"}),
        at(REASONED, content=None, delta="hm, "),
        at(REASONED, content=None, delta="so"),
        summary("done", text="hm, so"),
        item("added", spoken() | {"content": [], "status": "in_progress"}, 1),
        delta(HELLO, output=1),
        text_done(output=1),
        completed(THOUGHT, spoken()),
    ),
    whole_response(
        "number_in_few_events",
        NUMBERS,
        *ANSWER,
        numbers=(None, None, None, None, None, None, None, 11, None),
        odd="unnumbered_event",
    ),
    whole_response(
        "empty_message_before_a_tool",
        "an empty part before a tool call",
        *OPENING,
        item("added", function(""), 1),
        at(ARGUED, 1, None, delta='{"a": 1}'),
        at(ARGUMENTS_DONE, 1, None, arguments='{"a": 1}'),
        item("done", function('{"a": 1}', "completed"), 1),
        text_done(""),
        part_done(""),
        item("done", spoken("")),
        completed(spoken(""), function('{"a": 1}', "completed")),
        telemetry=TOOL_TOLD,
    ),
    whole_response(
        "nothing_but_an_end",
        "an answer without any content",
        CREATED,
        completed(),
        telemetry=RESPONSE_TOLD | {"captured_text": ""},
        odd="no_content",
    ),
    whole_response(
        "item_under_another_id_at_the_end",
        "an end under another id",
        *SPEAKING,
        *ENDING[:-1],
        completed(spoken() | {"id": "chatcmpl-1"}),
    ),
    whole_response(
        "another_model_at_the_end",
        "an end under another id",
        *SPEAKING,
        *ENDING[:-1],
        completed(spoken(), model="provider/m-1"),
        telemetry={"captured_text": HELLO},
    ),
    whole_response(
        "arguments_at_the_limit",
        "tool arguments that a limit cuts",
        *CALLING,
        at(ARGUED, content=None, delta='{"a"'),
        item("done", function('{"a"', "incomplete")),
        completed(function('{"a"', "incomplete"), status="incomplete", type_="response.incomplete"),
        telemetry={"finish_reasons": ["incomplete"], "tool_calls": [["f", '{"a"']]},
    ),
    whole_response(
        "custom_input",
        "tool arguments that are not JSON",
        CREATED,
        item("added", CUSTOM | {"input": ""}),
        at("response.custom_tool_call_input.delta", content=None, delta='{"a"'),
        item("done", CUSTOM),
        completed(CUSTOM),
        telemetry={"finish_reasons": ["completed"]},
    ),
    responses(
        "arguments_break_off",
        *called(
            at(ARGUED, content=None, delta='{"a"'),
            at(ARGUMENTS_DONE, content=None, arguments='{"a"'),
            final='{"a"',
        ),
        broken=True,
    ),
    responses("text_delta_lost", *OPENING, delta("Hello"), *ENDING, broken=True),
    responses("text_delta_lost_unnumbered", *OPENING, delta("Hello"), *ENDING, numbers=(None,) * 8, broken=True),
    responses("text_delta_doubled", *OPENING, delta("Hello"), delta("Hello"), delta(" world"), *ENDING, broken=True),
    responses("text_deltas_swapped", *OPENING, delta(" world"), delta("Hello"), *ENDING, broken=True),
    responses("part_differs", *SPEAKING, part_done("Hello there"), completed(), broken=True),
    responses("item_differs", *SPEAKING, item("done", spoken("Hello there")), completed(), broken=True),
    responses("completed_differs", *SPEAKING, completed(spoken("Hello there")), broken=True),
    responses("second_part_lost", *SPEAKING, text_done(), completed(spoken(), spoken("and more")), broken=True),
    responses(
        "refusal_differs",
        *OPENING,
        at("response.refusal.delta", delta="I can"),
        at("response.refusal.done", refusal="I cannot"),
        completed(),
        broken=True,
    ),
    responses(
        "arguments_differ",
        *called(at(ARGUED, content=None, delta='{"a": 2}'), at(ARGUMENTS_DONE, content=None, arguments='{"a": 1}')),
        broken=True,
    ),
    responses("arguments_differ_at_the_end", *called(at(ARGUED, content=None, delta='{"a"')), broken=True),
    responses(
        "reasoning_differs",
        CREATED,
        THINKING,
        summary("delta", delta="hm"),
        summary("done", text="hm, so"),
        completed(spoken()),
        broken=True,
    ),
    responses(
        "another_answer_in_the_middle",
        *SPEAKING,
        CREATED | {"response": response("in_progress", id="resp_2")},
        *SPEAKING[1:],
        *ENDING,
        broken=True,
    ),
    responses(
        "completed_status_failed",
        *SPEAKING,
        completed(status="failed", error={"code": "server_error", "message": "x"}),
        broken=True,
    ),
    responses(
        "response_done_failed",
        *SPEAKING,
        completed(status="failed", type_="response.done", error={"code": "server_error", "message": "x"}),
        broken=True,
    ),
    responses("error_without_type", *OPENING, delta("Hello"), {"type": "x"}, broken=True, end="cut"),
    Wire(name="vllm_error", dialect="responses", parts=(*map(named, SPEAKING), data(VLLM_ERROR)), broken=True),
    Wire(
        name="error_object",
        dialect="responses",
        parts=(*map(named, SPEAKING), data({"error": {"code": "500"}})),
        broken=True,
    ),
)

# -- whole answers --------------------------------------------------------------------------------------------------


def whole(dialect: str, name: str, body: Json) -> Wire:
    parts = (json.dumps(body).encode(),)
    kind = "application/json"
    return Wire(
        name=f"whole_{name}",
        dialect=dialect,
        parts=parts,
        stream=False,
        content_type=kind,
        framing="length",
        broken=True,
    )


_ERROR = {"error": {"message": "Provider returned error", "code": 502}}
_CHOICE = {"index": 0, "finish_reason": None, "message": {"role": "assistant", "content": ""}}
WHOLE = (
    *(whole(dialect, "error_with_status_200", _ERROR) for dialect in ("chat", "completions", "responses", "messages")),
    *(whole(dialect, "vllm_error_with_status_200", VLLM_ERROR) for dialect in ("chat", "completions", "messages")),
    whole("chat", "error_in_choice", ROLE | {"object": "chat.completion", "choices": [_CHOICE | _ERROR]}),
    whole(
        "chat",
        "finish_reason_error",
        ROLE | {"object": "chat.completion", "choices": [_CHOICE | {"finish_reason": "error"}]},
    ),
    whole("messages", "typed_error", {"type": "error", "error": {"type": "api_error", "message": "x"}}),
)

OWN = (*CHAT, *COMPLETIONS, *MESSAGES, *RESPONSES, *WHOLE)
GOOD = {
    "chat": chat("good", ROLE, HELL, WORLD, STOP),
    "completions": completions("good", text("Hello"), text(" world", "stop")),
    "messages": messages("good", START, *SAID, reason(), OVER),
    "responses": responses("good", *ANSWER),
}
"""A good answer of each dialect: an origin that has sent it is known."""

"""Message content: only for those who opted in, in the conventions' structure, never more than the bounds."""

import base64
import json
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.model.call import Outcome
from l0.telemetry import capture
from l0.telemetry.capture import ContentMode, content_mode
from l0.telemetry.spans import SpanObserver

SWITCH = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CONVERSE = {
    "system": [{"text": "be brief"}],
    "messages": [
        {"role": "user", "content": [{"text": "weather?"}, {"image": {"format": "png", "source": {"bytes": b"i"}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "w", "input": {"at": "Paris"}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "rain"}]}}]},
    ],
    "toolConfig": {"tools": [{"toolSpec": {"name": "w", "inputSchema": {"json": {"type": "object"}}}}]},
}
CHAT = {
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "weather?"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ],
    "tools": [{"type": "function", "function": {"name": "w", "parameters": {"type": "object"}}}],
}
RESPONSES = {
    "instructions": "be brief",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"type": "function_call", "call_id": "c1", "name": "w", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    ],
    "tools": [{"type": "function", "name": "w", "parameters": {"type": "object"}}, {"type": "web_search"}],
}
MESSAGES = {
    "system": [{"type": "text", "text": "be brief"}],
    "messages": [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "id": "c1", "name": "w", "input": {"at": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "rain"}]}],
        },
    ],
    "tools": [{"name": "w", "input_schema": {"type": "object"}}],
}


def text(content):
    return {"type": "text", "content": content}


def test_chat(call):
    assert capture.of_request(replace(call, body=CHAT)) == {
        "gen_ai.input.messages": [
            {"role": "system", "parts": [text("be brief")]},
            {
                "role": "user",
                "parts": [text("weather?"), {"type": "uri", "modality": "image", "uri": "https://x/y.png"}],
            },
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "w", "arguments": "{}"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
        ],
        "gen_ai.tool.definitions": [{"type": "function", "name": "w"}],
    }


def test_responses(call):
    assert capture.of_request(replace(call, body=RESPONSES)) == {
        "gen_ai.input.messages": [
            {"role": "user", "parts": [text("weather?")]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "w", "arguments": "{}"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
        ],
        "gen_ai.system_instructions": [text("be brief")],
        "gen_ai.tool.definitions": [{"type": "function", "name": "w"}, {"type": "web_search", "name": ""}],
    }


def test_tools_that_can_be_read_only_once_stay_unread(call):
    tools = iter([{"name": "w"}])
    body = {"messages": [], "tools": tools}
    content = capture.of_request(replace(call, body=body))
    assert content["gen_ai.tool.definitions"] == [{"type": type(tools).__name__}]
    assert next(tools) == {"name": "w"}


def test_messages(call):
    answer = {"type": "tool_call_response", "id": "c1", "response": [{"type": "text", "text": "rain"}]}
    assert capture.of_request(replace(call, body=MESSAGES)) == {
        "gen_ai.input.messages": [
            {"role": "user", "parts": [text("weather?")]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "tool_call", "id": "c1", "name": "w", "arguments": {"at": "Paris"}},
                ],
            },
            {"role": "user", "parts": [answer]},
        ],
        "gen_ai.system_instructions": [text("be brief")],
        "gen_ai.tool.definitions": [{"type": "function", "name": "w"}],
    }


def test_converse(call):
    answer = {"type": "tool_call_response", "id": "c1", "response": [{"text": "rain"}]}
    called = {"type": "tool_call", "id": "c1", "name": "w", "arguments": {"at": "Paris"}}
    found = capture.of_request(replace(call, body=CONVERSE))
    (asked, image) = found["gen_ai.input.messages"][0].pop("parts")
    assert asked == text("weather?")
    assert "image" in image.values()
    assert found == {
        "gen_ai.input.messages": [
            {"role": "user"},
            {"role": "assistant", "parts": [called]},
            {"role": "user", "parts": [answer]},
        ],
        "gen_ai.system_instructions": [text("be brief")],
        "gen_ai.tool.definitions": [{"type": "function", "name": "w"}],
    }


@pytest.mark.parametrize("body", [{"input": "hello"}, {"prompt": "hello"}, {"prompt": ["hello"]}])
def test_plain_text(call, body):
    expected = {"gen_ai.input.messages": [{"role": "user", "parts": [text("hello")]}]}
    assert capture.of_request(replace(call, body=body)) == expected


def test_binary_data_is_named_and_left_out(call):
    secret = "iVBORw0KGgo"
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{secret}"}},
        {"type": "image", "source": {"type": "base64", "data": secret}},
        {"type": "input_audio", "input_audio": {"data": secret}},
    ]
    found = capture.of_request(replace(call, body={"messages": [{"role": "user", "content": parts}]}))
    kinds = [
        {"type": "image_url", "size": 8, "mime_type": "image/png"},
        {"type": "image", "size": 8},
        {"type": "input_audio", "size": 8},
    ]
    assert found == {"gen_ai.input.messages": [{"role": "user", "parts": kinds}]}


def test_the_output_of_every_tool_is_captured_as_its_response(call):
    output = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXELS}"}
    items = [{"type": "computer_call_output", "call_id": "c", "output": output}]
    (found,) = capture.of_request(replace(call, body={"input": items}))["gen_ai.input.messages"]
    (part,) = found["parts"]
    assert (found["role"], part["type"], part["id"]) == ("tool", "tool_call_response", "c")
    assert part["response"] == {"type": "computer_screenshot", "mime_type": "image/png", "size": 1024}


PIXELS = base64.b64encode(bytes(range(256)) * 4).decode()
"""Binary data in requests."""
LINES = "\n".join(PIXELS[at : at + 76] for at in range(0, len(PIXELS), 76))
URL = f"data:image/png;base64,{PIXELS}"
NESTED: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXELS}}
BINARY: dict[str, Any] = {
    "chat image": {"type": "image_url", "image_url": {"url": URL}},
    "chat audio": {"type": "input_audio", "input_audio": {"data": PIXELS, "format": "wav"}},
    "chat file": {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXELS}"}},
    "responses image": {"type": "input_image", "image_url": URL},
    "responses file": {"type": "input_file", "filename": "a.pdf", "file_data": PIXELS},
    "responses audio": {"type": "input_audio", "audio": {"data": PIXELS, "format": "mp3"}},
    "generated image": {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PIXELS},
    "screenshot": {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": URL}},
    "messages image": NESTED,
    "messages document": NESTED | {"type": "document"},
    "in a tool result": {"type": "tool_result", "tool_use_id": "t", "content": [NESTED, {"type": "text", "text": URL}]},
    "in a document in a tool result": {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "document", "source": {"type": "content", "content": [NESTED]}}],
    },
    "in a function's output": {"type": "function_call_output", "call_id": "t", "output": [NESTED | {"image_url": URL}]},
    "in JSON in a function's output": {
        "type": "function_call_output",
        "call_id": "t",
        "output": json.dumps({"image": PIXELS, "mail": LINES}),
    },
    "in a tool's arguments": {"type": "tool_use", "id": "t", "name": "save", "input": {"deep": [{"bytes": PIXELS}]}},
    "in a call's arguments": {"type": "function_call", "call_id": "t", "name": "f", "arguments": json.dumps([PIXELS])},
    "short, by its key": {"type": "tool_use", "id": "t", "name": "f", "input": {"b64_json": PIXELS[:40]}},
    "short, by its media type": {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": {"resource": {"data": PIXELS[:40], "mimeType": "image/png"}},
    },
    "raw bytes": {"type": "tool_use", "id": "t", "name": "f", "input": {"raw": bytes(range(256))}},
    "in a text": {"type": "text", "text": f"see ![image]({URL}) and DATA:image/png;base64,{PIXELS}."},
    "in a text, in lines": {"type": "text", "text": f"-----BEGIN\n{LINES}\n-----END"},
    "in a thought": {"type": "thinking", "thinking": URL},
    "as a text's list": {"type": "text", "text": [NESTED]},
    "bare": URL,
    "bare bytes": bytes(range(256)),
}


@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
@pytest.mark.parametrize("part", BINARY.values(), ids=BINARY)
def test_binary_data_is_never_captured(call, part, role):
    bodies = [
        {"messages": [{"role": role, "content": [part, {"type": "text", "text": "after"}]}]},
        {"messages": [{"role": role, "tool_call_id": "t", "content": part}]},
        {"input": [part], "instructions": part},
        {"input": [{"role": role, "content": [part]}], "system": [part]},
        {"prompt": [part]},
    ]
    for body in bodies:
        told = capture.of_request(replace(call, body=body))
        shown = repr(told) + repr(capture.as_json(told))
        assert PIXELS[:24] not in shown
        assert PIXELS[-24:] not in shown
        assert r"\x01" not in shown
        assert told["gen_ai.input.messages"]


def test_binary_data_in_an_answer_is_described_too(call, smooth):
    ended = replace(smooth[-1], text=f"here: {URL}", tool_calls=(("save", json.dumps({"image": PIXELS})),))
    (answer,) = capture.of_answer(ended)["gen_ai.output.messages"]
    said, called = answer["parts"]
    assert said["content"] == "here: [image/png, 1024 bytes]"
    assert called["arguments"] == '{"image": "[binary data, 1024 bytes]"}'


@pytest.mark.parametrize(
    "text",
    ["data: one, two", "-" * 400, "=" * 400, "x" * 400, "word " * 200, "f" * 64 + "0123456789abcdef" * 4, "data:a,b"],
)
def test_text_that_resembles_binary_data_is_kept(call, text):
    told = capture.of_request(replace(call, body={"input": text}))
    assert told["gen_ai.input.messages"][0]["parts"][0]["content"] == text


@pytest.mark.parametrize(
    "mark", [openai.NOT_GIVEN, anthropic.NOT_GIVEN, getattr(anthropic, "omit", anthropic.NOT_GIVEN)]
)
def test_missing_parameters_are_not_captured(call, mark):
    body = {
        "messages": [mark, {"role": "user", "content": [{"type": "text", "text": "hi"}, mark], "tool_calls": mark}],
        "system": mark,
        "tools": mark,
    }
    told = capture.of_request(replace(call, body=body))
    assert told == {"gen_ai.input.messages": [{"role": "user", "parts": [text("hi")]}]}
    nested = {
        "messages": [{"role": "user", "content": [{"type": "tool_use", "name": "f", "input": {"a": 1, "b": mark}}]}]
    }
    (message,) = capture.of_request(replace(call, body=nested))["gen_ai.input.messages"]
    assert message["parts"][0]["arguments"] == {"a": 1}


def test_the_newest_messages_are_kept(call):
    messages = [{"role": "user", "content": f"{number} " + "x" * 5000} for number in range(40)]
    (kept,) = capture.of_request(replace(call, body={"messages": messages})).values()
    assert kept[-1]["parts"][0]["content"].startswith("39 ")
    assert [message["parts"][0]["content"][:3] for message in kept] == [
        f"{40 - len(kept) + n} " for n in range(len(kept))
    ]
    assert 10 < len(kept) < 40


LETTERS = st.text('ab"\\\x00é', max_size=8)
KEYS = ["type", "role", "content", "text", "tool_calls", "function", "name", "arguments", "input", "output", "source"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | LETTERS | st.just('\x00"\\' * 5000),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(KEYS) | LETTERS, inner, max_size=6),
    max_leaves=20,
)


@given(body=st.dictionaries(st.sampled_from(["messages", "input", "prompt", "system", "instructions", "tools"]), JSON))
def test_captured_content_is_bounded_json_for_any_body(body):
    class Request:
        def __init__(self):
            self.body = body

    for value in capture.as_json(capture.of_request(Request())).values():
        assert len(value) <= capture.TOTAL_LIMIT
        assert isinstance(json.loads(value), list)


@pytest.mark.parametrize("switch", [None, "", " ", "NO_CONTENT", "no_content"])
def test_no_content_by_default(switch, caplog):
    assert content_mode(switch) is ContentMode.NO_CONTENT
    assert not caplog.records


@pytest.mark.parametrize("mode", ContentMode)
def test_modes_are_read_in_any_case(mode):
    assert content_mode(f" {mode.lower()} ") is mode


def test_unknown_capture_mode_captures_nothing_and_warns(caplog):
    assert content_mode("yes") is ContentMode.NO_CONTENT
    (record,) = caplog.records
    message = record.getMessage()
    assert SWITCH in message
    assert "'yes'" in message
    assert "SPAN_AND_EVENT" in message


CONTENT = {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"}


@pytest.fixture(params=[None, *ContentMode], ids=str)
def mode(request, monkeypatch):
    if request.param is not None:
        monkeypatch.setenv(SWITCH, request.param)
    return request.param or ContentMode.NO_CONTENT


def test_capture_mode_selects_span_or_event(traces, call, smooth, mode):
    watcher = SpanObserver(traces.provider, logger_provider=traces.logs).observe(replace(call, body=CHAT))
    for event in smooth:
        watcher.notify(event)
    (span,) = traces.exporter.get_finished_spans()
    assert CONTENT & set(span.attributes) == (CONTENT if mode.on_span else set())
    assert len(traces.events) == (1 if mode.on_event else 0)


def test_on_a_span_it_is_json_text(traces, call, smooth, play, monkeypatch):
    monkeypatch.setenv(SWITCH, "SPAN_ONLY")
    play(SpanObserver(traces.provider), smooth, replace(call, body=CHAT))
    (span,) = traces.exporter.get_finished_spans()
    (answer,) = json.loads(span.attributes["gen_ai.output.messages"])
    assert answer == {"role": "assistant", "parts": [text("hello")], "finish_reason": "stop"}
    assert json.loads(span.attributes["gen_ai.input.messages"])[0] == {"role": "system", "parts": [text("be brief")]}


def test_in_an_event_it_is_structured_and_belongs_to_the_span(traces, call, smooth, monkeypatch):
    monkeypatch.setenv(SWITCH, "EVENT_ONLY")
    watcher = SpanObserver(traces.provider, logger_provider=traces.logs).observe(replace(call, body=CHAT))
    for event in smooth:
        watcher.notify(event)
    (record,) = traces.events
    (span,) = traces.exporter.get_finished_spans()
    assert record.event_name == "gen_ai.client.inference.operation.details"
    assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)
    assert record.timestamp == span.end_time
    assert record.attributes["gen_ai.operation.name"] == "chat"
    assert record.attributes["gen_ai.usage.output_tokens"] == 41
    (answer,) = record.attributes["gen_ai.output.messages"]
    assert answer["parts"][0]["content"] == "hello"


def test_broken_answer_has_the_finish_reason_error(traces, call, smooth, play, monkeypatch):
    monkeypatch.setenv(SWITCH, "SPAN_ONLY")
    play(SpanObserver(traces.provider), [replace(smooth[-1], outcome=Outcome.FAILED, metadata=None)], call)
    (span,) = traces.exporter.get_finished_spans()
    assert json.loads(span.attributes["gen_ai.output.messages"])[0]["finish_reason"] == "error"


def test_a_body_that_json_cannot_hold_costs_the_content_only(traces, call, monkeypatch, caplog):
    monkeypatch.setenv(SWITCH, "SPAN_ONLY")
    body = {"messages": [{"role": "user", "content": [{"type": "tool_use", "input": {(1, 2): 3}}]}]}
    watcher = SpanObserver(traces.provider).observe(replace(call, body=body))
    assert watcher is not None
    assert "the content of a call could not be captured" in caplog.text


def test_the_request_is_captured_as_it_was_sent(traces, call, smooth, monkeypatch):
    monkeypatch.setenv(SWITCH, "SPAN_ONLY")
    messages = [{"role": "user", "content": "one"}]
    watcher = SpanObserver(traces.provider).observe(replace(call, body={"messages": messages}))
    messages.append({"role": "assistant", "content": "later"})
    for event in smooth:
        watcher.notify(event)
    (span,) = traces.exporter.get_finished_spans()
    assert "later" not in span.attributes["gen_ai.input.messages"]


def test_capture_leaves_iterators_unread_and_dumps_sdk_objects(call):
    unread = iter([{"type": "text", "text": "hi"}])
    earlier = anthropic.types.TextBlock(type="text", text="hello")
    said = [{"role": "assistant", "content": [earlier]}, {"role": "user", "content": unread}]
    told = capture.of_request(replace(call, body={"messages": said}))["gen_ai.input.messages"]
    assert [message["parts"] for message in told] == [
        [{"type": "text", "content": "hello"}],
        [{"type": "list_iterator"}],
    ]
    assert next(unread)["text"] == "hi"


def test_tool_calls_are_captured(call, smooth):
    ended = replace(smooth[-1], text="", tool_calls=(("w", '{"at": "Paris"}'), ("n", "")))
    (answer,) = capture.of_answer(ended)["gen_ai.output.messages"]
    assert [(part["type"], part["name"], part["arguments"]) for part in answer["parts"]] == [
        ("tool_call", "w", '{"at": "Paris"}'),
        ("tool_call", "n", ""),
    ]
    (both,) = capture.of_answer(replace(ended, text="Well:"))["gen_ai.output.messages"]
    assert [part["type"] for part in both["parts"]] == ["text", "tool_call", "tool_call"]

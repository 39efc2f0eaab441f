"""Decoders of the providers' objects, in shapes that the simulator does not make."""

from types import SimpleNamespace
from typing import Any

import pytest

from l0 import EventType, l0
from l0.dialects.chat import CHAT
from l0.dialects.messages import MESSAGES
from l0.dialects.responses import RESPONSES
from l0.streams.adapters import ADAPTERS
from l0.streams.decoders.delta_decoder import DeltaDecoder


class ModelResponseStream(SimpleNamespace):
    """As litellm calls its chunks."""

    __module__ = "litellm.types.utils"


def chunk(text: str | None = None, *, reason: str | None = None, index: int = 0, **delta: Any) -> Any:
    said = SimpleNamespace(content=text, **delta)
    choice = SimpleNamespace(index=index, delta=said, finish_reason=reason)
    return ModelResponseStream(id="1", model="m", choices=[choice], usage=None)


def part(index: int, name: str | None, arguments: str, id: str | None = None) -> Any:  # noqa: A002
    return SimpleNamespace(index=index, id=id, function=SimpleNamespace(name=name, arguments=arguments))


def test_litellm_is_recognised_by_its_chunks() -> None:
    with l0.run_sync(lambda: [chunk("a"), chunk("b"), chunk(reason="stop")]) as stream:
        assert stream.read() == "ab"


def test_a_chat_stream_without_a_finish_reason_is_not_whole() -> None:
    with pytest.raises(ConnectionError, match="truncated"):
        l0.run_sync(lambda: [chunk("a"), chunk("b")]).read()


def test_of_several_choices_the_first_is_the_answer() -> None:
    decoder = DeltaDecoder(CHAT)
    items = [chunk("a"), chunk("x", index=1), chunk(reason="stop"), chunk(reason="stop", index=1)]
    wholes = []
    text = ""
    for item in items:
        text += "".join(event.text for event in decoder.decode(item))
        wholes.append(decoder.is_complete())
    assert (text, wholes) == ("a", [False, False, False, True])


def test_of_several_choices_litellm_ends_only_the_first() -> None:
    items = [chunk("a"), chunk("x", index=1), chunk(reason="stop"), chunk("y", index=1)]
    with l0.run_sync(lambda: items) as stream:
        assert stream.read() == "a"
    with pytest.raises(ConnectionError, match="truncated"):
        l0.run_sync(lambda: items[:2]).read()


def test_chat_tool_calls_in_pieces() -> None:
    decoder = DeltaDecoder(CHAT)
    pieces = [
        chunk(tool_calls=[part(0, "first", '{"a"', "1")]),
        chunk(tool_calls=[part(0, None, ": 1}")]),
        chunk(tool_calls=[part(1, "second", "", "2")]),
        chunk(tool_calls=[part(1, None, "{half")]),
        chunk(reason="tool_calls"),
    ]
    pending, events = [], []
    for piece in pieces:
        events += decoder.decode(piece)
        pending.append(decoder.has_pending)
    assert [(event.data.name, event.data.arguments, event.data.raw) for event in events] == [
        ("first", {"a": 1}, '{"a": 1}'),
        ("second", None, "{half"),  # never repaired
    ]
    assert pending == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"reasoning_content": "hm"}, [(EventType.REASONING, "hm")]),
        ({"audio": {"id": "a"}}, [(EventType.DATA, "")]),
        ({"refusal": "no"}, []),
    ],
    ids=str,
)
def test_what_else_a_chat_delta_may_carry(delta: dict[str, Any], expected: list[Any]) -> None:
    decoder = DeltaDecoder(CHAT)
    assert [(event.type, event.text) for event in decoder.decode(chunk(**delta))] == expected
    closing = [(event.type, event.text) for event in decoder.decode(chunk(reason="stop"))]
    assert closing == ([(EventType.MESSAGE, "no")] if "refusal" in delta else [])


def responses_event(kind: str, **fields: Any) -> Any:
    return SimpleNamespace(type=f"response.{kind}", **fields)


def test_payloads_in_a_responses_stream() -> None:
    cited = SimpleNamespace(type="container_file_citation", file_id="f1", filename="a.csv")
    link = SimpleNamespace(type="url_citation", url="https://host.example")
    tool = SimpleNamespace(
        type="code_interpreter_call", outputs=[SimpleNamespace(type="image", url="https://host.example/a.png")]
    )
    decoder = DeltaDecoder(RESPONSES)
    found = [
        event
        for item in (
            responses_event("audio.delta", delta="QUJD", output_index=1),
            responses_event("audio.transcript.delta", delta="abc", output_index=1),
            responses_event("output_text.annotation.added", annotation=link, output_index=2),
            responses_event("output_text.annotation.added", annotation=cited, output_index=2),
            responses_event("output_item.done", item=tool, output_index=3),
        )
        for event in decoder.decode(item)
    ]
    assert {event.type for event in found} == {EventType.DATA}
    sound, transcript, file, whole, image = found
    assert (sound.data.data, sound.data.index) == (b"ABC", 1)
    assert (transcript.text, transcript.data.data) == ("abc", None)
    assert (file.data.kind, file.data.file_id, file.data.filename, file.data.index) == ("file", "f1", "a.csv", 2)
    assert whole.data is tool
    assert (image.data.kind, image.data.url, image.data.index) == ("image", "https://host.example/a.png", 3)


def test_errors_inside_a_stream() -> None:
    failed = SimpleNamespace(
        type="response.failed", response=SimpleNamespace(error=SimpleNamespace(message="no", code="server_error"))
    )
    (event,) = DeltaDecoder(RESPONSES).decode(failed)
    assert (event.type, event.text, event.data) == (EventType.ERROR, "no", "server_error")
    error = SimpleNamespace(type="error", error=SimpleNamespace(message="busy", type="overloaded_error"))
    (event,) = DeltaDecoder(MESSAGES).decode(error)
    assert (event.type, event.text, event.data) == (EventType.ERROR, "busy", "overloaded_error")


def test_only_their_packages_objects_are_recognised() -> None:
    assert ADAPTERS.find(SimpleNamespace(choices=[])) is None
    assert ADAPTERS.find(SimpleNamespace(type="message_start")) is None


def test_a_tool_call_that_was_on_its_way_is_not_begun_again() -> None:
    made = 0

    def source() -> Any:
        nonlocal made
        made += 1
        yield chunk("a")
        yield chunk(tool_calls=[part(0, "first", '{"a"', "1")])
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        list(l0.run_sync(source, resume="exact"))
    assert made == 1

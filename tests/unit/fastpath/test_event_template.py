"""Events read by a template are what they are when each is read on its own: their objects, and what the reader records.

The events vary in every way that JSON and the event stream allow, also in ways that only a broken server would send.
"""

import copy
import json
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import needs_responses

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.messages import MessagesReader
from l0.dialects.responses import ResponsesReader
from l0.fastpath.comparison import difference
from l0.fastpath.constructors import Constructors
from l0.fastpath.event_template import EventTemplate, EventTemplates, Sample
from l0.model.failure import Cause, Failure
from l0.runtime.body_parser import WireParser

EXAMPLES = int(os.environ.get("TEST_TEMPLATES", "30"))
"""Answers for each dialect."""
OPENAI, ANTHROPIC = Constructors(openai._models), Constructors(anthropic._models)
CHUNK: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def _error(message: str, _: object) -> Exception:
    return ValueError(message)


def _chat(build: Any) -> ChatReader:
    return ChatReader(build, "", choices=1, wraps=frozenset(), make_error=_error)


def _completions(build: Any) -> CompletionsReader:
    return CompletionsReader(build, "", choices=1, wraps=frozenset(), make_error=_error)


def _responses(build: Any) -> ResponsesReader:
    return ResponsesReader(build, "", kept=False, replays=False, make_error=_error)


def _messages(build: Any) -> MessagesReader:
    refused = Failure(cause=Cause.MALFORMED)
    return MessagesReader(build, "", names=None, typed=True, refuse=lambda _: refused)


def _responses_event() -> Any:
    from openai.types.responses import ResponseStreamEvent  # came with openai 1.66

    return ResponseStreamEvent


def choice(text: str) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}


def chat_event(text: str, number: int) -> tuple[str | None, dict[str, Any]]:
    return None, CHUNK | {"choices": [choice(text)], "obfuscation": "x" * (number % 3)}


def completion_event(text: str, _: int) -> tuple[str | None, dict[str, Any]]:
    return None, {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [
        {"text": text, "index": 0, "logprobs": None, "finish_reason": None}
    ]}  # fmt: skip


def responses_event(text: str, number: int) -> tuple[str | None, dict[str, Any]]:
    kind = "response.output_text.delta"
    return kind, {
        "type": kind, "item_id": "i", "output_index": 0, "content_index": 0, "delta": text, "logprobs": [],
        "obfuscation": "x" * (number % 3), "sequence_number": number,
    }  # fmt: skip


def messages_event(text: str, _: int) -> tuple[str | None, dict[str, Any]]:
    kind = "content_block_delta"
    return kind, {"type": kind, "index": 0, "delta": {"type": "text_delta", "text": text}}


MESSAGE: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}
MESSAGE |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
Event = Callable[[str, int], tuple[str | None, dict[str, Any]]]
DIALECTS: dict[str, tuple[Constructors, Callable[[], Any], Callable[[Any], Any], Event, list[Any]]] = {
    "chat": (OPENAI, lambda: openai.types.chat.ChatCompletionChunk, _chat, chat_event, []),
    "completions": (OPENAI, lambda: openai.types.Completion, _completions, completion_event, []),
    "responses": (OPENAI, _responses_event, _responses, responses_event, []),
    "messages": (
        ANTHROPIC, lambda: anthropic.types.RawMessageStreamEvent, _messages, messages_event,
        [("message_start", {"type": "message_start", "message": MESSAGE}), ("content_block_start", BLOCK)],
    ),
}  # fmt: skip
DIALECT = pytest.mark.parametrize(
    "dialect", [pytest.param(name, marks=[needs_responses] if name == "responses" else []) for name in DIALECTS]
)


def wire(name: str | None, data: bytes) -> bytes:
    return (b"" if name is None else b"event: %b\n" % name.encode()) + b"data: %b\n\n" % data


def encoded(name: str | None, event: Any) -> bytes:
    return wire(name, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def templates_of(dialect: str) -> EventTemplates:
    """The templates of a process that has read no answer yet."""
    constructors, type_, *_ = DIALECTS[dialect]
    build = constructors.builder(type_())
    assert build is not None
    return EventTemplates(build, constructors)


def parsers(dialect: str, templates: EventTemplates | None = None) -> tuple[WireParser, WireParser]:
    """A parser with templates, and one without."""
    constructors, type_, reader, _, _ = DIALECTS[dialect]
    build = constructors.builder(type_())
    return WireParser(reader(build), templates or templates_of(dialect)), WireParser(reader(build))


def beginning(dialect: str, count: int = 8) -> list[bytes]:
    """The start of an answer, long enough for a template."""
    *_, event, start = DIALECTS[dialect]
    return [*(encoded(*one) for one in start), *(encoded(*event(f" word{number}", number)) for number in range(count))]


def read(parser: WireParser, reads: list[bytes]) -> list[Any]:
    items: list[Any] = []
    for raw in reads:
        if parser.reader.stopped:
            break
        items += parser.feed(raw)
    return items


def state(reader: Any) -> dict[str, Any]:
    """All that a reader has recorded."""
    known = {key: value for key, value in vars(reader).items() if key not in ("build", "_refuse", "_make_error")}
    known = {key: vars(value) if key == "_texts" else value for key, value in known.items()}
    return {key: repr(value) if key in {"failure", "_token_numbers"} else value for key, value in known.items()} | {
        "_token_numbers": vars(reader._token_numbers) if getattr(reader, "_token_numbers", None) else None,
        "_places": None,
        "_others": {key: vars(value) for key, value in getattr(reader, "_others", {}).items()},
    }


def check(dialect: str, events: list[bytes], cuts: list[int], templates: EventTemplates | None = None) -> WireParser:
    """Compare what both parsers make of these events, cut into reads of these sizes in turns."""
    body, reads, at = b"".join(events), [], 0
    while at < len(body):
        size = cuts[len(reads) % len(cuts)]
        reads.append(body[at : at + size])
        at += size
    ours, plain = parsers(dialect, templates)
    items, expected = read(ours, reads), read(plain, reads)
    assert difference(items, expected) is None
    assert [repr(one) for one in items] == [repr(one) for one in expected]
    assert [_json(one) for one in items] == [_json(one) for one in expected]
    assert difference(pickle.loads(pickle.dumps(items)), expected) is None
    assert state(ours.reader) == state(plain.reader)
    return ours


def _json(item: Any) -> Any:
    try:
        return item.to_json(warnings=False)
    except Exception as error:  # a lone surrogate
        return type(error)


texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(['"', "\\", '","', "\\\\", "\n", "\u2028", "\x7f", "é", "😀"]),
    st.sampled_from(["l0 0", "\ud800", "\udc00\ud800", "}]}", ""]),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    return [found for key, each in children for found in ((*path, key), *_paths(each, (*path, key)))]


values = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.just(2**70), st.floats(allow_nan=False, allow_infinity=False),
    texts, st.just([]), st.just({}), st.just(["x"]), st.just({"content": "x"}), st.just({"text": "x", "delta": "y"}),
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, event: dict[str, Any]) -> dict[str, Any]:
    """The event with a value replaced, removed or added, or with its keys in another order."""
    event = copy.deepcopy(event)
    path = draw(st.sampled_from(_paths(event)))
    holder = event
    for key in path[:-1]:
        holder = holder[key]
    match draw(st.sampled_from(("replace", "remove", "add", "reorder"))):
        case "replace":
            holder[path[-1]] = draw(values)
        case "remove":
            holder.pop(path[-1])
        case "add" if isinstance(holder, dict):
            key = st.sampled_from(["content", "text", "delta", "error", "usage", "extra", "obfuscation", "é", ""])
            holder[draw(key)] = draw(values)
        case _ if isinstance(holder, dict):
            items = draw(st.permutations(list(holder.items())))
            holder.clear()
            holder.update(items)
    return event


@st.composite
def spelled(draw: st.DrawFn, name: str | None, event: dict[str, Any]) -> bytes:
    """The bytes of an event in another spelling, or with a defect."""
    data = json.dumps(
        event,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")])),
    ).encode("utf-8", "surrogatepass")
    match draw(st.sampled_from(("as it is", "padded", "twice", "escaped key", "inserted", "removed", "lines"))):
        case "padded":
            data = data[:-1] + b" " * draw(st.integers(0, 5)) + data[-1:] + b" " * draw(st.integers(0, 1))
        case "twice":
            data = draw(st.sampled_from([b'{"delta":"x",', b'{"content":"x",', b'{"text":"x",'])) + data[1:]
        case "escaped key":
            data = data.replace(b'"delta"', b'"d\\u0065lta"', 1)
        case "inserted":
            at = draw(st.integers(0, len(data)))
            more = st.sampled_from([b'"', b"\\", b",", b"{", b"}", b"0", b"\x00", b"\xff", b"\t", b" ", b'","', b"\r"])
            data = data[:at] + draw(more) + data[at:]
        case "removed":
            at = draw(st.integers(0, len(data) - 1))
            data = data[:at] + data[at + 1 :]
        case "lines":
            odd = st.sampled_from([b": comment\n\n", b"id: 1\n", b"\n", b"retry: 1\n", b"event: ping\ndata: {}\n\n"])
            return draw(odd) + wire(name, data)
    return wire(name, data)


@st.composite
def streams(draw: st.DrawFn, dialect: str) -> list[bytes]:
    """An answer whose events vary after a regular beginning."""
    event, events = DIALECTS[dialect][3], beginning(dialect)
    number = 8
    for _ in range(draw(st.integers(1, 12))):
        name, made = event(draw(texts), number)
        if draw(st.integers(0, 2)) == 0:
            made = draw(changed(made))
        number += draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2, -1]))
        regular = draw(st.booleans())
        events.append(encoded(name, made) if regular else draw(spelled(name, made)))
    return events


@DIALECT
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_varying_events_are_read_as_without_a_template(dialect, data):
    events = data.draw(streams(dialect))
    check(dialect, events, data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=4)))


@DIALECT
def test_known_shape_is_used_from_the_first_fragment_of_text(dialect, monkeypatch):
    templates = templates_of(dialect)
    read(parsers(dialect, templates)[0], beginning(dialect))
    parser, _ = parsers(dialect, templates)
    events = [of_another_answer(each) for each in beginning(dialect)]
    first = len(DIALECTS[dialect][4]) + 1 + (dialect == "responses")  # whose first two numbers show that they count
    read(parser, events[:first])
    monkeypatch.setattr(parser, "_read_event", lambda *_: pytest.fail("it was read one by one"))
    (item,) = parser.feed(events[first])
    assert dialect == "messages" or "other" in item.__dict__.values() or item.item_id == "j"
    check(dialect, events, [100], templates)


def of_another_answer(event: bytes) -> bytes:
    """The same event of another answer."""
    for old, new in ((b'"c"', b'"other"'), (b'"m"', b'"another \\u00e9"'), (b'"i"', b'"j"'), (b":1,", b":987,")):
        event = event.replace(old, new)
    return event


PER_ANSWER = ("id", "created", "model", "system_fingerprint", "item_id", "extra")


@DIALECT
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_of_another_answer_are_read_as_without_a_template(dialect, data):
    """Every later answer has other values than the one whose events were proven: of all types, or none."""
    templates, event = templates_of(dialect), DIALECTS[dialect][3]
    cuts = st.lists(st.integers(1, 400), min_size=1, max_size=4)
    for _ in range(data.draw(st.integers(2, 3))):
        own = data.draw(st.dictionaries(st.sampled_from(PER_ANSWER), values))
        spelling = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
        events = [encoded(*one) for one in DIALECTS[dialect][4]]
        for number in range(6):
            name, made = event(data.draw(texts), number)
            made = json.dumps(made | own, ensure_ascii=data.draw(st.booleans()), separators=spelling)
            events.append(wire(name, made.encode("utf-8", "surrogatepass")))
        check(dialect, events, data.draw(cuts), templates)


@DIALECT
@pytest.mark.parametrize("size", [1, 7, 100, 1000, 10**6])
def test_regular_events_are_read_by_a_template(dialect, size, monkeypatch):
    read_events = []
    reader = type(parsers(dialect)[0].reader)
    unharmed = reader.read_event
    monkeypatch.setattr(reader, "read_event", lambda *given: read_events.append(1) or unharmed(*given))
    monkeypatch.setattr(f"{__name__}.state", lambda reader: reader.text)
    check(dialect, beginning(dialect, 100), [size])
    one_by_one = len(DIALECTS[dialect][4]) + 100
    assert len(read_events) == one_by_one + one_by_one - 97


@DIALECT
@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "é😀", "\x7f", "a\u2028b"])
def test_template_reads_text_of_any_kind(dialect, text, monkeypatch):
    event = DIALECTS[dialect][3]
    parser, _ = parsers(dialect)
    read(parser, beginning(dialect))
    monkeypatch.setattr(parser, "_read_event", lambda *_: pytest.fail("it was read one by one"))
    for ascii_only in (True, False):
        number = 8 + (not ascii_only)
        name, made = event(text, number)
        data = json.dumps(made, ensure_ascii=ascii_only, separators=(",", ":")).encode()
        parser.feed(wire(name, data))
        assert parser.reader.text[-1] == text


@DIALECT
def test_template_reads_events_that_are_padded_with_spaces(dialect, monkeypatch):
    """As Anthropic's are."""
    templates = templates_of(dialect)
    events = [each[:-3] + b" " * (number * 7 % 13) + each[-3:] for number, each in enumerate(beginning(dialect, 40))]
    check(dialect, events, [100], templates)
    parser, _ = parsers(dialect, templates)
    read(parser, events[:8])
    monkeypatch.setattr(parser, "_read_event", lambda *_: pytest.fail("it was read one by one"))
    read(parser, events[8:])


@DIALECT
def test_objects_of_a_template_share_nothing_that_can_change(dialect):
    parser, _ = parsers(dialect)
    items = read(parser, beginning(dialect, 20))[-2:]
    before = items[1].to_json()
    _spoil(items[0])
    assert items[1].to_json() == before


def _spoil(value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _spoil(each)
        value.append("spoiled")
    elif hasattr(value, "__dict__"):
        for each in list(value.__dict__.values()):
            _spoil(each)
        value.model_fields_set.clear()
        value.model_extra["spoiled"] = True
        value.__dict__.clear()


def test_no_template_where_the_sdk_builds_the_objects():
    constructors, _, _, event, _ = DIALECTS["chat"]

    class Chunk(openai.BaseModel):  # type: ignore[misc]
        choices: set[str]

    build = constructors.builder(Chunk)
    assert build is not None
    _, made = event("text", 1)
    data = json.dumps(made).encode()
    sample = Sample(wire(None, data), data, made, build(made))
    assert EventTemplates(build, constructors).template(sample, lambda _: {"content": "text"}, 100) is None


def test_no_template_of_an_event_in_which_a_key_occurs_twice():
    constructors = Constructors(openai._models)
    build = constructors.builder(openai.types.chat.ChatCompletionChunk)
    assert build is not None
    templates = EventTemplates(build, constructors)

    def made(data: bytes) -> EventTemplate | None:
        event = json.loads(data)
        return templates.template(Sample(wire(None, data), data, event, build(event)), fields, 100)

    def fields(event: Any) -> dict[str, str | int]:
        return {"content": event["choices"][0]["delta"]["content"]}

    assert made(b'{"content":"x","choices":[{"delta":{"content":"x"}}]}') is None
    assert made(b'{"choices":[{"delta":{"content":"x"}}]}') is not None


def test_known_shape_is_not_used_if_its_copy_differs_from_the_object(monkeypatch):
    templates = templates_of("chat")
    read(parsers("chat", templates)[0], beginning("chat"))
    parser, _ = parsers("chat", templates)
    build = parser.reader.build  # type: ignore[attr-defined]
    parser.reader.build = lambda event: build(event | {"model": "of another type"})  # type: ignore[attr-defined]
    items = read(parser, beginning("chat"))
    assert {item.model for item in items} == {"of another type"}


def test_shapes_that_no_later_answer_uses_are_proven_ever_later_and_forgotten():
    """As with log probabilities, which differ in every event."""
    templates, proofs = templates_of("chat"), []
    proven = templates._proven
    templates._proven = lambda *given: proofs.append(1) or proven(*given)  # type: ignore[method-assign]
    for answer in range(100):
        events = [CHUNK | {"choices": [choice("x")], f"odd{answer}": number} for number in range(40)]
        check("chat", [encoded(None, event) for event in events], [1000], templates)
    assert 20 < len(proofs) < 60
    assert len(templates._shapes) <= 64
    assert max(map(len, templates._shapes.values())) <= 8


def test_threads_share_shapes():
    templates = templates_of("chat")
    errors: list[BaseException] = []

    def run(thread: int) -> None:
        try:
            for turn in range(20):
                own = CHUNK | {"id": f"{thread}-{turn}", "choices": [choice("x")], f"key{turn % 3}": None}
                check("chat", [encoded(None, own)] * 10, [150], templates)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not errors


ODD = [{"index": odd} for odd in (None, [], "0", 0.0, True, ...)]
ODD_PLACES = [
    *(pytest.param("messages", odd) for odd in ODD),
    *(pytest.param("responses", {key: each}, marks=needs_responses)
      for key in ("output_index", "content_index") for odd in ODD for each in odd.values()),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "odd"), ODD_PLACES)
def test_events_at_an_odd_place_have_no_template(dialect, odd):
    """``...``: the key is missing."""
    events = beginning(dialect)
    for number in range(8, 20):
        name, event = DIALECTS[dialect][3]("text", number)
        events.append(encoded(name, {key: value for key, value in (event | odd).items() if value is not ...}))
    check(dialect, events, [10_000])


def test_messages_of_a_block_that_was_closed_are_not_read_by_its_template():
    stop = ("content_block_stop", {"type": "content_block_stop", "index": 0})
    events = [*beginning("messages"), encoded(*stop), *beginning("messages")[2:]]
    ours = check("messages", events, [len(b"".join(events))])
    assert "out_of_order" in ours.reader.anomalies or ours.reader.failure is not None  # type: ignore[attr-defined]

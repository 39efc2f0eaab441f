"""The SSE splitter, compared with a line-by-line parser of the specification and with the SDKs' own decoders.

There is one deliberate difference from the specification: an event with a name and without data, or with empty data, is
returned, as the SDKs do. A browser would drop it.
"""

import re
from itertools import pairwise

import anthropic._streaming
import openai._streaming
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.wire import sse
from l0.wire.sse import Event, Splitter

BOM = b"\xef\xbb\xbf"


def reference(body: bytes) -> list[Event]:
    """Parse as in https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream."""
    body = body.removeprefix(BOM)
    lines = re.split(rb"\r\n|\n|\r", body)
    lines.pop()  # text without a line end is not a complete line
    events: list[Event] = []
    name, data = b"", list[bytes]()
    for line in lines:
        if line == b"":  # dispatch
            if name or data:
                events.append((name or None, b"\n".join(data)))
            name, data = b"", []
        elif line.startswith(b":"):
            continue
        else:
            field, colon, value = line.partition(b":")
            if colon and value.startswith(b" "):
                value = value[1:]
            if field == b"event":
                name = value
            elif field == b"data":
                data.append(value)
    return events


def split(body: bytes, cuts: list[int]) -> list[Event]:
    """Return the events of a body that is split at these offsets."""
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    splitter = Splitter()
    return [event for start, end in pairwise(places) for event in splitter.feed(body[start:end])]


PIECES = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", b" ", b":", b"x", BOM, BOM[:1], BOM[:2], b"\0"),
    *(b"data", b"data:", b"data: ", b"data: {}", b"data:  two spaces", b"data: a\ndata: b", b"data:\n\n"),
    *(b"event", b"event:", b"event: ", b"event: ping", b"event: a\ndata: {}\n\n", b"data: {}\nevent: late\n\n"),
    *(b"id: 1\n", b"id", b"retry: 5\n", b"retry: x\n\n", b": comment\n\n", b":\n", b"unknown: field\n", b"Data: no\n"),
    *("data: é你😀\n\n".encode(), b"data: [DONE]\n\n", b"data: \xff\xfe\n\n", b"event: a\nevent: b\ndata: 1\n\n"),
]
bodies = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)
cuts = st.lists(st.integers(0, 120), max_size=10)


@given(body=bodies, cuts=cuts)
@settings(max_examples=700)
def test_sse_events_equal_the_specification(body, cuts):
    assert split(body, cuts) == reference(body)


@given(body=bodies)
@settings(max_examples=200)
def test_sse_events_of_single_bytes(body):
    assert split(body, list(range(len(body)))) == split(body, []) == reference(body)


@given(body=st.binary(max_size=60), cuts=cuts)
@settings(max_examples=200)
def test_sse_events_of_arbitrary_bytes(body, cuts):
    assert split(body, cuts) == reference(body)


@given(start=st.sampled_from([BOM, BOM[:1], BOM[:2], BOM + BOM, b"", BOM[1:]]), cuts=st.lists(st.integers(0, 8)))
@settings(max_examples=100)
def test_byte_order_mark_is_removed_once_at_the_start(start, cuts):
    body = start + b"data: x\n\n" + BOM + b"data: y\n\n"
    assert split(body, cuts) == reference(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: x\n\n", [(None, b"x")]),
        (b"data:x\n\n", [(None, b"x")]),
        (b"data:  x\n\n", [(None, b" x")]),
        (b"event: a\ndata: x\n\n", [(b"a", b"x")]),
        (b"data: x\nevent: a\n\n", [(b"a", b"x")]),
        (b"data: a\ndata: b\n\n", [(None, b"a\nb")]),
        (b"event: ping\n\n", [(b"ping", b"")]),
        (b"data\n\n", [(None, b"")]),
        (b"event\ndata: x\n\n", [(None, b"x")]),
        (b"event: \ndata: x\n\n", [(None, b"x")]),
        (b"event: \n\n", []),
        (b": comment\n\n", []),
        (b"id: 1\nretry: 3\n\n", []),
        (b"id: 1\ndata: x\n\n", [(None, b"x")]),
        (b"data: x\r\rdata: y\r\n\r\n", [(None, b"x"), (None, b"y")]),
        (b"data: x\n", []),
        (b"data: x", []),
        (b"\n\n\n\ndata: x\n\n\n\n", [(None, b"x")]),
        (BOM + b"data: x\n\n", [(None, b"x")]),
        (b"data: x: y\n\n", [(None, b"x: y")]),
        (b" data: x\n\n", []),
    ],
)
def test_sse_examples(body, expected):
    assert split(body, []) == expected
    assert reference(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'error: {"code":400}\n\ndata: [DONE]\n\n', [(b"error", b'{"code":400}'), (None, b"[DONE]")]),
        (b'data: x\n\n{"error":{"code":400}}\n\n', [(None, b"x"), (b"error", b'{"error":{"code":400}}')]),
        (b'{\n  "error": {"code":400}\n}\n\n', [(b"error", b'{\n  "error": {"code":400}\n}')]),
        (b'{"ping":1}\n\nerror: text\n\n', []),
    ],
)
def test_an_error_outside_the_data_becomes_an_event(body, expected):
    assert split(body, []) == expected
    assert split(body, list(range(1, len(body)))) == expected


def test_sse_event_is_returned_with_the_read_that_ends_it():
    splitter = Splitter()
    assert splitter.feed(b"data: a\r\n\r") == [(None, b"a")]
    assert splitter.feed(b"\ndata: b\n") == []
    assert splitter.feed(b"\n") == [(None, b"b")]
    assert splitter.feed(b"") == []


# The SDKs' own decoders

endings = st.sampled_from([b"\n", b"\r", b"\r\n"])
line_text = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """Generate events as a provider sends them, without ``id``: with it, the SDKs dispatch an event per blank line."""
    end = draw(endings)
    body = b""
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            body += b": keep-alive" + end + end
        if draw(st.booleans()):
            body += b"event: " + draw(st.sampled_from([b"ping", b"message_start", "é".encode()])) + end
        for text in draw(st.lists(line_text, min_size=1, max_size=3)):
            body += b"data: " + text.encode() + end
        body += end
    return body


@pytest.mark.parametrize("module", [openai._streaming, anthropic._streaming], ids=["openai", "anthropic"])
@given(body=well_formed(), cuts=cuts)
@settings(max_examples=150)
def test_sse_events_equal_the_sdk_decoders(module, body, cuts):
    theirs = [
        (event.event.encode() if event.event else None, event.data.encode())
        for event in module.SSEDecoder().iter_bytes(iter([body]))
    ]
    assert split(body, cuts) == theirs


# Linear time, shown by counting bytes


class CountingBuffer(bytearray):
    """A buffer that counts the bytes which searches and copies read."""

    touched = 0

    def rfind(self, wanted, start=0):
        self.touched += len(self) - start
        return super().rfind(wanted, start)

    def __getitem__(self, at):
        found = super().__getitem__(at)
        self.touched += len(found) if isinstance(at, slice) else 1
        return found

    def __bytes__(self):
        return bytes(memoryview(self[:]))

    def __iadd__(self, more):
        self.touched += len(more)
        return super().__iadd__(more)


def touched(pieces: list[bytes], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many bytes the splitter reads for these pieces, beside one pass over each piece."""
    splitter = Splitter()
    splitter._buffer = buffer = CountingBuffer()
    matched = 0

    def match(raw, at):
        nonlocal matched
        found = match_event(raw, at)
        matched += (found.end() if found else len(raw)) - at
        return found

    match_event = sse.match_event
    with monkeypatch.context() as patch:
        patch.setattr(sse, "match_event", match)
        for piece in pieces:
            splitter.feed(piece)
    return buffer.touched + matched


@pytest.mark.parametrize(
    "make",
    [
        lambda n: [b"x"] * n,
        lambda n: [b"data: " + b"x" * 40] * n,
        lambda n: [b"\r"] * n,
        lambda n: [b"\n"] * n,
        lambda n: [b"data: x\n"] * n,
        lambda n: [b"data: x\n\ndata: y"] * n,
        lambda n: [b"data: x\r\n\r\n" * 8] * (n // 8),
        lambda n: [BOM[:1], *([b":"] * n)],
    ],
    ids=["bytes", "one line", "cr", "lf", "one event", "always a rest", "crlf", "half a mark"],
)
def test_sse_splitter_takes_linear_time(make, monkeypatch):
    """The splitter reads each byte a fixed number of times, whatever the size of the input."""
    for size in (1000, 8000):
        pieces = make(size)
        assert touched(pieces, monkeypatch) <= 4 * sum(map(len, pieces)) + 16

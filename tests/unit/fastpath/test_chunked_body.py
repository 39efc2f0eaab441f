"""Plain chunks, compared with a complete HTTP parser: the payload and the rest together equal its output."""

from collections.abc import Iterator
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.fastpath.chunked_body import LAST_CHUNK, PlainChunkParser

HEADERS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PIECES = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda data: b"%x\r\n%s\r\n" % (len(data), data)),
    st.sampled_from((b"00003\r\nabc\r\n", b"B\r\nhello world\r\n", b"5;x=y\r\nhello\r\n", b"5 \r\nhello\r\n")),
)
ENDS = st.one_of(
    st.sampled_from(
        (b"0\r\n\r\n", b"0\r\nx-trailer: 1\r\n\r\n", b"000\r\n\r\n", b"", b"\r\n", b"3\r\nab", b"3\r\nabcd\r\n")
    ),
    st.binary(max_size=12),
)
BODIES = st.builds(lambda pieces, end: b"".join(pieces) + end, st.lists(PIECES, max_size=6), ENDS)


def parser() -> h11.Connection:
    """Return a complete parser that has read the headers of a response."""
    made = h11.Connection(h11.CLIENT)
    made.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    made.send(h11.EndOfMessage())
    made.receive_data(HEADERS)
    assert isinstance(made.next_event(), h11.Response)
    return made


def read(parser: h11.Connection, reads: Iterator[bytes]) -> tuple[bytes, str]:
    """Return the payload of the complete parser and its end. The last read is empty: the connection is closed."""
    payload = b""
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            return payload, "error"
        if event is h11.NEED_DATA:
            parser.receive_data(next(reads))
        elif isinstance(event, h11.EndOfMessage):
            return payload, f"end {list(event.headers)}"
        else:
            payload += bytes(event.data)


def past(parser: h11.Connection, reads: Iterator[bytes]) -> tuple[bytes, str]:
    """Return the same from `PlainChunkParser` up to data that is not plain, and from the complete parser after it."""
    chunks, payload = PlainChunkParser(), b""
    for raw in reads:
        payload += b"".join(chunks.feed(raw))
        if chunks.stopped or not raw:
            break
    ended = not raw
    if chunks.complete:
        parser.receive_data(LAST_CHUNK)
        return payload, read(parser, reads)[1]
    parser.receive_data(chunks.handover_bytes())
    assert parser.next_event().data == b"x"
    rest, end = read(parser, iter((b"",)) if ended else reads)
    return payload + rest, end


def pieces(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    yield from (body[start:end] for start, end in pairwise(edges) if end > start)
    yield b""


@given(BODIES, st.lists(st.integers(0, 400), max_size=12))
def test_chunks_and_rest_equal_the_complete_parser(body, cuts):
    assert past(parser(), pieces(body, cuts)) == read(parser(), pieces(body, cuts))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_plain_chunks_are_returned_immediately(payloads, cuts):
    body = b"".join(b"%x\r\n%s\r\n" % (len(data), data) for data in payloads)
    chunks, full = PlainChunkParser(), parser()
    for raw in [raw for raw in pieces(body, cuts) if raw]:
        full.receive_data(raw)
        due = []
        while (event := full.next_event()) is not h11.NEED_DATA:
            due.append(bytes(event.data))
        assert chunks.feed(raw) == due
        assert not chunks.stopped
    assert chunks.feed(b"0\r\n\r\n") == []
    assert chunks.stopped


@pytest.mark.parametrize(
    ("body", "payload", "stopped"),
    [
        (b"3\r\nabc\r\n", b"abc", False),
        (b"3\r\nab", b"ab", False),
        (b"3\r\nabc", b"abc", False),
        (b"3\r", b"", False),
        (b"3;x=y\r\nabc\r\n", b"", True),
        (b"3 \r\nabc\r\n", b"", True),
        (b"3\r\nabcx", b"abc", True),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", True),
        (b"g\r\n", b"", True),
        (b"123456789\r\n", b"", True),
        (b"\n3\r\nabc", b"", True),
    ],
)
def test_chunks_stop_at_data_that_is_not_plain(body, payload, stopped):
    chunks = PlainChunkParser()
    assert b"".join(chunks.feed(body)) == payload
    assert chunks.stopped is stopped


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (b"3\r\nabc\r\n0\r\n\r\n", True),
        (b"0\r\n\r\n", True),
        (b"3\r\nabc\r\n0\r\n", False),
        (b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1 ", False),
        (b"3\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n", False),
        (b"7\r\n0\r\n\r\n", False),
        (b"9\r\nab\r\n0\r\n\r\n", False),
        (b"", False),
    ],
)
def test_body_is_complete_after_its_last_chunk(body, complete):
    chunks = PlainChunkParser()
    chunks.feed(body)
    assert chunks.complete is complete


def test_rest_of_an_incomplete_chunk():
    chunks = PlainChunkParser()
    chunks.feed(b"a\r\n1234567")
    assert chunks.handover_bytes() == b"4\r\nx"
    chunks.feed(b"890\r\n2")
    assert chunks.handover_bytes() == b"1\r\nx\r\n2"

"""Bodies without chunks: their length, and what follows them."""

import pytest

from l0.fastpath.unframed_body import UnframedBody


@pytest.mark.parametrize(
    ("reads", "parts", "rest"),
    [
        ([b"abcdefg"], [b"abcdefg"], b""),
        ([b"abc", b"", b"defg"], [b"abc", b"defg"], b""),
        ([b"", b"abcdefgHTTP"], [b"abcdefg"], b"HTTP"),
    ],
)
def test_a_body_with_a_length_stops_at_its_end(reads, parts, rest):
    body = UnframedBody(7)
    got = []
    for raw in reads:
        assert not body.stopped
        got += body.feed(raw)
    assert got == parts
    assert (body.stopped, body.left, body.rest) == (True, 0, rest)


def test_an_incomplete_body_goes_on():
    body = UnframedBody(7)
    assert body.feed(b"abc") == [b"abc"]
    assert (body.stopped, body.left, body.rest) == (False, 4, b"")


def test_an_empty_body_has_stopped_and_leaves_all_bytes():
    body = UnframedBody(0)
    assert body.stopped
    assert body.feed(b"HTTP") == []
    assert (body.left, body.rest) == (0, b"HTTP")


def test_a_body_without_a_length_never_stops():
    body = UnframedBody(None)
    assert [body.feed(raw) for raw in (b"abc", b"", b"d")] == [[b"abc"], [], [b"d"]]
    assert (body.stopped, body.left) == (False, None)

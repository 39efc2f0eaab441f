"""The calls of one more read of a body that is read directly: nothing is timed, so noise cannot fool it."""

from installed import httpx
from makers import python_calls

from l0.stainless import direct_proof
from l0.stainless.direct_reading import connection_of, read_body
from l0.stainless.direct_scripts import Script

SHORT, LONG = 50, 150
# Python functions that one read calls: the generator goes on, the socket in memory is read, the chunk is parsed.
LIMIT = 3
# Functions that are called for the start and the end of a body: most are h11's.
ENDS = 45


def calls(chunks: int, *, direct: bool) -> int:
    """The Python functions that are called while so many chunks are read, each in its own read."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    script = Script("chunks", (head, *[b"3\r\nabc\r\n"] * chunks, b"0\r\n\r\n"))
    name = httpx.__name__
    transport = direct_proof.Transport.installed("sync", name, name.replace("httpx", "httpcore"))
    run = direct_proof._Run(transport, script)
    stream = run.stream(run.pool.handle_request(run.request()))
    connection = connection_of(stream)
    assert connection is not None
    parts = read_body(connection) if direct else iter(stream)
    seen, body = python_calls(lambda: b"".join(parts))
    stream.close()
    assert body == b"abc" * chunks
    return seen


def per_read(*, direct: bool) -> float:
    return (calls(LONG, direct=direct) - calls(SHORT, direct=direct)) / (LONG - SHORT)


def test_a_direct_read_makes_three_calls() -> None:
    assert int(per_read(direct=True)) <= LIMIT


def test_the_end_of_a_body_is_not_read_through_the_transport() -> None:
    assert calls(SHORT, direct=True) - SHORT * LIMIT <= ENDS


def test_the_transport_makes_many_times_as_many() -> None:
    assert per_read(direct=False) > 5 * LIMIT

"""The tap on a response's bytes, and a new attempt's response behind the object that the user holds."""

import asyncio
import gc

import pytest
from installed import httpx

from l0.patching.responses import Tap, adopt, tap, tapped, watch


class Listening:
    """A session's ears. As a session does, it takes the first word for the last."""

    def __init__(self):
        self.busy = self.closing = False
        self.told = []

    def consumed(self):
        self.told = self.told or ["consumed"]

    def close(self):
        self.told = self.told or ["closed"]

    def abandon(self, release):
        self.told = self.told or ["abandoned", release]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, *parts):
        self.parts, self.closed = parts, 0

    def __iter__(self):
        return iter(self.parts)

    async def __aiter__(self):
        for part in self.parts:
            yield part

    def close(self):
        self.closed += 1

    async def aclose(self):
        self.closed += 1


def response(*parts, status=200, body=None):
    return httpx.Response(
        status,
        stream=body or Body(*parts),
        request=httpx.Request("POST", "http://a.example"),
        headers={"x": str(status)},
    )


def listened(*parts, body=None):
    made, session = response(*parts, body=body), Listening()
    tap(made, httpx, session)
    return made, session


def test_a_body_read_to_its_end_is_consumed():
    made, session = listened(b"a", b"b")
    assert made.read() == b"ab"
    assert session.told == ["consumed"]


def test_a_body_that_is_closed_early_was_given_up():
    body = Body(b"a", b"b")
    made, session = listened(body=body)
    next(made.iter_raw())
    made.close()
    assert session.told == ["closed"]
    assert body.closed == 1


def test_the_same_in_async_code():
    async def main():
        made, session = listened(b"a", b"b")
        assert await made.aread() == b"ab"
        early, given_up = listened(b"a")
        await early.aclose()
        return session.told, given_up.told

    assert asyncio.run(main()) == (["consumed"], ["closed"])


def test_a_response_that_is_dropped_was_given_up():
    body = Body(b"a")
    made, session = listened(body=body)
    del made
    gc.collect()
    assert session.told == ["abandoned", body.close]
    assert body.closed == 0, "not in a finalizer"


def test_what_the_driver_does_itself_is_nobodys_stop():
    made, session = listened(b"a")
    session.busy = True
    assert made.read() == b"a"
    made.close()
    del made
    gc.collect()
    assert session.told == []


def test_a_tap_is_a_stream_of_the_transport_and_shows_what_is_behind_it():
    made, session = listened(b"a")
    assert isinstance(made.stream, Tap | httpx.SyncByteStream)
    assert isinstance(made.stream, httpx.AsyncByteStream)
    assert made.stream.parts == (b"a",)
    assert tapped(made) is session
    assert tapped(response()) is None
    assert tapped(object()) is None


def test_close_failing_still_tells():
    class Failing(Body):
        def close(self):
            raise OSError("gone")

    made, session = listened(body=Failing())
    with pytest.raises(OSError, match="gone"):
        made.close()
    assert session.told == ["closed"]


def test_adoption_shows_the_new_attempt_behind_the_old_object():
    old, session = listened(b"old")
    fresh = response(b"new", status=201)
    adopt(old, fresh)
    assert (old.status_code, old.headers["x"]) == (201, "201")
    assert old.read() == b"new"
    assert session.told == []
    gc.collect()
    assert session.told == []  # the old body's tap was disconnected first


@pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/3"])
def test_a_connection_that_carries_other_streams_is_not_shut(version):
    made = response()
    made.extensions["http_version"] = version
    assert watch(made) is None


def test_a_socket_is_watched_and_what_is_none_is_not():
    class Network:
        def __init__(self, socket):
            self.socket = socket

        def get_extra_info(self, name):
            return self.socket if name == "socket" else None

    class Socket:
        def shutdown(self, how):
            self.how = how

    made, socket = response(), Socket()
    assert watch(made) is None
    made.extensions["network_stream"] = Network(None)
    assert watch(made) is None
    made.extensions["network_stream"] = Network(socket)
    found = watch(made)
    found.fire()
    assert socket.how == 2

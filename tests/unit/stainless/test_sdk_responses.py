"""The observed bytes of a response, and the response of a new attempt behind the object that the user holds."""

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest
from installed import httpx
from makers import collected

from l0.model.policy import Policy
from l0.runtime.connection_use import ConnectionUse
from l0.stainless.direct_reading import read_body
from l0.stainless.sdk_responses import (
    ObservedByteStream,
    adopt,
    areads,
    observe_body,
    peek,
    read_deadline,
    reads,
    runtime_of,
)

HANGS = 120.0
"""Seconds that only a hang takes."""


class Observers:
    """Stands in for `CallRuntime.observers`. ``observed``: somebody wants the metadata of the answer."""

    def __init__(self, observed):
        self.observed = observed


class Listening:
    """Stands in for a `CallRuntime`. It records the first end of the call that it is told of, and the answer."""

    def __init__(self, observed=False):
        self.recording = None
        self.call = SimpleNamespace(policy=Policy(), dialect="chat")
        self.rule_runner = None
        self.connection = ConnectionUse.USER
        self.told = []
        self.answer = None
        self.deadlines = None
        self.observers = Observers(observed)

    def consumed(self, answer=None):
        self.told = self.told or ["consumed"]
        self.answer = answer

    def close(self):
        self.told = self.told or ["closed"]

    def abandon(self, release=None):
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
    made, runtime = response(*parts, body=body), Listening()
    observe_body(made, httpx, runtime)
    return made, runtime


def test_a_body_read_to_its_end_is_consumed():
    made, runtime = listened(b"a", b"b")
    assert made.read() == b"ab"
    assert runtime.told == ["consumed"]


@pytest.mark.parametrize(
    ("body", "observed", "answer"),
    [(b'{"id": "a"}', True, {"id": "a"}), (b'{"id": "a"}', False, None), (b"{", True, None)],
    ids=["observed", "unobserved", "not JSON"],
)
def test_json_that_the_user_read_is_the_answer(body, observed, answer):
    made, runtime = response(body[:3], body[3:]), Listening(observed)
    made.headers["content-type"] = "application/json"
    observe_body(made, httpx, runtime)
    made.read()
    assert (runtime.told, runtime.answer) == (["consumed"], answer)


def test_a_body_that_is_closed_early_was_given_up():
    body = Body(b"a", b"b")
    made, runtime = listened(body=body)
    next(made.iter_raw())
    made.close()
    assert runtime.told == ["closed"]
    assert body.closed == 1


def test_the_same_in_async_code():
    async def main():
        made, runtime = listened(b"a", b"b")
        assert await made.aread() == b"ab"
        early, given_up = listened(b"a")
        await early.aclose()
        return runtime.told, given_up.told

    assert asyncio.run(main()) == (["consumed"], ["closed"])


def test_a_response_that_is_dropped_was_given_up():
    body = Body(b"a")
    made, runtime = listened(body=body)
    del made
    collected()
    assert runtime.told == ["abandoned", body.close]
    assert body.closed == 0, "not in a finalizer"


def test_what_the_driver_does_itself_is_nobodys_stop():
    made, runtime = listened(b"a")
    runtime.connection = ConnectionUse.READING
    assert made.read() == b"a"
    made.close()
    del made
    collected()
    assert runtime.told == []


def test_observed_byte_stream_is_a_transport_stream():
    made, runtime = listened(b"a")
    assert isinstance(made.stream, ObservedByteStream | httpx.SyncByteStream)
    assert isinstance(made.stream, httpx.AsyncByteStream)
    assert made.stream.parts == (b"a",)
    assert runtime_of(made) is runtime
    assert runtime_of(response()) is None
    assert runtime_of(object()) is None


def test_failing_close_still_notifies():
    class Failing(Body):
        def close(self):
            raise OSError("gone")

    made, runtime = listened(body=Failing())
    with pytest.raises(OSError, match="gone"):
        made.close()
    assert runtime.told == ["closed"]


def test_adoption_shows_the_new_attempt_behind_the_old_object():
    old, runtime = listened(b"old")
    fresh = response(b"new", status=201)
    adopt(old, fresh)
    assert (old.status_code, old.headers["x"]) == (201, "201")
    assert old.read() == b"new"
    assert runtime.told == []
    collected()
    assert runtime.told == []  # the old body's observer was disconnected first


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_dropped_reading_of_an_old_attempt_leaves_the_new_one_open(flavour):
    """httpx closes the response that it iterates, also when the garbage collector ends the iteration."""

    async def read_async(made, fresh):
        chunks = areads(made)
        await anext(chunks)
        adopt(made, fresh)
        del chunks
        collected()
        await asyncio.sleep(0)  # the loop closes dropped generators in other tasks
        await asyncio.sleep(0)

    def read_sync(made, fresh):
        chunks = reads(made)
        next(chunks)
        adopt(made, fresh)
        del chunks
        collected()

    decoded = httpx.Response(
        200,
        stream=Body(b"a", b"b"),
        request=httpx.Request("POST", "http://a.example"),
        headers={"content-encoding": "identity"},  # read through the transport's decoder
    )
    observe_body(decoded, httpx, Listening())
    body = Body(b"c")
    if flavour == "sync":
        read_sync(decoded, response(body=body))
    else:
        asyncio.run(read_async(decoded, response(body=body)))
    assert (decoded.is_closed, body.closed) == (False, 0)


class SyncBody(httpx.SyncByteStream):
    def __init__(self, source):
        self.source = source

    def __iter__(self):
        return self.source


def peeked(source):
    return iter(peek(response(body=SyncBody(source)), httpx))


def handed_back(source):
    """A body that is read directly up to bytes that only the transport can read."""
    connection = SimpleNamespace(
        body=None,
        socket=SimpleNamespace(recv=None),
        size=1,
        early_content=list,
        set_timeout=lambda: False,
        return_to_transport=lambda: False,
        stream=source,
    )
    return read_body(connection)


@pytest.mark.parametrize("reading", [peeked, handed_back])
def test_reading_may_be_dropped_while_another_thread_closes_its_source(reading, monkeypatch):
    """The garbage collector may close the source when the finalizers' thread drops the rest of the call."""
    closing, dropped, ignored = threading.Event(), threading.Event(), []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)

    def source():
        try:
            yield b"a"
        finally:
            closing.set()
            dropped.wait(HANGS)

    made = source()
    parts = reading(made)
    assert next(parts) == b"a"
    collector = threading.Thread(target=made.close)
    collector.start()
    assert closing.wait(HANGS)
    del parts
    dropped.set()
    collector.join(HANGS)
    assert ignored == []


@pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/3"])
def test_a_connection_that_carries_other_streams_is_not_shut(version):
    made = response()
    made.extensions["http_version"] = version
    assert read_deadline(made) is None


def test_only_sockets_are_watched():
    class Network:
        def __init__(self, socket):
            self.socket = socket

        def get_extra_info(self, name):
            return self.socket if name == "socket" else None

    class Socket:
        def shutdown(self, how):
            self.how = how

    made, socket = response(), Socket()
    assert read_deadline(made) is None
    made.extensions["network_stream"] = Network(None)
    assert read_deadline(made) is None
    made.extensions["network_stream"] = Network(socket)
    found = read_deadline(made)
    found.fire()
    assert socket.how == 2


class Computed:
    """An object of the user that computes its attributes, and raises what its code raises."""

    def __getattr__(self, name):
        raise KeyError(name)

    def fail(self):
        raise ValueError


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_a_body_closes_while_an_exception_of_the_users_objects_is_handled(sync):
    body = Body(b"a", b"b")
    made, runtime = listened(body=body)
    runtime.call_adapter = SimpleNamespace(sdk=SimpleNamespace(root="openai"))
    try:
        Computed().fail()
    except ValueError:
        if sync:
            made.close()
        else:
            asyncio.run(made.aclose())
    assert (runtime.told, body.closed) == (["closed"], 1)

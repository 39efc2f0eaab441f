"""The proof that bodies read directly are those that the transport reads: what it notices, and what follows from it."""

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from weakref import ref

import anyio
import pytest
from installed import httpx, needs_trio
from makers import collected

from l0.stainless import direct_bodies, direct_proof, direct_reading, direct_verdicts
from l0.stainless.direct_proof import Transport
from l0.stainless.direct_scripts import Script, SocketEnding
from l0.stainless.direct_verdicts import Proofs

CLIENT = httpx.__name__
BODY = Script("a body", (b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabc", b"defg"))


def transport(kind: str) -> Transport:
    return Transport.installed(kind, CLIENT, CLIENT.replace("httpx", "httpcore"))


def stream_of(script: Script) -> Any:
    """The stream of a sync response in memory."""
    run = direct_proof._Run(transport("sync"), script)
    return run.stream(run.pool.handle_request(run.request()))


def reason(kind: str) -> str:
    return direct_proof._reason(kind, CLIENT)


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Proofs:
    """A process that knows nothing yet."""
    fresh = Proofs()
    monkeypatch.setattr(direct_bodies, "PROOFS", fresh)
    return fresh


@pytest.mark.parametrize("kind", ["sync", "asyncio", pytest.param("trio", marks=needs_trio)])
def test_both_ways_to_read_are_equal_with_the_installed_transport(kind):
    assert reason(kind) == ""


def test_a_proof_needs_no_clock_that_goes_on():
    loop = asyncio.new_event_loop()
    loop.time = lambda: 1000.0  # type: ignore[method-assign]
    proof = loop.create_task(direct_proof.areason_against(transport("asyncio")))
    bound = threading.Timer(120, lambda: loop.call_soon_threadsafe(proof.cancel))
    bound.start()
    try:
        assert loop.run_until_complete(proof) == ""
    finally:
        bound.cancel()
        loop.close()


def _less(connection: Any) -> Iterator[bytes]:
    yield from [*direct_reading.read_body(connection)][:-1]


def _never_ended(connection: Any) -> Iterator[bytes]:
    """As a reader that does not tell the transport that a connection is broken."""
    connection.end = lambda error: None
    return direct_reading.read_body(connection)


def _without_timeout(connection: Any) -> Iterator[bytes]:
    connection.read_timeout_s = None
    return direct_reading.read_body(connection)


def _other_error(connection: Any) -> Iterator[bytes]:
    end = connection.end
    connection.end = lambda error: end(error and ValueError())
    return direct_reading.read_body(connection)


@pytest.mark.parametrize(
    ("reader", "difference"),
    [
        (_less, "content"),
        (_never_ended, "errors"),
        (_other_error, "errors"),
        (_without_timeout, "timeouts"),
        (lambda connection: iter([b"abcdefg"]), "closed"),
    ],
)
def test_a_difference_rules_out_direct_reading(reader, difference, monkeypatch):
    monkeypatch.setattr(direct_proof, "read_body", reader)
    assert difference in reason("sync")


def test_a_difference_of_an_async_transport_rules_out_its_kind_only(monkeypatch):
    async def less(connection: Any) -> AsyncIterator[bytes]:
        async for part in direct_reading.aread_body(connection):
            yield part[:1]

    monkeypatch.setattr(direct_proof, "aread_body", less)
    assert not reason("sync")
    assert "content" in reason("asyncio")


@pytest.mark.parametrize("name", ["_receive_response_body", "_receive_event"])
def test_a_transport_that_another_library_patches_is_read_as_usual(name, proofs, monkeypatch):
    stream = stream_of(BODY)
    connection = direct_reading.connection_of(stream)
    kind = type(connection.layers[-2])
    original = getattr(kind, name)
    seen: list[str] = []

    def patched(self: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(name)
        return original(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, patched)
        assert b"".join(direct_bodies.direct_reads(stream)) == b"abcdefg"
        assert seen
        assert proofs.verdict(connection) is False
    assert proofs.verdict(connection) is None
    assert proofs.prove(connection)


def test_a_proof_runs_once(proofs, monkeypatch):
    ran: list[Transport] = []

    def counted(found: Transport) -> str:
        ran.append(found)
        return ""

    monkeypatch.setattr(direct_proof, "reason_against", counted)
    for _ in range(3):
        stream = stream_of(BODY)
        assert b"".join(direct_bodies.direct_reads(stream)) == b"abcdefg"
    assert ran == [transport("sync")]


def test_a_proof_that_raises_never_reaches_the_user(proofs, monkeypatch):
    def defective(_: Transport) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(direct_proof, "reason_against", defective)
    stream = stream_of(BODY)
    assert b"".join(direct_bodies.direct_reads(stream)) == b"abcdefg"
    assert proofs.verdict(direct_reading.connection_of(stream_of(BODY))) is False


def test_a_connection_that_cannot_be_inspected_is_read_as_usual(monkeypatch):
    def defective(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(direct_reading, "connection_of", defective)
    assert b"".join(direct_bodies.direct_reads(stream_of(BODY))) == b"abcdefg"


def test_other_bodies_are_read_as_usual_while_a_proof_runs(proofs, monkeypatch):
    began, may_end = threading.Event(), threading.Event()

    def slow(_: Transport) -> str:
        began.set()
        assert may_end.wait(60)
        return ""

    monkeypatch.setattr(direct_proof, "reason_against", slow)
    got: list[bytes] = []
    first = threading.Thread(target=lambda: got.append(b"".join(direct_bodies.direct_reads(stream_of(BODY)))))
    first.start()
    assert began.wait(60)
    stream = stream_of(BODY)
    monkeypatch.setattr(direct_reading, "read_body", None)  # would raise
    assert b"".join(direct_bodies.direct_reads(stream)) == b"abcdefg"
    monkeypatch.undo()
    may_end.set()
    first.join()
    assert got == [b"abcdefg"]


def test_a_child_that_is_forked_during_a_proof_runs_its_own(proofs, monkeypatch):
    connection = direct_reading.connection_of(stream_of(BODY))

    def forked(_: Transport) -> str:
        assert not proofs.prove(connection)  # it runs
        proofs.renew()
        monkeypatch.setattr(direct_proof, "reason_against", lambda _: "")
        return "" if proofs.prove(connection) else "it does not run again"

    monkeypatch.setattr(direct_proof, "reason_against", forked)
    assert proofs.prove(connection)


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=needs_trio)])
@pytest.mark.parametrize("left_by", ["its limit", "its user"])
def test_a_proof_goes_on_without_the_answer_that_waited_for_it(proofs, monkeypatch, backend, left_by):
    may_end, ended = threading.Event(), threading.Event()

    async def slow(_: Transport) -> str:
        assert may_end.wait(60)
        return ""

    def run(*arguments: Any) -> None:
        Proofs._run(proofs, *arguments)
        ended.set()

    async def main() -> None:
        run = direct_proof._Run(transport(backend), BODY)
        stream = run.stream(await run.pool.handle_async_request(run.request()))
        connection = direct_reading.connection_of(stream)
        assert connection is not None
        with anyio.move_on_after(0.01 if left_by == "its user" else None) as scope:
            assert not await proofs.aprove(connection)
        assert scope.cancelled_caught == (left_by == "its user")
        assert not await proofs.aprove(connection)  # it runs: no other answer waits for it
        assert proofs.verdict(connection) is None
        may_end.set()
        assert ended.wait(60)
        assert proofs.verdict(connection)
        await stream.aclose()

    monkeypatch.setattr(direct_verdicts, "LONGEST_WAIT_S", 0.01 if left_by == "its limit" else 600)
    monkeypatch.setattr(direct_proof, "areason_against", slow)
    monkeypatch.setattr(proofs, "_run", run)
    anyio.run(main, backend=backend)


def test_a_proof_without_a_thread_is_tried_again(proofs, monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        run = direct_proof._Run(transport("asyncio"), BODY)
        stream = run.stream(await run.pool.handle_async_request(run.request()))
        connection = direct_reading.connection_of(stream)
        assert connection is not None
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert not await proofs.aprove(connection)
        assert proofs.verdict(connection) is None
        assert await proofs.aprove(connection)
        await stream.aclose()

    asyncio.run(main())


def test_a_signal_that_ends_a_proof_is_the_users(proofs, monkeypatch):
    def interrupted(_: Transport) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(direct_proof, "reason_against", interrupted)
    stream = stream_of(BODY)
    with pytest.raises(KeyboardInterrupt):
        direct_bodies.direct_reads(stream)
    assert proofs.verdict(direct_reading.connection_of(stream_of(BODY))) is None


@pytest.mark.parametrize("timeout_s", [-1.0, 0.0, float("nan"), 1e12, "1"])
def test_a_timeout_that_is_no_time_is_left_to_the_transport(timeout_s):
    run = direct_proof._Run(transport("sync"), BODY)
    stream = run.stream(run.pool.handle_request(run.request()))
    run._timeouts["read"] = timeout_s
    assert direct_bodies._known(stream) == (None, None)
    run._timeouts["read"] = 1e9
    assert direct_bodies._known(stream)[0] is not None
    stream.close()
    run.pool.close()


@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="a `contextmanager` that replaces an exception leaves a cycle since Python 3.12, also in the transport",
)
def test_an_error_of_a_read_keeps_nothing_alive():
    """A connection that held the exception would hold its traceback, and so itself."""
    run = direct_proof._Run(transport("sync"), Script("reset", (BODY.pieces[0], SocketEnding.RESET)))
    stream = run.stream(run.pool.handle_request(run.request()))
    found = direct_reading.connection_of(stream)
    assert found is not None
    network = ref(found.layers[-1])
    collected()
    gc.disable()
    try:
        with pytest.raises(httpx.ReadError):
            list(direct_reading.read_body(found))
        stream.close()
        run.pool.close()
        del run, stream, found
        assert network() is None
    finally:
        gc.enable()


def test_an_answer_without_content_proves_nothing(monkeypatch):
    empty = Script("no content", (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",))
    monkeypatch.setattr(direct_proof, "SCRIPTS", (empty,))
    assert reason("sync") == "an answer with no content has no content"

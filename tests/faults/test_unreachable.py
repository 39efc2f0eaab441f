"""Rows 17 to 21 and 26: failures below the reply: refused connections, DNS, TLS, redirect loops, HTTP/2 resets."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trustme
from faults_kit import SDKS, body_of, sync_and_async
from installed import transport_of
from test_classification import ONE_RETRY, EndedCalls
from traffic_kit import REQUESTS

import l0
from l0.model.call_events import CallEnded
from l0.model.failure import Category, Cause
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

DIALECTS = {"openai": "chat", "anthropic": "messages"}
sdks = pytest.mark.parametrize("name", SDKS)


@dataclass(frozen=True)
class CallResult:
    """The result of one streamed call."""

    error: Exception | None
    end: CallEnded

    @property
    def outcome(self) -> tuple[Cause, Category | None, int]:
        """The shared cause and category of all attempts, and their number."""
        ((cause, category),) = {(failure.cause, failure.category) for failure in self.end.failures}
        return cause, category, self.end.attempts


@pytest.fixture(autouse=True)
def ends() -> Iterator[EndedCalls]:
    made = EndedCalls()
    l0.instrument(ONE_RETRY, observers=[made])
    yield made
    l0.uninstrument()


def stream_from(
    ends: EndedCalls, name: str, url: str, *, sync: bool, timeout: float = 60, transport: Any = None
) -> CallResult:
    """Make one streamed call of an SDK to ``url``, with an optional custom ``transport``."""
    sdk, dialect = SDKS[name], DIALECTS[name]
    kind = getattr(sdk, ("" if sync else "Async") + {"openai": "OpenAI", "anthropic": "Anthropic"}[name])
    given = {} if transport is None else {"http_client": transport_client(sdk, transport, sync=sync)}
    client = kind(api_key="k", base_url=url, timeout=timeout, **given)
    create = (client.chat.completions if dialect == "chat" else client.messages).create
    request = REQUESTS[dialect] | {"stream": True}

    async def read() -> None:
        async with client:
            async for _ in await create(**request):
                pass

    error = None
    try:
        if sync:
            with client:
                for _ in create(**request):
                    pass
        else:
            asyncio.run(read())
    except Exception as raised:
        error = raised
    (end,) = ends.all
    return CallResult(error, end)


def transport_client(sdk: Any, transport: Any, *, sync: bool) -> Any:
    module = transport_of(sdk)
    return (module.Client if sync else module.AsyncClient)(transport=transport)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A loopback server that calls ``serve`` per connection; yields its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed: the test is over
                    return
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(60)


@sync_and_async
@sdks
def test_17_refused(ends: EndedCalls, name: str, sync: bool) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    got = stream_from(ends, name, f"http://127.0.0.1:{port}", sync=sync)
    assert isinstance(got.error, SDKS[name].APIConnectionError)
    assert got.outcome == (Cause.CONNECTION, Category.NETWORK, 2)


@sync_and_async
@sdks
def test_18_dns(ends: EndedCalls, name: str, sync: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is a fake: the answer of a real one depends on the network of the machine."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    got = stream_from(ends, name, "http://nowhere.invalid", sync=sync)
    assert isinstance(got.error, SDKS[name].APIConnectionError)
    assert got.outcome == (Cause.DNS, Category.NETWORK, 2)


@sync_and_async
@sdks
def test_19_certificate(ends: EndedCalls, name: str, sync: bool) -> None:
    """The certificate is of an untrusted authority; a retry would fail the same way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def shake(connection: socket.socket) -> None:
        with closing(connection):
            try:
                context.wrap_socket(connection, server_side=True)
            except OSError:  # the client rejects the certificate
                pass

    with listening(shake) as port:
        got = stream_from(ends, name, f"https://localhost:{port}", sync=sync)
    assert isinstance(got.error, SDKS[name].APIConnectionError)
    assert got.outcome == (Cause.TLS_CERTIFICATE, Category.FATAL, 1)


@sync_and_async
@sdks
def test_20_stalled_handshake(ends: EndedCalls, name: str, sync: bool) -> None:
    with ExitStack() as kept, listening(lambda connection: kept.callback(connection.close)) as port:
        got = stream_from(ends, name, f"https://127.0.0.1:{port}", sync=sync, timeout=0.2)
    assert isinstance(got.error, SDKS[name].APITimeoutError)
    assert got.outcome == (Cause.NO_HEADERS, Category.NETWORK, 2)


@sync_and_async
@sdks
def test_21_redirect_loop(ends: EndedCalls, sim: Simulator, name: str, sync: bool) -> None:
    sim.reset()
    path = "/v1/chat/completions" if name == "openai" else "/v1/messages"
    sim.script(*[Fault.status(307, {"location": path})] * 60)
    got = stream_from(ends, name, sim.openai if name == "openai" else sim.anthropic, sync=sync)
    assert isinstance(got.error, SDKS[name].APIConnectionError)
    assert got.outcome == (Cause.REDIRECTS, Category.FATAL, 1)
    sim.reset()


GOAWAY = "<ConnectionTerminated error_code:0, last_stream_id:1, additional_data:None>"
RST_STREAM = "<StreamReset stream_id:1, error_code:2, remote_reset:True>"


@sync_and_async
@sdks
@pytest.mark.parametrize("message", [GOAWAY, RST_STREAM], ids=["GOAWAY", "RST_STREAM"])
@pytest.mark.parametrize(("events", "attempts"), [(8, 1), (0, 2)], ids=["after content", "before content"])
def test_26_http2_ends(ends: EndedCalls, name: str, message: str, events: int, attempts: int, sync: bool) -> None:
    """An HTTP/2 GOAWAY or RST_STREAM in mid-body raises an interruption, retried only before content."""
    transport = transport_of(SDKS[name])
    blocks = [block + b"\n\n" for block in body_of(DIALECTS[name]).content.split(b"\n\n")[:events]]

    def body() -> Iterator[bytes]:
        yield from blocks
        raise transport.RemoteProtocolError(message)

    async def abody() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block
        raise transport.RemoteProtocolError(message)

    def respond(request: Any) -> Any:
        content = body() if sync else abody()
        return transport.Response(200, headers={"content-type": "text/event-stream"}, content=content, request=request)

    mock = transport.MockTransport(respond)
    got = stream_from(ends, name, "http://api.invalid", sync=sync, transport=mock)
    assert isinstance(got.error, l0.StreamInterrupted)
    assert isinstance(got.error, SDKS[name].APIConnectionError)
    assert got.outcome == (Cause.INCOMPLETE_READ, Category.NETWORK, attempts)

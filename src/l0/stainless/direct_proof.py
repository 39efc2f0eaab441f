"""Prove that bodies read directly are those that the transport reads, before the first one is read directly.

A proof runs in memory: below the installed transport, a replacement of the socket plays each of `SCRIPTS` twice. One
body is read through the transport and one directly, and a second request follows on the same pool. Contents,
exceptions, timeouts, closed connections and the state of the pool must be equal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from math import ulp
from typing import Any

from l0.model.errors import raised

from .direct_endpoints import ENDPOINTS
from .direct_reading import DirectConnection, aread_body, connection_of, read_body
from .direct_scripts import NEXT, SCRIPTS, Script

_READ_TIMEOUT_S = 10.0
"""The read timeout of other connections, which nothing reaches unless a version of the transport hangs, however busy
the event loop is."""
_SHORT_S = ulp(0.0)
"""The read timeout of a silent connection, which is over as soon as it is set: in a program that has stopped the clock,
as tests do, no other one would ever end. All content arrives with its headers."""
_KINDS = {
    "sync": ("BoundSyncStream", "ResponseStream", "sync", "SyncStream", "ConnectionPool"),
    "asyncio": ("BoundAsyncStream", "AsyncResponseStream", "anyio", "AnyIOStream", "AsyncConnectionPool"),
    "trio": ("BoundAsyncStream", "AsyncResponseStream", "trio", "TrioStream", "AsyncConnectionPool"),
}
"""For each kind of transport: two classes of streams in httpx; in httpcore, the module of the backend, and the classes
of its network stream and of the pool."""


class Unproven(Exception):  # noqa: N818 - a finding
    """The reason why a proof is impossible."""


@dataclass(frozen=True, slots=True)
class Transport:
    """The classes of one kind of transport. ``kind``: ``sync``, or the event loop that it needs."""

    kind: str
    client: Any
    bound: Any
    wrapper: Any
    network: Any
    pool: Any
    request: Any
    endpoint: Any

    @classmethod
    def installed(cls, kind: str, client: str, core: str) -> Transport:
        """Return the kind ``kind`` of the installed packages ``client`` (httpx) and ``core`` (httpcore).

        Raises `Unproven` if a package has other classes.
        """
        bound, wrapper, backend, network, pool = _KINDS[kind]
        try:
            return cls(
                kind=kind,
                client=import_module(client),
                bound=getattr(import_module(f"{client}._client"), bound),
                wrapper=getattr(import_module(f"{client}._transports.default"), wrapper),
                network=getattr(import_module(f"{core}._backends.{backend}"), network),
                pool=getattr(import_module(core), pool),
                request=import_module(core).Request,
                endpoint=ENDPOINTS[kind],
            )
        except (ImportError, AttributeError) as error:
            raise Unproven(f"{client} and {core} have other classes: {error}") from error

    @classmethod
    def of(cls, connection: DirectConnection) -> Transport:
        """Return the kind of the transport of a connection."""
        bound, *_, network = connection.layers
        kind = next(kind for kind, names in _KINDS.items() if names[3] == type(network).__name__)
        client, core = (type(layer).__module__.partition(".")[0] for layer in (bound, network))
        return cls.installed(kind, client, core)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The visible effects of an answer, and of the next answer on the same pool."""

    content: bytes
    errors: tuple[str, ...]
    closed: tuple[bool, ...]
    pool: tuple[str, ...]
    next_content: bytes
    connections: tuple[int, ...]
    next_pool: tuple[str, ...]
    timeouts: frozenset[float | None]


class _Run:
    """One script over a new pool."""

    def __init__(self, transport: Transport, script: Script) -> None:
        self.script = script
        self._transport = transport
        self._endpoint = transport.endpoint(transport.network, (script, NEXT))
        self.pool = transport.pool(network_backend=self._endpoint)
        self._timeouts: dict[str, float | None] = {}
        self.content, self.next_content = bytearray(), bytearray()
        self._errors: list[str] = []
        self._closed: tuple[bool, ...] = ()
        self._pool: tuple[str, ...] = ()

    def request(self) -> Any:
        """Return a request."""
        self._timeouts["read"] = _READ_TIMEOUT_S
        headers, extensions = [(b"host", b"l0.invalid")], {"timeout": self._timeouts}
        return self._transport.request("GET", "http://l0.invalid/", headers=headers, extensions=extensions)

    def stream(self, response: Any) -> Any:
        """Return the stream of a response as the transport's client wraps it."""
        transport = self._transport
        if self.script.silent:
            self._timeouts["read"] = _SHORT_S
        arguments = {
            "stream": transport.wrapper(response.stream),
            "response": transport.client.Response(200),
            "start": 0.0,
            "timer": _Timer(),
        }
        return transport.bound(**{name: arguments[name] for name in signature(transport.bound).parameters})

    def connection(self, stream: Any) -> DirectConnection:
        """Return the connection of a stream. Raises `Unproven` if a layer is not as expected."""
        found = connection_of(stream)
        if found is None:
            raise Unproven(f"the layers of an answer with {self.script.name} are not as expected")
        return found

    @contextmanager
    def errors_recorded(self) -> Iterator[None]:
        """Record the exception of the block, which reads an answer."""
        try:
            yield
        except Unproven:
            raise
        except Exception as error:
            self._errors.append(f"{type(error).__module__}.{type(error).__qualname__}: {error}")

    def record_state(self) -> None:
        """Record the state that the answer leaves behind, before the next answer."""
        self._closed, self._pool = tuple(self._endpoint.closed), self._state()

    def outcome(self) -> _Outcome:
        """Return the visible effects of both answers."""
        if not self.content:
            raise Unproven(f"an answer with {self.script.name} has no content")
        return _Outcome(
            content=bytes(self.content),
            errors=tuple(self._errors),
            closed=self._closed,
            pool=self._pool,
            next_content=bytes(self.next_content),
            connections=tuple(self._endpoint.requests),
            next_pool=self._state(),
            timeouts=frozenset(self._endpoint.timeouts),
        )

    def _state(self) -> tuple[str, ...]:
        return tuple(connection.info() for connection in self.pool.connections)


class _Timer:
    """The timer of a response in older versions of httpx."""

    def sync_elapsed(self) -> float:
        return 0.0

    async def async_elapsed(self) -> float:
        return 0.0


def reasons_by_kind(client: str) -> dict[str, str]:
    """Run the proof of each kind of transport of the package ``client``. Return, by kind, what rules out direct
    reading; ``""`` if nothing does."""
    kinds = [kind for kind in _KINDS if kind != "trio" or find_spec("trio") is not None]
    return {kind: _reason(kind, client) for kind in kinds}


def _reason(kind: str, client: str) -> str:
    try:
        return reason_against(Transport.installed(kind, client, client.replace("httpx", "httpcore")))
    except Unproven as finding:
        return str(finding)
    except Exception:
        return f"the proof failed: {raised()}"


def reason_against(transport: Transport) -> str:
    """Return the difference that rules out direct reading; ``""`` if there is none.

    The proof of an async transport starts its own event loop, so this thread must not run one.
    """
    if transport.kind == "sync":
        return _reason_against_sync(transport)
    if transport.kind == "asyncio":
        return asyncio.run(areason_against(transport))
    reason: str = import_module("trio").run(areason_against, transport)
    return reason


def _reason_against_sync(transport: Transport) -> str:
    for script in SCRIPTS:
        difference = _difference(script, *(_play(_Run(transport, script), direct) for direct in (False, True)))
        if difference:
            return difference
    return ""


async def areason_against(transport: Transport) -> str:
    """As `reason_against`, for an async transport. It must run under the transport's event loop."""
    for script in SCRIPTS:
        outcomes = [await _aplay(_Run(transport, script), direct) for direct in (False, True)]
        difference = _difference(script, *outcomes)
        if difference:
            return difference
    return ""


def _play(run: _Run, direct: bool) -> _Outcome:
    stream = run.stream(run.pool.handle_request(run.request()))
    with run.errors_recorded():
        parts = read_body(run.connection(stream)) if direct else iter(stream)
        try:
            for part in parts:
                run.content += part
                if run.script.closes:
                    stream.close()
        finally:
            stream.close()
    run.record_state()
    with run.errors_recorded():
        stream = run.pool.handle_request(run.request()).stream
        for part in stream:
            run.next_content += part
        stream.close()
    outcome = run.outcome()
    run.pool.close()
    return outcome


async def _aplay(run: _Run, direct: bool) -> _Outcome:
    import anyio.lowlevel  # a dependency of both SDKs

    stream = run.stream(await run.pool.handle_async_request(run.request()))
    with run.errors_recorded():
        parts = aread_body(run.connection(stream)) if direct else aiter(stream)
        try:
            async for part in parts:
                run.content += part
                await anyio.lowlevel.checkpoint()  # the user's own work, during which more arrives
                if run.script.closes:
                    await stream.aclose()
        finally:
            await stream.aclose()
    run.record_state()
    with run.errors_recorded():
        stream = (await run.pool.handle_async_request(run.request())).stream
        async for part in stream:
            run.next_content += part
        await stream.aclose()
    outcome = run.outcome()
    await run.pool.aclose()
    return outcome


def _difference(script: Script, usual: _Outcome, direct: _Outcome) -> str:
    """Describe the first difference between both ways to read a script; ``""`` if there is none."""
    for field in fields(_Outcome):
        pair = getattr(usual, field.name), getattr(direct, field.name)
        if pair[0] != pair[1]:
            return f"{script.name}: {field.name.replace('_', ' ')} {pair[1]!r} instead of {pair[0]!r}"
    return ""

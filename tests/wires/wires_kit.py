"""A `Wire` describes an unusual HTTP response. `WireServer` sends it over a socket; `Reader` uses the real SDKs."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from installed import HAS_RESPONSES

# A folder that is named must exist: a test then fails instead of being skipped.
_GIVEN = os.environ.get("TEST_WIRES")
WIRES = Path(_GIVEN or Path(__file__).parents[3] / "shared" / "wires")
ABSENT = "" if _GIVEN or WIRES.is_dir() else f"no odd wires in {WIRES}: set TEST_WIRES to their folder"
needs_wires = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)

MESSAGE = [{"role": "user", "content": "hi"}]
REQUESTS: Mapping[str, dict[str, Any]] = {
    "chat": {"model": "m-1", "messages": MESSAGE},
    "completions": {"model": "m-1", "prompt": "hi"},
    "responses": {"model": "m-1", "input": "hi"},
    "messages": {"model": "claude-x", "max_tokens": 4096, "messages": MESSAGE},
}
PATHS = {
    "chat": ("chat", "completions"),
    "completions": ("completions",),
    "responses": ("responses",),
    "messages": ("messages",),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wire:
    """One body. ``parts`` are written one by one. ``framing``: chunked, close or length. ``end``: clean, rst (a reset),
    cut (no last chunk) or hold (nothing more until the user has a finish reason, or for 60 s).

    ``broken``: the answer is provably incomplete or failed. ``telemetry``: what the span must say. ``odd``: the anomaly
    that the span must count. ``kind``: its row in the table of docs/wires.md.
    """

    name: str
    dialect: str
    parts: tuple[bytes, ...]
    broken: bool = False
    stream: bool = True
    azure: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)
    status: str = "200 OK"
    content_type: str | None = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: str = "chunked"
    end: str = "clean"
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    odd: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.dialect}-{self.name}"


@lru_cache(maxsize=1)
def shared() -> tuple[Wire, ...]:
    """Every body of the folder ``TEST_WIRES`` or beside the project; empty if it is absent."""
    return tuple(map(_read, sorted(WIRES.glob("*.json")))) if WIRES.is_dir() else ()


def _read(path: Path) -> Wire:
    told = json.loads(path.read_text(encoding="utf-8"))
    telemetry = dict(told["telemetry"])
    if told["text"] and told["want"].startswith("a whole"):
        telemetry.setdefault("captured_text", told["text"])
    return Wire(
        name=told["id"],
        dialect=told["dialect"],
        parts=tuple(
            base64.b64decode(part["base64"]) if isinstance(part, dict) else part.encode() for part in told["parts"]
        ),
        broken=told["want"].startswith("broken"),
        stream=told["stream"],
        azure=told["azure"],
        request=told["request"],
        status=told["status"],
        content_type=told["content_type"],
        headers=told["headers"],
        framing=told["framing"],
        end=told["end"],
        telemetry=telemetry,
    )


class WireServer:
    """An HTTP server over real sockets. Each `route` is a separate base path, with its own wires."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._routes: dict[str, tuple[Wire, ...]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.requests: Counter[str] = Counter()
        self.release = threading.Event()
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def route(self, *wires: Wire) -> str:
        """Return a base URL that answers each request with the next wire, and any further one with the last."""
        path = f"wire-{next(self._numbers)}"
        self._routes[path] = wires
        return f"{self.address}/{path}"

    def asked(self, base_url: str) -> int:
        """Return the number of requests to a route."""
        return self.requests[base_url.rpartition("/")[2]]

    def close(self) -> None:
        """Stop, and wait for every connection."""
        self.release.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._threads):
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # a user may leave at any time
            path = _requested(connection)
            if path is None:
                return
            with self._lock:
                number = self.requests[path]
                self.requests[path] += 1
            wires = self._routes[path]
            self._send(connection, wires[min(number, len(wires) - 1)])

    def _send(self, connection: socket.socket, wire: Wire) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chunked = wire.framing == "chunked"
        headers = {**wire.headers, "connection": "close"}
        if wire.content_type is not None:
            headers["content-type"] = wire.content_type
        if chunked:
            headers["transfer-encoding"] = "chunked"
        elif wire.framing == "length":
            headers["content-length"] = str(sum(map(len, wire.parts)))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"HTTP/1.1 {wire.status}\r\n{head}\r\n".encode())
        for part in wire.parts:
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if wire.end == "hold":
            self.release.wait(60)
        elif wire.end == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif wire.end == "clean" and chunked:
            connection.sendall(b"0\r\n\r\n")


def _requested(connection: socket.socket) -> str | None:
    """Read one request. Return the first part of its path; ``None`` if the connection closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        if not more:
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        left -= len(connection.recv(65_536)) or left  # nothing: the connection closed
    return head.split(b" ", 2)[1].split(b"/")[1].decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """The objects of one call, and the error after them. ``requests``: sent by that call."""

    items: list[tuple[str, Any]]
    error: Exception | None
    requests: int


class Reader:
    """Reads wires with the real SDKs."""

    def __init__(self, server: WireServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop
        self._clients: dict[tuple[str, bool], Any] = {}

    def read(self, wire: Wire, base_url: str, *, helper: bool, sync: bool) -> Got:
        """Return what a user gets of a wire at a route. ``helper``: by the SDK's method `stream`, not `create`."""
        before = self.server.asked(base_url)
        self.server.release.clear()
        method = self._method(wire, base_url, helper=helper, sync=sync)
        request = {**REQUESTS[wire.dialect], **wire.request}
        if wire.stream and not helper:
            request["stream"] = True
        items: list[tuple[str, Any]] = []
        error = None
        try:
            for one in (
                _objects(method, request, wire) if sync else self._run_async_objects(method, request, wire, helper)
            ):
                items.append(one)
                if wire.end == "hold" and _finishes(one[1]):
                    self.server.release.set()
        except Exception as raised:
            error = raised
        return Got(items=items, error=error, requests=self.server.asked(base_url) - before)

    def source(self, wire: Wire, base_url: str) -> Callable[[], Any]:
        """Return a source of the explicit API (`l0.run`) that requests a wire; one that holds is released at once."""
        self.server.release.set()
        method = self._method(wire, base_url, helper=False, sync=True)
        return lambda: method(**REQUESTS[wire.dialect], **wire.request, **({"stream": True} if wire.stream else {}))

    def _run_async_objects(
        self, method: Any, request: dict[str, Any], wire: Wire, helper: bool
    ) -> Iterator[tuple[str, Any]]:
        objects = _async_objects(method, request, wire, helper)
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(objects))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(objects.aclose())

    def _method(self, wire: Wire, base_url: str, *, helper: bool, sync: bool) -> Any:
        client = self._client(wire, sync=sync, base_url=base_url)
        for name in PATHS[wire.dialect]:
            client = getattr(client, name)
        method = getattr(client, "stream" if helper else "create", None)
        if method is None:
            pytest.skip("this version of the SDK has no such helper")
        return method

    def _client(self, wire: Wire, *, sync: bool, base_url: str) -> Any:
        sdk: Any = anthropic if wire.dialect == "messages" else openai
        kind = "Anthropic" if sdk is anthropic else "AzureOpenAI" if wire.azure else "OpenAI"
        made = self._clients.get((kind, sync))
        if made is None:
            extra = {"azure_endpoint": self.server.address, "api_version": "1"} if wire.azure else {}
            made = getattr(sdk, kind if sync else f"Async{kind}")(api_key="k", **extra)
            self._clients[kind, sync] = made
        return made.with_options(base_url=f"{base_url}/openai/deployments/m-1" if wire.azure else base_url)

    def close(self) -> None:
        """Close all clients."""
        for (_, sync), client in self._clients.items():
            if sync:
                client.close()
            else:
                self._loop.run_until_complete(client.close())


def _objects(method: Any, request: dict[str, Any], wire: Wire) -> Iterator[tuple[str, Any]]:
    if not wire.stream:
        yield shown(method(**request))
    else:
        with method(**request) as stream:
            for event in stream:
                yield shown(event)


async def _async_objects(method: Any, request: dict[str, Any], wire: Wire, helper: bool) -> Any:
    if not wire.stream:
        yield shown(await method(**request))
        return
    manager = method(**request) if helper else await method(**request)
    async with manager as stream:
        async for event in stream:
            yield shown(event)


def shown(item: Any) -> tuple[str, Any]:
    """Return an object of an SDK as its type and plain data."""
    dumped = item.model_dump(warnings=False) if hasattr(item, "model_dump") else item
    return type(item).__name__, dumped


def _finishes(event: Any) -> bool:
    chunk = event.get("chunk", event)
    return any(choice.get("finish_reason") for choice in chunk.get("choices") or ())


def ways(wire: Wire) -> list[str]:
    """Return the ways to read a wire: by ``create``, and by the helper of its dialect."""
    return ["create", "helper"] if wire.stream and wire.dialect != "completions" else ["create"]


def usable(wires: tuple[Wire, ...]) -> list[Wire]:
    """Return the wires whose dialect the installed SDKs have."""
    return [wire for wire in wires if wire.dialect != "responses" or HAS_RESPONSES]

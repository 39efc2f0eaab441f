"""The cost of one more token, counted instead of timed: the same on every run and every machine.

Function calls are counted by the interpreter's own profile hook while two answers are read, one of them longer. The
difference, divided by the additional tokens, is what one token costs; requests, imports and set-up fall out of it.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import anthropic
import openai

from l0.simulator.answers import Answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity
from l0.stainless import direct_endpoints
from l0.stainless.direct_proof import Transport
from l0.stainless.direct_scripts import Script

SHORT, LONG = 50, 150

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM, _JSON = b"text/event-stream", b"application/json"
_DIALECTS = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
_ROOT = Path(__file__).parents[2]
_OWN = (str(_ROOT / "src") + "/", str(_ROOT / "instrumentation") + "/", "<l0 ")
"""The file names of L0's code, that of compiled constructors included."""
_NETWORK = direct_endpoints.__file__
"""The network in memory, whose calls are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls for one more token: made by our code or into it, and in all, the SDK's and the transport's included."""

    own: float
    all: float


def body(api: str, *, stream: bool = True) -> dict[str, Any]:
    """A request."""
    if api == "responses":
        return {"model": "m", "input": "x", "stream": stream, "store": False}
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    return asked | {"max_tokens": 20_000} if api == "messages" else asked


def _reads(api: str, tokens: int) -> list[bytes]:
    """The answer, one event a read: how it arrives when a model writes it."""
    dialect = _DIALECTS[api]
    return list(dialect.events(Answer(tokens=tokens), dialect.read_request(body(api)), AnswerIdentity.of(0, 0)))


def _whole(api: str) -> list[bytes]:
    """A complete answer, in one read."""
    dialect, asked = _DIALECTS[api], body(api, stream=False)
    answer = dialect.complete(Answer(tokens=25), dialect.read_request(asked), AnswerIdentity.of(0, 0))
    return [json.dumps(answer).encode()]


def _transport_of(api: str) -> ModuleType:
    streaming: Any = (anthropic if api == "messages" else openai)._streaming
    found: ModuleType = getattr(streaming, "httpx2", None) or streaming.httpx
    return found


def _client(api: str, sync: bool, reads: list[bytes], content_type: bytes = _STREAM) -> Any:
    """A client whose transport is the usual one, but over connections in memory: each of ``reads`` is one read."""
    name = _transport_of(api).__name__
    installed = Transport.installed("sync" if sync else "asyncio", name, name.replace("httpx", "httpcore"))
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in reads]
    answer = Script("answer", (_HEAD % content_type, *chunks, b"0\r\n\r\n"))

    class Endpoint(installed.endpoint):  # type: ignore[misc]
        def answer(self, number: int) -> None:
            if not self.pieces[number]:  # the body of a request is written after its headers
                super().answer(number)

    client: Any = installed.client
    transport = client.HTTPTransport(verify=False) if sync else client.AsyncHTTPTransport(verify=False)
    transport._pool = installed.pool(network_backend=Endpoint(installed.network, repeat(answer)))
    package: Any = anthropic if api == "messages" else openai
    sdk_client = getattr(package, ("" if sync else "Async") + ("Anthropic" if api == "messages" else "OpenAI"))
    http_client = (client.Client if sync else client.AsyncClient)(transport=transport)
    return sdk_client(api_key="x", base_url="http://origin.invalid", http_client=http_client, max_retries=0)


def _create(api: str, client: Any, *, stream: bool = True) -> Any:
    owner = {"chat": lambda: client.chat.completions, "responses": lambda: client.responses}
    return owner.get(api, lambda: client.messages)().create(**body(api, stream=stream))


def read_sync(api: str, tokens: int) -> Iterator[Any]:
    """One answer, item by item."""
    with _client(api, True, _reads(api, tokens)) as client:
        yield from _create(api, client)


def reading(api: str, sync: bool, tokens: int) -> Callable[[], None]:
    """A function that makes one call and reads its answer."""
    client = _client(api, sync, _reads(api, tokens))

    def one() -> None:
        for _ in _create(api, client):
            pass
        client.close()

    async def aone() -> None:
        async for _ in await _create(api, client):
            pass
        await client.close()

    return one if sync else lambda: asyncio.run(aone())


def calls_per_call(api: str, *, stream: bool = True) -> int:
    """Return the function calls of one short call of a client that made some before, all code counted."""
    with _client(api, True, *((_reads(api, 1), _STREAM) if stream else (_whole(api), _JSON))) as client:

        def one() -> None:
            answer = _create(api, client, stream=stream)
            for _ in answer if stream else ():
                pass

        for _ in range(4):  # compile constructors and a template of the request
            one()
        return count(one)[1]


def count(reading: Callable[[], None]) -> tuple[int, int]:
    own = every = 0

    def hook(frame: FrameType, event: str, _: object) -> None:
        nonlocal own, every
        name = frame.f_code.co_filename
        if event in ("call", "c_call") and name != _NETWORK:
            every += 1
            own += name.startswith(_OWN)

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # a collection would run the finalizers of other readings in this one
    sys.setprofile(hook)
    try:
        reading()
    finally:
        sys.setprofile(before)
        gc.enable()
    return own, every


def calls_per_token(api: str, *, sync: bool) -> Calls:
    """Return the cost of one more token with the current patches."""
    for _ in range(2):  # the first answers compile constructors and fill caches
        reading(api, sync, SHORT)()
    own, every = count(reading(api, sync, SHORT))
    own_long, every_long = count(reading(api, sync, LONG))
    more = LONG - SHORT
    return Calls(own=(own_long - own) / more, all=(every_long - every) / more)

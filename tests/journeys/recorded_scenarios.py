"""Scenarios of recorded calls: a server with scripted responses, and the call of the real SDK, sync and async."""

import asyncio
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai

import l0
from l0.config import CONFIG
from l0.model.policy import Fallback, Hedge, Hold, Policy, Retry
from l0.recording.recording import RecordedCall, Recording

KEY = "canary-key-0123456789"
CANARY = "canary-secret"


def frame(text: str) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(chunk | {"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


STOP = frame("").replace(b'"delta": {"content": ""}', b'"delta": {}, "finish_reason": "stop"')
ANSWER = [frame("one "), frame("two "), frame("three"), STOP, b"data: [DONE]\n\n"]
WHOLE = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "one two"}}],
    }
).encode()


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response of the server. ``cut``: reset the connection after it. ``wait``: send no more until the test ends, not
    even headers without ``parts``. ``after``: wait for this event before it. ``packed``: compress it.
    """

    status: int = 200
    parts: Sequence[bytes] = ()
    packed: bool = False
    cut: bool = False
    wait: bool = False
    after: threading.Event | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


HEALTHY = Response(parts=ANSWER)
BUSY = Response(status=503, parts=[b'{"error": {"message": "busy"}}'])


@dataclass
class Server:
    """Answers requests with a script of responses."""

    url: str = ""
    script: list[Response] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def packed(parts: Sequence[bytes]) -> Iterator[bytes]:
    """Yield compressed parts, each of which can be read as soon as it is there."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


@contextmanager
def serving() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            response = made.script.pop(0)
            if response.after is not None:
                response.after.wait(60)
            if response.wait and not response.parts:
                made.over.wait(60)
                self.close_connection = True
                return
            streams = response.parts and response.parts[0].startswith(b"data:")
            self.send_response(response.status)
            self.send_header("content-type", "text/event-stream" if streams else "application/json")
            self.send_header("transfer-encoding", "chunked")
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.packed:
                self.send_header("content-encoding", "gzip")
            self.end_headers()
            for part in packed(response.parts) if response.packed else response.parts:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if response.wait:
                made.over.wait(60)
            self.close_connection = response.cut or response.wait
            if not response.cut and not response.wait:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Responses and a policy; the outcome, and the parts of each attempt that are recorded (``None``: any)."""

    script: Sequence[Response]
    outcome: str
    bodies: Sequence[bytes | None]
    policy: Policy | None = None
    stream: bool = True
    reads: int | None = None


QUICK = Retry(attempts=2, base_delay=0.01, max_delay=0.01)
BODY = b"".join(ANSWER)
BAD = [frame("as an AI language model"), STOP, b"data: [DONE]\n\n"]
RULE = l0.Guardrails.pattern_rule(patterns=["language model"])
SCENARIOS = {
    "healthy": Scenario(script=[HEALTHY], outcome="ok", bodies=[BODY]),
    "retry": Scenario(script=[BUSY, HEALTHY], outcome="recovered_retry", bodies=[BUSY.parts[0], BODY]),
    "cut before content": Scenario(
        script=[Response(parts=[], cut=True), HEALTHY], outcome="recovered_retry", bodies=[None, BODY]
    ),
    "three attempts": Scenario(
        script=[BUSY, Response(parts=[], cut=True), HEALTHY],
        policy=Policy(retry=QUICK),
        outcome="recovered_retry",
        bodies=[BUSY.parts[0], None, BODY],
    ),
    "three whole attempts": Scenario(
        script=[Response(parts=[WHOLE[:20]], cut=True), Response(parts=[WHOLE[:20]]), Response(parts=[WHOLE])],
        policy=Policy(retry=QUICK),
        outcome="recovered_retry",
        bodies=[None, None, WHOLE],
        stream=False,
    ),
    "resume": Scenario(
        script=[Response(parts=ANSWER[:2], cut=True), HEALTHY],
        policy=Policy(retry=QUICK, resume="exact"),
        outcome="recovered_resume",
        bodies=[b"".join(ANSWER[:2]), BODY],
    ),
    "hedge": Scenario(
        script=[Response(wait=True), HEALTHY],
        policy=Policy(hedge=Hedge(after=400)),
        outcome="recovered_hedge",
        bodies=[b"", BODY],
    ),
    "fallback": Scenario(
        script=[BUSY, HEALTHY],
        policy=Policy(retry=Retry(attempts=0, max_retries=0), fallback=(Fallback(model="other"),)),
        outcome="recovered_fallback",
        bodies=[BUSY.parts[0], BODY],
    ),
    "guardrail": Scenario(
        script=[Response(parts=BAD), HEALTHY],
        policy=Policy(retry=QUICK, guardrails=(RULE,), hold=Hold(until="message")),
        outcome="recovered_retry",
        bodies=[None, BODY],
    ),
    "failure": Scenario(script=[Response(status=400, parts=[b"{}"])], outcome="failed", bodies=[b"{}"]),
    "cancel": Scenario(script=[HEALTHY], outcome="cancelled", bodies=[None], reads=1),
    "whole": Scenario(
        script=[BUSY, Response(parts=[WHOLE])], outcome="recovered_retry", bodies=[BUSY.parts[0], WHOLE], stream=False
    ),
    "compressed": Scenario(
        script=[replace(BUSY, packed=True), replace(HEALTHY, packed=True)],
        outcome="recovered_retry",
        bodies=[BUSY.parts[0], BODY],
    ),
    "compressed whole": Scenario(
        script=[Response(parts=[WHOLE], packed=True)], outcome="ok", bodies=[WHOLE], stream=False
    ),
}


def arguments(stream: bool) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": f"hello {CANARY}"}], "stream": stream}


def play(client: openai.OpenAI, scenario: Scenario) -> list[Any]:
    """Make the call of a scenario. Return the items."""
    with l0.policy(scenario.policy or Policy()):
        answer: Any = client.chat.completions.create(**arguments(scenario.stream))
        if not scenario.stream:
            return [answer]
        items: list[Any] = []
        for item in answer:
            items.append(item)
            if len(items) == scenario.reads:
                break
        answer.close()
        return items


async def aplay(client: openai.AsyncOpenAI, scenario: Scenario) -> list[Any]:
    """As `play`."""
    with l0.policy(scenario.policy or Policy()):
        answer: Any = await client.chat.completions.create(**arguments(scenario.stream))
        if not scenario.stream:
            return [answer]
        items: list[Any] = []
        async for item in answer:
            items.append(item)
            if len(items) == scenario.reads:
                break
        await answer.close()
        return items


def played(url: str, scenario: Scenario, sync: bool) -> list[Any]:
    """Play a scenario with its own client."""
    settings: dict[str, Any] = {"api_key": KEY, "base_url": url, "max_retries": 1}
    if sync:
        with openai.OpenAI(**settings) as client:
            client._calculate_retry_timeout = lambda *_: 0.0  # type: ignore[method-assign]
            return play(client, scenario)

    async def run() -> list[Any]:
        async with openai.AsyncOpenAI(**settings) as client:
            client._calculate_retry_timeout = lambda *_: 0.0  # type: ignore[method-assign]
            return await aplay(client, scenario)

    return asyncio.run(run())


def recorded(folder: Path, make: Callable[[], list[Any]], **options: Any) -> tuple[list[Any], RecordedCall]:
    """Make a call while it is recorded. Return its items, none if it failed, and its recording."""
    l0.instrument(record=folder, **options)
    try:
        items = make()
    except openai.APIError:
        items = []
    finally:
        l0.uninstrument()
    assert CONFIG.recording is None
    with Recording.open(folder) as recording:
        (call,) = recording
        assert call.attempts[0].request["method"] == "POST"
        assert call.decisions
        assert call.deliveries is not None
    return items, call

"""A deadline fires only if no data has arrived: not because the event loop, or the process, was blocked."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import trickling
import trio
from faults_kit import body_of
from trickling import Peer

import l0

CLOCK = 3_000
HELD_UP = 4.0
"""Seconds for which all stands still: much longer than the clock that is tested, of so many milliseconds."""
POLICY = l0.Policy(
    timeout=l0.Timeout(initial_token=60_000, inter_token=CLOCK, liveness=CLOCK),
    retry=l0.Retry(attempts=0, max_retries=0),
)
REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
CHUNKS = 19


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Every test leaves l0 off."""
    yield
    l0.uninstrument()


class Paused:
    """A stream of which a second part is sent once `go` is set, and the last part once `rest` is."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.sent = threading.Event()
        self.rest = threading.Event()

    def __call__(self, peer: Peer) -> None:
        content = body_of("chat").content
        third = len(content) // 3
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        peer.say(b"%x\r\n%s\r\n" % (third, content[:third]))
        self.go.wait(trickling.LONGEST)
        peer.say(b"%x\r\n%s\r\n" % (third, content[third : 2 * third]))
        self.sent.set()
        self.rest.wait(trickling.LONGEST)
        peer.say(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content) - 2 * third, content[2 * third :]))


@pytest.mark.parametrize("backend", ["asyncio", "asyncio, direct", "trio"])
def test_an_event_loop_that_was_held_up_is_no_stall(backend: str) -> None:
    l0.instrument(POLICY, direct=backend.endswith("direct"))
    script = Paused()
    chunks: list[Any] = []

    async def hold_up() -> None:
        script.go.set()
        script.sent.wait()
        time.sleep(HELD_UP)  # what is tested: nothing else runs on the loop meanwhile
        script.rest.set()

    async def read(url: str, start: Any) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=url, timeout=120, max_retries=0) as client:
            async for chunk in await client.chat.completions.create(**REQUEST):
                chunks.append(chunk)
                if len(chunks) == 1:
                    waiting.append(start(hold_up))

    waiting: list[Any] = []

    async def on_trio(url: str) -> None:
        async with trio.open_nursery() as nursery:
            await read(url, nursery.start_soon)

    with trickling.server(script) as url:
        if backend == "trio":
            trio.run(on_trio, url)
        else:
            asyncio.run(read(url, lambda hold: asyncio.ensure_future(hold())))
    assert len(chunks) == CHUNKS


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_headers_that_came_while_the_event_loop_was_held_up_are_in_time(backend: str) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=CLOCK), retry=l0.Retry(attempts=0, max_retries=0)))
    asked, go, sent = threading.Event(), threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        content = body_of("chat").content
        peer.request()
        asked.set()
        go.wait(trickling.LONGEST)
        peer.say(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s"
            % (len(content), content)
        )
        sent.set()

    async def hold_up(nap: Any) -> None:
        while not asked.is_set():
            await nap(0.001)
        go.set()
        sent.wait()
        time.sleep(HELD_UP)

    async def read(url: str) -> int:
        async with openai.AsyncOpenAI(api_key="k", base_url=url, timeout=120, max_retries=0) as client:
            return len([chunk async for chunk in await client.chat.completions.create(**REQUEST)])

    async def on_asyncio(url: str) -> int:
        holding = asyncio.ensure_future(hold_up(asyncio.sleep))
        count = await read(url)
        await holding
        return count

    async def on_trio(url: str) -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold_up, trio.sleep)
            return await read(url)

    with trickling.server(script) as url:
        count = trio.run(on_trio, url) if backend == "trio" else asyncio.run(on_asyncio(url))
    assert count == CHUNKS


READER = """
import asyncio, sys
import openai, trio
import l0

run, url = sys.argv[1:]
l0.instrument(l0.Policy(
    timeout=l0.Timeout(initial_token=60_000, inter_token=3_000, liveness=3_000),
    retry=l0.Retry(attempts=0, max_retries=0),
))
request = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
options = {"api_key": "k", "base_url": url, "timeout": 120, "max_retries": 0}
seen = []

def see(chunk):
    seen.append(chunk)
    if len(seen) == 1:
        print("first", flush=True)

async def read():
    async with openai.AsyncOpenAI(**options) as client:
        async for chunk in await client.chat.completions.create(**request):
            see(chunk)

if run == "sync":
    with openai.OpenAI(**options) as client:
        for chunk in client.chat.completions.create(**request):
            see(chunk)
else:
    (asyncio.run(read()) if run == "asyncio" else trio.run(read))
print(len(seen), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
@pytest.mark.parametrize("run", ["sync", "asyncio", "trio"])
def test_a_process_that_was_stopped_is_no_stall(run: str) -> None:
    script = Paused()
    with trickling.server(script) as url:
        command = [sys.executable, "-c", READER, run, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "first\n"
            os.kill(reader.pid, signal.SIGSTOP)
            script.go.set()
            script.sent.wait()
            time.sleep(HELD_UP)  # what is tested: the process stands still for so long
            os.kill(reader.pid, signal.SIGCONT)
            script.rest.set()
            out, err = reader.communicate(timeout=120)
    assert (out.strip(), err) == (str(CHUNKS), "")

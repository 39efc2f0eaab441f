"""`Timeout.total` ends a body that its user reads (`with_streaming_response`) and that trickles or stalls."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest
import trickling
from trickling import Peer, Script

import l0

HUNG = 90.0
"""Seconds that only a bound which does not bound takes: what trickles goes on for 180."""
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
READ: dict[str, Callable[[Any], Any]] = {
    "read": lambda response: response.read(),
    "json": lambda response: response.json(),
    "bytes": lambda response: list(response.iter_bytes()),
    "lines": lambda response: list(response.iter_lines()),
}


async def _bytes(response: Any) -> list[bytes]:
    return [part async for part in response.iter_bytes()]


async def _lines(response: Any) -> list[str]:
    return [line async for line in response.iter_lines()]


AREAD: dict[str, Callable[[Any], Any]] = {
    "read": lambda response: response.read(),
    "json": lambda response: response.json(),
    "bytes": _bytes,
    "lines": _lines,
}


def stall(peer: Peer) -> None:
    """Begin a body, and send nothing more."""
    peer.request()
    peer.say(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{"id": ')
    peer.stopping.wait(trickling.LONGEST)


SCRIPTS: dict[str, Script] = {
    "trickle": trickling.body("200 OK", begin=b'{"id": "1"'),
    "stall": stall,
    "events": trickling.body("200 OK", kind="text/event-stream", begin=b": begin\n\n"),
}


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Every test leaves l0 off."""
    yield
    l0.uninstrument()


def _sync(url: str, read: str, stream: bool) -> Any:
    with (
        openai.OpenAI(api_key="k", base_url=url, timeout=60, max_retries=2) as client,
        client.chat.completions.with_streaming_response.create(**CHAT, stream=stream) as response,
    ):
        return READ[read](response)


async def _async(url: str, read: str, stream: bool) -> Any:
    async with (
        openai.AsyncOpenAI(api_key="k", base_url=url, timeout=60, max_retries=2) as client,
        client.chat.completions.with_streaming_response.create(**CHAT, stream=stream) as response,
    ):
        return await AREAD[read](response)


RUNS: dict[str, Callable[..., Any]] = {
    "sync": _sync,
    "asyncio": lambda *args: anyio.run(_async, *args, backend="asyncio"),
    "trio": lambda *args: anyio.run(_async, *args, backend="trio"),
}
every_run = pytest.mark.parametrize("run", RUNS)


@every_run
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_total_ends_a_body_that_its_user_reads(run: str, read: str, script: Script) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, total=400)))
    with trickling.server(script) as url:
        began = time.perf_counter()
        with pytest.raises(openai.APITimeoutError, match=r"within 400 ms \(Timeout.total\)"):
            RUNS[run](url, read, script is SCRIPTS["events"])
        assert time.perf_counter() - began < HUNG


@every_run
@pytest.mark.parametrize("read", READ)
def test_a_body_that_comes_in_time_is_left_alone(run: str, read: str) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(total=60_000)))
    with trickling.server(trickling.complete_response(b'{"id": "1"}')) as url:
        found = RUNS[run](url, read, False)
    assert found in (b'{"id": "1"}', {"id": "1"}, [b'{"id": "1"}'], ['{"id": "1"}'])

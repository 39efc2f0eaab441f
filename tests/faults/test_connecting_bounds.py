"""`Timeout.total` ends what trickles before a request is sent: a TLS handshake, a proxy's answer to CONNECT."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import openai
import pytest
import trickling
from makers import collected
from trickling import Peer

import l0

HUNG = 90.0
"""Seconds that only a bound which does not bound takes: what trickles goes on for 180."""
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def handshake(peer: Peer) -> None:
    """Begin a TLS record of 16 KiB, and send it byte by byte."""
    peer._receive()
    peer.say(b"\x16\x03\x03\x40\x00")
    peer.trickle(b"\x02")


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Every test leaves l0 off."""
    yield
    l0.uninstrument()


def _sync(url: str, **transport: Any) -> None:
    http = openai.DefaultHttpxClient(**transport)
    with openai.OpenAI(api_key="k", base_url=url, timeout=60, max_retries=0, http_client=http) as client:
        client.chat.completions.create(**CHAT)


async def _async(url: str, transport: dict[str, Any]) -> None:
    http = openai.DefaultAsyncHttpxClient(**transport)
    async with openai.AsyncOpenAI(api_key="k", base_url=url, timeout=60, max_retries=0, http_client=http) as client:
        await client.chat.completions.create(**CHAT)


RUNS: dict[str, Callable[..., None]] = {
    "sync": _sync,
    "asyncio": lambda url, **transport: anyio.run(_async, url, transport, backend="asyncio"),
    "trio": lambda url, **transport: anyio.run(_async, url, transport, backend="trio"),
}


# httpcore leaves the socket of a cancelled handshake to the garbage collector: it closes it for an `Exception` only.
# The test collects it itself, before a later test, which would not ignore the warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("proxied", [False, True], ids=["TLS handshake", "CONNECT"])
def test_total_timeout_bounds_trickling_bytes_while_connecting(run: str, proxied: bool) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, total=400)))
    with trickling.server(trickling.headers if proxied else handshake) as url:
        target = "https://far.invalid/v1" if proxied else url.replace("http:", "https:")
        began = time.perf_counter()
        with pytest.raises(openai.APITimeoutError, match=r"400 ms \(Timeout.total\)"):
            RUNS[run](target, **({"proxy": url} if proxied else {}))
        assert time.perf_counter() - began < HUNG
    collected()

"""Time bounds over HTTP/2 end a call whose connection is its own, and leave the other streams of a shared one alone."""

import asyncio
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import anyio
import http2_server as h2
import openai
import pytest
from faults_kit import SDKS, body_of
from http2_server import Http2Server, Script

import l0

HUNG = 90.0
"""Seconds that only a bound which does not bound takes: what trickles goes on for 180."""
HELLO: list[Any] = [{"role": "user", "content": "hi"}]
TIMEOUTS = (openai.APITimeoutError, anthropic.APITimeoutError)
NO_RETRY = l0.Retry(attempts=0, max_retries=0)
TOTAL = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, total=600), retry=NO_RETRY)
FIRST = l0.Policy(timeout=l0.Timeout(initial_token=600, inter_token=None), retry=NO_RETRY)
GAP = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=600), retry=NO_RETRY)
PATIENT = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None), retry=NO_RETRY)
LIVE = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, liveness=600), retry=NO_RETRY)


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Every test leaves l0 off."""
    yield
    l0.uninstrument()


def client_of(name: str, server: Http2Server, *, sync: bool = True) -> Any:
    """A client of an SDK that speaks HTTP/2 to ``server``."""
    module = SDKS[name]
    transport = (module.DefaultHttpxClient if sync else module.DefaultAsyncHttpxClient)(
        http2=True, verify=server.trusting
    )
    kind = {
        ("openai", True): openai.OpenAI,
        ("openai", False): openai.AsyncOpenAI,
        ("anthropic", True): anthropic.Anthropic,
        ("anthropic", False): anthropic.AsyncAnthropic,
    }[name, sync]
    base = server.url + "/v1" if name == "openai" else server.url
    client: Any = kind(api_key="k", base_url=base, timeout=60, max_retries=0, http_client=transport)
    return client


def _create(client: Any, model: str, stream: bool) -> Any:
    if hasattr(client, "chat"):
        return client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    return client.messages.create(model=model, max_tokens=4096, messages=HELLO, stream=stream)


def _sync(name: str, server: Http2Server, stream: bool) -> list[Any]:
    with client_of(name, server) as client:
        answer = _create(client, "m", stream)
        return list(answer) if stream else [answer]


async def _async(name: str, server: Http2Server, stream: bool) -> list[Any]:
    async with client_of(name, server, sync=False) as client:
        answer = await _create(client, "m", stream)
        return [chunk async for chunk in answer] if stream else [answer]


RUNS: dict[str, Callable[..., list[Any]]] = {
    "sync": _sync,
    "asyncio": lambda *args: anyio.run(_async, *args, backend="asyncio"),
    "trio": lambda *args: anyio.run(_async, *args, backend="trio"),
}
every_run = pytest.mark.parametrize("run", RUNS)
either_sdk = pytest.mark.parametrize("name", SDKS)


def ended(run: str, name: str, script: Script, *, stream: bool) -> tuple[Exception, float]:
    """The error of one call, and how long it took to come. A call that could not connect in time is made again."""
    for _ in range(20):
        with h2.server(script) as server:
            began = time.perf_counter()
            with pytest.raises(TIMEOUTS) as raised:
                RUNS[run](name, server, stream)
            if server.connections:
                assert server.connections == 1
                return raised.value, time.perf_counter() - began
    raise AssertionError("no call connected in time")


@every_run
@either_sdk
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "script",
    [h2.headers, h2.silent, h2.body(503, "application/json", b'{"error": {"message": "')],
    ids=["headers", "silence", "body of a 503"],
)
def test_total_timeout_bounds_trickling_bytes_before_an_answer(
    run: str, name: str, script: Script, stream: bool
) -> None:
    l0.instrument(TOTAL)
    error, took = ended(run, name, script, stream=stream)
    assert "600 ms (Timeout.total)" in str(error)
    assert took < HUNG


@every_run
@either_sdk
def test_total_ends_a_whole_answer_that_trickles(run: str, name: str) -> None:
    l0.instrument(TOTAL)
    error, took = ended(run, name, h2.body(200, "application/json", b'{"id": "1"}'), stream=False)
    assert "no whole answer within 600 ms (Timeout.total)" in str(error)
    assert took < HUNG


# As in `test_time_bounds`: trio warns about generators of the transport that are not read to their end.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <async_generator object (PoolByteStream|AsyncResponseStream|HTTP2\w*)\.__aiter__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@every_run
@pytest.mark.parametrize(
    ("policy", "script", "clock"),
    [
        (TOTAL, h2.body(200, "text/event-stream", h2.CHUNK), "Timeout.total"),
        (TOTAL, h2.stalling(h2.CHUNK), "Timeout.total"),
        (FIRST, h2.body(200, "text/event-stream", b": begin\n\n"), "Timeout.initial_token"),
        (FIRST, h2.headers, "Timeout.initial_token"),
        (GAP, h2.stalling(h2.CHUNK), "Timeout.inter_token"),
        (GAP, h2.body(200, "text/event-stream", h2.CHUNK), "Timeout.inter_token"),
        (LIVE, h2.stalling(h2.CHUNK), "Timeout.liveness"),
    ],
    ids=["trickle", "stall", "no content", "headers", "gap", "gap with bytes", "silence"],
)
def test_each_clock_ends_a_stream(run: str, policy: l0.Policy, script: Script, clock: str) -> None:
    l0.instrument(policy)
    error, took = ended(run, "openai", script, stream=True)
    assert f"within 600 ms ({clock})" in str(error)
    assert took < HUNG


GREETING = body_of("chat").content


def reasons(chunks: list[Any]) -> list[str | None]:
    """The finish reasons of a stream."""
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices]


def test_a_shared_connection_carries_its_other_stream_on_in_async_code() -> None:
    l0.instrument(PATIENT)
    over = threading.Event()
    script = h2.answers({"stalls": h2.stalling(h2.CHUNK), "flows": h2.flowing(GREETING, over)})

    async def main(server: Http2Server) -> list[Any]:
        async with client_of("openai", server, sync=False) as client:
            flowing = aiter(await _create(client, "flows", True))
            chunks = [await anext(flowing)]
            reading = asyncio.create_task(anext(flowing))
            with l0.policy(GAP), pytest.raises(openai.APITimeoutError, match=r"600 ms \(Timeout.inter_token\)"):
                [chunk async for chunk in await _create(client, "stalls", True)]
            assert not reading.done()
            over.set()
            return [*chunks, await reading, *[chunk async for chunk in flowing]]

    with h2.server(script) as server:
        assert "stop" in reasons(asyncio.run(main(server)))
        assert server.connections == 1


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_shared_silent_connection_is_named_once_at_the_callers_line_in_sync_code(stream: bool) -> None:
    """Nothing can end this read without the other stream: so the other one closes, and the clock ends the call."""
    l0.instrument(PATIENT)
    script = h2.answers({"open": h2.stalling(h2.CHUNK), "stalls": h2.stalling(h2.CHUNK) if stream else h2.silent})
    said = threading.Event()
    found: list[tuple[str, str, int]] = []

    def note(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        found.append((str(message), filename, lineno))
        said.set()

    with h2.server(script) as server, client_of("openai", server) as client, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        other = _create(client, "open", True)

        def leave() -> None:
            assert said.wait(HUNG)
            other.close()

        leaving = threading.Thread(target=leave)
        leaving.start()
        began = time.perf_counter()
        with l0.policy(GAP if stream else TOTAL), pytest.raises(openai.APITimeoutError) as raised:
            list(_create(client, "stalls", True)) if stream else _create(client, "stalls", False)
        leaving.join()
        assert time.perf_counter() - began < HUNG
        assert server.connections == 1
    line = [entry for entry in raised.traceback if str(entry.path) == __file__][-1]
    assert [(file, at - 1) for _, file, at in found] == [(str(line.path), line.lineno)]
    assert re.search(r"HTTP/2 connection .* other calls", found[0][0])


def test_a_shared_connection_carries_its_other_stream_on_in_sync_code() -> None:
    """Bytes arrive for the other stream: the call whose clock is over ends, and the other one goes on."""
    l0.instrument(PATIENT)
    over = threading.Event()
    script = h2.answers({"stalls": h2.stalling(h2.CHUNK), "flows": h2.flowing(GREETING, over)})
    with h2.server(script) as server, client_of("openai", server) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flowing = iter(_create(client, "flows", True))
        next(flowing)
        with l0.policy(GAP), pytest.raises(openai.APITimeoutError, match=r"600 ms \(Timeout.inter_token\)"):
            list(_create(client, "stalls", True))
        over.set()
        assert "stop" in reasons(list(flowing))
        assert server.connections == 1

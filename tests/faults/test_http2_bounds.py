"""The limits of `Timeout` over HTTP/2, where several calls can share a connection.

A call that has its connection to itself ends at its limit. On a shared connection, the other calls go on.
"""

import asyncio
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import anyio
import openai
import pytest
from faults_kit import SDKS, body_of
from http2_server import (
    CHUNK,
    Http2Server,
    Script,
    begin_then_finish,
    begin_then_stall,
    by_model,
    running_server,
    send_nothing,
    trickle_body,
    trickle_headers,
)

import l0

HANG_S = 90.0
"""The tests need less time than this, in seconds, if the limits work. The server would go on for 180 s."""
HELLO: list[Any] = [{"role": "user", "content": "hi"}]
TIMEOUTS = (openai.APITimeoutError, anthropic.APITimeoutError)
NO_RETRY = l0.Retry(attempts=0, max_retries=0)
TOTAL_600_MS = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, total=600), retry=NO_RETRY)
INITIAL_TOKEN_600_MS = l0.Policy(timeout=l0.Timeout(initial_token=600, inter_token=None), retry=NO_RETRY)
INTER_TOKEN_600_MS = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=600), retry=NO_RETRY)
NO_LIMIT = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None), retry=NO_RETRY)
LIVENESS_600_MS = l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, liveness=600), retry=NO_RETRY)

INTER_TOKEN_ENDED = r"600 ms \(Timeout.inter_token\)"


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


def failed_call(run: str, name: str, script: Script, *, stream: bool) -> tuple[Exception, float]:
    """Make one call. Return its error, and how long it took, in seconds. Repeat a call that did not connect in time."""
    for _ in range(20):
        with running_server(script) as server:
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
    [trickle_headers, send_nothing, trickle_body(503, "application/json", b'{"error": {"message": "')],
    ids=["headers", "silence", "body of a 503"],
)
def test_total_limit_ends_a_call_that_gets_no_answer(run: str, name: str, script: Script, stream: bool) -> None:
    l0.instrument(TOTAL_600_MS)
    error, took = failed_call(run, name, script, stream=stream)
    assert "600 ms (Timeout.total)" in str(error)
    assert took < HANG_S


@every_run
@either_sdk
def test_total_limit_ends_an_answer_that_trickles(run: str, name: str) -> None:
    l0.instrument(TOTAL_600_MS)
    error, took = failed_call(run, name, trickle_body(200, "application/json", b'{"id": "1"}'), stream=False)
    assert "no whole answer within 600 ms (Timeout.total)" in str(error)
    assert took < HANG_S


# As in `test_time_bounds`: trio warns about generators of the transport that are not read to their end.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored .*<async_generator object (PoolByteStream|AsyncResponseStream|HTTP2\w*)\.__aiter__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@every_run
@pytest.mark.parametrize(
    ("policy", "script", "field"),
    [
        (TOTAL_600_MS, trickle_body(200, "text/event-stream", CHUNK), "Timeout.total"),
        (TOTAL_600_MS, begin_then_stall(CHUNK), "Timeout.total"),
        (INITIAL_TOKEN_600_MS, trickle_body(200, "text/event-stream", b": begin\n\n"), "Timeout.initial_token"),
        (INITIAL_TOKEN_600_MS, trickle_headers, "Timeout.initial_token"),
        (INTER_TOKEN_600_MS, begin_then_stall(CHUNK), "Timeout.inter_token"),
        (INTER_TOKEN_600_MS, trickle_body(200, "text/event-stream", CHUNK), "Timeout.inter_token"),
        (LIVENESS_600_MS, begin_then_stall(CHUNK), "Timeout.liveness"),
    ],
    ids=["trickle", "stall", "no content", "headers", "gap", "gap with bytes", "silence"],
)
def test_each_limit_ends_a_stream(run: str, policy: l0.Policy, script: Script, field: str) -> None:
    l0.instrument(policy)
    error, took = failed_call(run, "openai", script, stream=True)
    assert f"within 600 ms ({field})" in str(error)
    assert took < HANG_S


GREETING = body_of("chat").content


def reasons(chunks: list[Any]) -> list[str | None]:
    """The finish reasons of a stream."""
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices]


def test_limit_leaves_the_other_stream_of_a_shared_connection_alone_in_async_code() -> None:
    l0.instrument(NO_LIMIT)
    finish = threading.Event()
    script = by_model({"stalls": begin_then_stall(CHUNK), "flows": begin_then_finish(GREETING, finish)})

    async def main(server: Http2Server) -> list[Any]:
        async with client_of("openai", server, sync=False) as client:
            flowing = aiter(await _create(client, "flows", True))
            chunks = [await anext(flowing)]
            reading = asyncio.create_task(anext(flowing))
            with (
                l0.policy(INTER_TOKEN_600_MS),
                pytest.raises(openai.APITimeoutError, match=INTER_TOKEN_ENDED),
            ):
                [chunk async for chunk in await _create(client, "stalls", True)]
            assert not reading.done()
            finish.set()
            return [*chunks, await reading, *[chunk async for chunk in flowing]]

    with running_server(script) as server:
        assert "stop" in reasons(asyncio.run(main(server)))
        assert server.connections == 1


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_late_limit_on_a_shared_connection_is_warned_about_once_at_the_callers_line_in_sync_code(stream: bool) -> None:
    """L0 cannot end this read without ending the other stream as well, so it warns. Once the other one is closed, the
    limit ends the call."""
    l0.instrument(NO_LIMIT)
    script = by_model({"open": begin_then_stall(CHUNK), "stalls": begin_then_stall(CHUNK) if stream else send_nothing})
    warned = threading.Event()
    found: list[tuple[str, str, int]] = []

    def note(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        found.append((str(message), filename, lineno))
        warned.set()

    with running_server(script) as server, client_of("openai", server) as client, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        other = _create(client, "open", True)

        def leave() -> None:
            assert warned.wait(HANG_S)
            other.close()

        leaving = threading.Thread(target=leave)
        leaving.start()
        began = time.perf_counter()
        with l0.policy(INTER_TOKEN_600_MS if stream else TOTAL_600_MS), pytest.raises(openai.APITimeoutError) as raised:
            list(_create(client, "stalls", True)) if stream else _create(client, "stalls", False)
        leaving.join()
        assert time.perf_counter() - began < HANG_S
        assert server.connections == 1
    line = [entry for entry in raised.traceback if str(entry.path) == __file__][-1]
    assert [(file, at) for _, file, at in found] == [(str(line.path), line.lineno + 1)]  # pytest counts lines from 0
    assert re.search(r"HTTP/2 connection .* other calls", found[0][0])


def test_limit_leaves_the_other_stream_of_a_shared_connection_alone_in_sync_code() -> None:
    """Bytes for the other stream end the blocked read: the call over its limit ends, and the other one goes on."""
    l0.instrument(NO_LIMIT)
    finish = threading.Event()
    script = by_model({"stalls": begin_then_stall(CHUNK), "flows": begin_then_finish(GREETING, finish)})
    with running_server(script) as server, client_of("openai", server) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flowing = iter(_create(client, "flows", True))
        next(flowing)
        with (
            l0.policy(INTER_TOKEN_600_MS),
            pytest.raises(openai.APITimeoutError, match=INTER_TOKEN_ENDED),
        ):
            list(_create(client, "stalls", True))
        finish.set()
        assert "stop" in reasons(list(flowing))
        assert server.connections == 1

"""`Timeout.total` and `Timeout.initial_token` limit headers, error bodies, complete answers and redirects that arrive
byte by byte."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import anyio
import openai
import pytest
import trickling
from faults_kit import SDKS
from trickling import Peer, Script

import l0

HUNG = 90.0
"""Seconds. A call that takes this long was not stopped by its limit; the server trickles for 180 s."""
HELLO: list[Any] = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO}
MESSAGE: dict[str, Any] = {"model": "claude-test", "max_tokens": 4096, "messages": HELLO}
TOTAL = l0.Timeout(initial_token=None, inter_token=None, total=400)
FIRST = l0.Timeout(initial_token=900, inter_token=None)
TIMEOUTS = (openai.APITimeoutError, anthropic.APITimeoutError)


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Switch l0 off after each test."""
    yield
    l0.uninstrument()


def _create(client: Any) -> Any:
    chat = hasattr(client, "chat")
    return (client.chat.completions.create, CHAT) if chat else (client.messages.create, MESSAGE)


def _sync(name: str, url: str, stream: bool, retries: int = 0) -> list[Any]:
    kind = SDKS[name].OpenAI if name == "openai" else SDKS[name].Anthropic
    base = url + "/v1" if name == "openai" else url
    with kind(api_key="k", base_url=base, timeout=120, max_retries=retries) as client:
        create, request = _create(client)
        return list(create(**request, stream=True)) if stream else [create(**request)]


async def _async(name: str, url: str, stream: bool, retries: int = 0) -> list[Any]:
    kind = SDKS[name].AsyncOpenAI if name == "openai" else SDKS[name].AsyncAnthropic
    base = url + "/v1" if name == "openai" else url
    async with kind(api_key="k", base_url=base, timeout=120, max_retries=retries) as client:
        create, request = _create(client)
        if stream:
            return [chunk async for chunk in await create(**request, stream=True)]
        return [await create(**request)]


Run = Callable[..., list[Any]]
RUNS: dict[str, Run] = {
    "sync": _sync,
    "asyncio": lambda *args: anyio.run(_async, *args, backend="asyncio"),
    "trio": lambda *args: anyio.run(_async, *args, backend="trio"),
}
every_run = pytest.mark.parametrize("run", RUNS)
either_sdk = pytest.mark.parametrize("name", SDKS)


def ended(run: str, name: str, script: Script, *, stream: bool, retries: int = 0) -> tuple[Exception, float]:
    """Return the error of one call, and the seconds until it was raised."""
    with trickling.server(script) as url:
        began = time.perf_counter()
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller checks the exception
            RUNS[run](name, url, stream, retries)
        return raised.value, time.perf_counter() - began


@every_run
@either_sdk
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "script",
    [
        trickling.headers,
        trickling.status_line,
        trickling.redirect,
        trickling.body("401 Unauthorized"),
        trickling.body("503 Service Unavailable", content_length="100000"),
    ],
    ids=["headers", "status line", "redirects", "body of a 401", "body of a 503 with a length"],
)
def test_total_timeout_bounds_trickling_bytes_before_an_answer(
    run: str, name: str, script: Script, stream: bool
) -> None:
    l0.instrument(l0.Policy(timeout=TOTAL))
    error, took = ended(run, name, script, stream=stream)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert "400 ms (Timeout.total)" in str(error)
    assert 0.35 < took < HUNG


@every_run
@either_sdk
@pytest.mark.parametrize("length", [{}, {"content_length": "100000"}], ids=["to the end", "of a length"])
def test_total_ends_a_whole_answer_that_trickles(run: str, name: str, length: dict[str, str]) -> None:
    l0.instrument(l0.Policy(timeout=TOTAL))
    error, took = ended(run, name, trickling.body("200 OK", begin=b'{"id": "1"}', **length), stream=False)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert "no whole answer within 400 ms (Timeout.total)" in str(error)
    assert 0.35 < took < HUNG


@every_run
@either_sdk
@pytest.mark.parametrize("script", [trickling.headers, trickling.body("500 Oh")], ids=["headers", "body of a 500"])
def test_initial_token_timeout_bounds_trickling_headers(run: str, name: str, script: Script) -> None:
    l0.instrument(l0.Policy(timeout=FIRST))
    error, took = ended(run, name, script, stream=True)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert "900 ms (Timeout.initial_token)" in str(error)
    assert 0.35 < took < HUNG


# httpcore 1 does not close the iterator of a request body that is not sent to its end: trio warns about it, with or
# without L0.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored .*<async_generator object ByteStream\.__aiter__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@every_run
def test_a_request_that_is_taken_in_byte_by_byte_is_bounded(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHAT, "messages", [{"role": "user", "content": "x" * 20_000_000}])
    l0.instrument(l0.Policy(timeout=TOTAL))
    error, took = ended(run, "openai", trickling.unread, stream=False)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert took < HUNG


@every_run
def test_trickling_second_attempt_is_bounded_by_the_remaining_time(run: str) -> None:
    l0.instrument(l0.Policy(timeout=TOTAL, retry=l0.Retry(base_delay=0.01)))
    broken = trickling.complete_response(b'{"error": {"message": "later"}}', status="503 Oh", connection="close")
    error, took = ended(run, "openai", trickling.answers(broken, trickling.headers), stream=True, retries=1)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert took < HUNG


@every_run
@either_sdk
@pytest.mark.parametrize("retry", [None, l0.Retry(base_delay=0.01)], ids=["SDK's delays", "own policy"])
def test_a_retry_that_is_dropped_for_its_wait_is_named_in_a_note(run: str, name: str, retry: l0.Retry | None) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=None, total=10_000), retry=retry))
    busy = trickling.complete_response(b'{"error": {"message": "busy"}}', status="429 Too Many", retry_after="30")
    error, took = ended(run, name, busy, stream=False, retries=2)
    assert error.__notes__ == ["l0: no further attempt: the wait of 30 s would pass Timeout.total of 10,000 ms"]
    assert took < HUNG


FLOODS = {
    "comments": b": ping\n\n" * 50,
    "roles": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"role":"assistant"},"finish_reason":null}]}\n\n' * 20,
    "empty": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{},"finish_reason":null}]}\n\n' * 20,
}


# The transport nests generators without closing the inner ones. If a stream is not read to its end, trio warns about
# them, with or without L0.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored .*<async_generator object (PoolByteStream|AsyncResponseStream|HTTP11\w*)\.__aiter__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@every_run
@pytest.mark.parametrize("frame", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("pause", [0.0, 0.0005], ids=["never blocks", "thousands a second"])
def test_frames_without_content_do_not_feed_the_clock_of_first_content(run: str, frame: bytes, pause: float) -> None:
    l0.instrument(l0.Policy(timeout=FIRST, retry=l0.Retry(attempts=0, max_retries=0)))
    error, took = ended(run, "openai", trickling.flood(frame, pause), stream=True)
    assert isinstance(error, TIMEOUTS), repr(error)
    assert "first content within 900 ms (Timeout.initial_token)" in str(error)
    assert took < HUNG


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_cancellation_of_the_user_stays_one(stream: bool) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(total=60_000)))

    asked = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        peer.request()
        asked.release()
        peer.trickle(b"H")

    async def cancel(call: Any) -> None:
        await asyncio.to_thread(asked.acquire)
        call()

    async def main(url: str) -> None:
        call = asyncio.ensure_future(_async("openai", url, stream))
        await cancel(call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(None) as limit:
                ending = asyncio.create_task(cancel(lambda: limit.reschedule(asyncio.get_running_loop().time())))
                await _async("openai", url, stream)
        await ending
        assert not isinstance(raised.value, TIMEOUTS)

    with trickling.server(script) as url:
        asyncio.run(main(url))

"""However a call is left, nothing stays behind: no task, no socket, no descriptor, no request that nobody reads."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
from explicit_kit import Ask, async_client, chat, client, messages

import l0 as library
from l0 import StreamInterrupted, Timeout, l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.types import Stream

pytestmark = pytest.mark.anyio
FOLDER = Path("/proc/self/fd")
STALL = Fault.stall(at_event=6)
ASKS = [chat, messages]


def descriptors() -> int:
    return len(list(FOLDER.iterdir())) if FOLDER.is_dir() else 0


async def first(stream: Stream) -> None:
    async for event in stream:
        if event.is_token:
            return


async def left(stream: Stream) -> None:
    async with stream:
        await first(stream)


async def aborted(stream: Stream) -> None:
    await first(stream)
    stream.abort()
    assert [event async for event in stream] == []
    assert stream.state.aborted


async def aborted_while_blocked(stream: Stream) -> None:
    reading = asyncio.ensure_future(stream.read())
    while not stream.state.tokens:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)
    stream.abort()
    with pytest.raises(StreamInterrupted, match="aborted"):
        await asyncio.wait_for(reading, 120)
    assert reading.cancelling() == 0
    assert stream.state.aborted


async def aborted_by_a_thread(stream: Stream) -> None:
    reading = asyncio.ensure_future(stream.read())
    while not stream.state.tokens:
        await asyncio.sleep(0.005)
    threading.Thread(target=stream.abort).start()
    with pytest.raises(StreamInterrupted, match="aborted"):
        await asyncio.wait_for(reading, 120)


async def cancelled(stream: Stream) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.read(), 0.05)
    assert stream.state.aborted


async def never_read(stream: Stream) -> None:
    await stream.aclose()


async def broken_by_its_reader(stream: Stream) -> None:
    with pytest.raises(KeyError):
        async with stream:
            async for _ in stream:
                raise KeyError


async def clock(stream: Stream) -> None:
    with pytest.raises((TimeoutError, openai.APITimeoutError)):
        await stream.read()


LEAVINGS: list[Callable[[Stream], Awaitable[None]]] = [
    left,
    aborted,
    aborted_while_blocked,
    aborted_by_a_thread,
    cancelled,
    never_read,
    broken_by_its_reader,
    clock,
]


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("leave", LEAVINGS, ids=lambda leave: leave.__name__)
async def test_nothing_stays_behind(sim: Simulator, standing: str, leave: Any, ask: Ask) -> None:
    async with async_client(sim, ask) as warm:  # what a first request loads stays open for good
        await (await l0(lambda: ask(warm))).read()
    sim.reset()
    tasks, before = asyncio.all_tasks(), descriptors()
    sim.script(STALL)
    async with async_client(sim, ask) as made:
        ended: list[str] = []
        stream = await l0(
            lambda: ask(made),
            timeout=Timeout(initial_token=None, inter_token=timedelta(milliseconds=80)) if leave is clock else None,
            retry=library.Retry(max_retries=0),
            on_abort=lambda state: ended.append("abort"),
            on_error=lambda error: ended.append("error"),
            on_complete=lambda state: ended.append("complete"),
        )
        await leave(stream)
        assert ended == ["error" if leave is clock else "abort"]
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= tasks
    assert len(sim.requests) == 1
    for _ in range(6000):
        if descriptors() <= before:
            break
        await asyncio.sleep(0.01)  # the server's end closes in its own time
    assert descriptors() <= before


async def test_timeout_bounds_the_opening(sim: Simulator, standing: str) -> None:
    sim.script(Fault.no_headers())
    ended: list[str] = []

    async def end(limit: asyncio.Timeout) -> None:
        while not sim.requests:
            await asyncio.sleep(0.001)
        limit.reschedule(asyncio.get_running_loop().time())

    async with async_client(sim, chat) as made:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                ending = asyncio.create_task(end(limit))
                await l0(lambda: chat(made), on_abort=lambda state: ended.append("abort"))
        await ending
    assert ended == ["abort"]
    assert len(sim.requests) == 1


async def test_the_first_token_clock_holds_before_the_headers(sim: Simulator, standing: str) -> None:
    sim.script(Fault.no_headers())
    ended: list[Any] = []
    async with async_client(sim, chat) as made:
        stream = await l0(
            lambda: chat(made),
            timeout=Timeout(initial_token=3_000, inter_token=None),
            retry=library.Retry(base_delay=0.001),
            on_timeout=ended.append,
        )
        assert (await stream.read()).startswith("Hello")
    assert [failure.cause.value for failure in ended] == ["first_content_timeout"]
    assert len(sim.requests) == 2


async def test_total_bounds_the_whole(sim: Simulator, standing: str) -> None:
    sim.script(*[STALL] * 9)
    async with async_client(sim, chat) as made:
        stream = await l0(lambda: chat(made), timeout=Timeout(initial_token=None, inter_token=None, total=100))
        with pytest.raises(TimeoutError, match="total_timeout"):
            await stream.read()


@pytest.mark.parametrize("how", ["abort", "close", "clock"])
def test_sync_reads_end_while_blocked(sim: Simulator, standing: str, how: str) -> None:
    sim.script(STALL)
    before = threading.active_count()
    with client(sim, chat) as made:
        timeout = Timeout(initial_token=None, inter_token=timedelta(milliseconds=80)) if how == "clock" else None
        stream = l0.run_sync(lambda: chat(made), timeout=timeout, retry=library.Retry(max_retries=0))
        if how == "clock":
            with pytest.raises(TimeoutError):
                stream.read()
        elif how == "close":
            next(event for event in stream if event.is_token)
            stream.close()
            assert stream.state.aborted
        else:
            next(event for event in stream if event.is_token)
            aborting = threading.Timer(0.1, stream.abort)
            aborting.start()
            with pytest.raises(StreamInterrupted, match="aborted"):
                stream.read()
            aborting.join()
            assert stream.state.aborted
    assert threading.active_count() <= before + 1  # the watchdog's thread stays a while
    assert len(sim.requests) == 1


async def test_an_abandoned_generator_is_closed(sim: Simulator) -> None:
    closed = asyncio.Event()

    async def words() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.set()

    stream = await l0(words)
    assert (await anext(aiter(stream))).text == "a"
    await stream.aclose()
    assert closed.is_set()
    assert sys.getrefcount(stream) < 10


@pytest.mark.parametrize("closed", [False, True])
async def test_aborted_before_it_is_read(sim: Simulator, standing: str, closed: bool) -> None:
    sim.script(STALL)
    async with async_client(sim, chat) as made:
        stream = await l0(lambda: chat(made))
        stream.abort()
        if closed:
            await stream.aclose()
        with pytest.raises(StreamInterrupted, match="aborted"):
            await stream.read()
        assert stream.state.aborted
    assert len(sim.requests) == 1


@pytest.mark.parametrize("how", ["clock", "abort", "cancel"])
async def test_a_sync_client_in_async_code_leaves_no_thread_that_waits(sim: Simulator, standing: str, how: str) -> None:
    sim.script(STALL)
    with client(sim, chat) as made:
        timeout = Timeout(initial_token=None, inter_token=timedelta(milliseconds=80)) if how == "clock" else None
        stream = await l0(lambda: chat(made), timeout=timeout, retry=library.Retry(max_retries=0))
        await {"clock": clock, "abort": aborted_while_blocked, "cancel": cancelled}[how](stream)
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)
    assert len(sim.requests) == 1

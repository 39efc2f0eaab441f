"""Whatever a user does to stop: the connection is closed at once, nothing is left behind, and nobody complains.

The server is in the middle of its answer each time, and silent: only a client that leaves ends such a request.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
import trio
from installed import needs_trio
from journeys_kit import CHATTING, MESSAGING, Spans, async_chat_client, async_claude, chat_client, claude
from makers import collected

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

SILENT = Fault.stall(at_event=8)
READ = 4
TIMES = 2
"""A leak of one each time would show."""
LIMITS = l0.Policy(timeout=l0.Timeout(initial_token=20_000, inter_token=20_000))
RESUMES = l0.Policy(resume="exact", retry=l0.Retry(base_delay=0), truncation="strict")
cases = pytest.mark.parametrize(
    ("dialect", "policy"),
    [("chat", LIMITS), ("chat", RESUMES), ("messages", l0.Policy()), ("messages", l0.Policy(hold=l0.Hold(frames=0)))],
    ids=["chat-clocks", "chat-resumes", "messages-plain", "messages-held"],
)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the entries of /proc/self/fd")


class Mine(Exception):
    """Raised by the consumer."""


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the count is all that matters


def left(sim: Simulator) -> bool:
    """Return True if the client has left its last request, which would otherwise continue for an hour."""
    return sim.wait_idle(120) and sim.requests[-1].disconnected


# -- sync -----------------------------------------------------------------------------------------------------------


def breaks(stream: Any) -> None:
    for number, _ in enumerate(stream, start=1):
        if number == READ:
            break


def closes(stream: Any) -> None:
    breaks(stream)
    stream.close()


def leaves(stream: Any) -> None:
    with stream:
        breaks(stream)


def raises(stream: Any) -> None:
    with suppress(Mine), stream:
        breaks(stream)
        raise Mine


def closes_the_response(stream: Any) -> None:
    breaks(stream)
    stream.response.close()


def forgets(stream: Any) -> None:
    breaks(stream)


def closes_unread(stream: Any) -> None:
    stream.close()


def forgets_unread(stream: Any) -> None:
    """The bare SDK keeps such a connection, and its place in the pool, forever."""


ENDINGS = (forgets_unread, closes, leaves, raises, closes_the_response, forgets, closes_unread)


@linux
@cases
@pytest.mark.parametrize("end", ENDINGS, ids=lambda one: one.__name__)
def test_sync(sim: Simulator, spans: Spans, dialect: str, end: Callable[[Any], None], policy: l0.Policy) -> None:
    l0.instrument(policy)
    create = chat_client(sim).chat.completions.create if dialect == "chat" else claude(sim).messages.create
    request = CHATTING if dialect == "chat" else MESSAGING
    list(create(**request, stream=True))
    before = descriptors()
    for _ in range(TIMES):
        sim.script(SILENT)
        stream = create(**request, stream=True)
        end(stream)
        del stream
        collected()
        assert left(sim)
    assert descriptors() <= before
    assert spans.ends[1:] == [("cancelled", "UNSET")] * TIMES
    assert len(sim.requests) == 1 + TIMES


def test_closed_by_another_thread_while_a_read_is_blocked(sim: Simulator, spans: Spans) -> None:
    """Closing from outside cannot wake a blocked read in sync code; what the transport then raises is let through."""
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=60_000, inter_token=400), retry=l0.Retry(max_retries=0)))
    sim.script(SILENT)
    stream = chat_client(sim).chat.completions.create(**CHATTING, stream=True)
    ended: list[BaseException | None] = []

    def read() -> None:
        try:
            for _ in stream:
                pass
            ended.append(None)
        except Exception as error:
            ended.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(120)
    assert not reader.is_alive()
    assert isinstance(ended[0], l0.StreamInterrupted)
    assert left(sim)


def test_no_thread_is_left_with_streams_still_open(sim: Simulator) -> None:
    before = set(threading.enumerate())
    l0.instrument(LIMITS)
    client = chat_client(sim)
    sim.script(*[SILENT] * 3)
    streams = [client.chat.completions.create(**CHATTING, stream=True) for _ in range(3)]
    for stream in streams:
        breaks(stream)
    assert len(set(threading.enumerate()) - before) <= 1, "one watchdog for all of them"
    l0.uninstrument()
    assert set(threading.enumerate()) <= before
    for stream in streams:
        stream.close()


# -- async ----------------------------------------------------------------------------------------------------------


async def abreaks(stream: Any) -> None:
    number = 0
    async for _ in stream:
        number += 1
        if number == READ:
            break


async def areads(stream: Any) -> None:
    async for _ in stream:
        pass


async def acloses(stream: Any) -> None:
    await abreaks(stream)
    await stream.close()


async def aleaves(stream: Any) -> None:
    async with stream:
        await abreaks(stream)


async def araises(stream: Any) -> None:
    with suppress(Mine):
        async with stream:
            await abreaks(stream)
            raise Mine


async def acloses_unread(stream: Any) -> None:
    await stream.close()


async def times_out(stream: Any) -> None:
    """A scope around the reading; asyncio's own, `asyncio.timeout`, stands in `test_async_endings`."""
    with anyio.move_on_after(0.05) as scope:
        await areads(stream)
    assert scope.cancelled_caught


async def times_out_within(stream: Any) -> None:
    async with stream:
        with anyio.move_on_after(0.05):
            await areads(stream)


async def loses_its_group(stream: Any) -> None:
    """A sibling fails, and takes the reader with it."""

    async def fail() -> None:
        await anyio.wait_all_tasks_blocked()
        raise Mine

    with pytest.raises(ExceptionGroup) as raised:
        async with anyio.create_task_group() as group:
            group.start_soon(areads, stream)
            group.start_soon(fail)
    assert raised.group_contains(Mine)


AENDINGS = (acloses, aleaves, araises, acloses_unread, times_out, times_out_within, loses_its_group)
AEnd = Callable[[Any], Awaitable[None]]


async def ajourney(sim: Simulator, dialect: str, end: AEnd, policy: l0.Policy) -> None:
    made: Any = async_chat_client(sim) if dialect == "chat" else async_claude(sim)
    async with made as client:
        create = client.chat.completions.create if dialect == "chat" else client.messages.create
        request = CHATTING if dialect == "chat" else MESSAGING
        await areads(await create(**request, stream=True))
        before = descriptors()
        for _ in range(TIMES):
            sim.script(SILENT)
            with l0.policy(policy):
                stream = await create(**request, stream=True)
            await end(stream)
            del stream
            collected()
            assert await anyio.to_thread.run_sync(left, sim)
        await anyio.sleep(0)
        assert descriptors() <= before + 1


@linux
@cases
@pytest.mark.parametrize("end", AENDINGS, ids=lambda one: one.__name__)
def test_asyncio(sim: Simulator, spans: Spans, dialect: str, end: AEnd, policy: l0.Policy) -> None:
    complaints: list[dict[str, Any]] = []

    async def journey() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await ajourney(sim, dialect, end, policy)
        async with asyncio.timeout(120):  # closing what the garbage collector found takes a few turns of the loop
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)

    asyncio.run(journey())
    collected()
    assert complaints == []
    assert spans.ends[1:] == [("cancelled", "UNSET")] * TIMES
    assert len(sim.requests) == 1 + TIMES


@linux
@needs_trio
# trio warns of the generators of the SDK and of its transport when a loop is broken off: bare there are more of them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@cases
@pytest.mark.parametrize("end", AENDINGS, ids=lambda one: one.__name__)
def test_trio(sim: Simulator, spans: Spans, dialect: str, end: AEnd, policy: l0.Policy) -> None:
    trio.run(ajourney, sim, dialect, end, policy)
    collected()
    assert spans.ends[1:] == [("cancelled", "UNSET")] * TIMES
    assert len(sim.requests) == 1 + TIMES


# -- in the middle of something -------------------------------------------------------------------------------------

MOMENTS = {
    "the headers": [Fault.no_headers(60)],
    "the first event": [Fault.stall(at_event=0, seconds=60)],
    "the headers of a second attempt": [Fault.cut(at_event=1), Fault.no_headers(60)],
    "the headers of what takes the answer up": [Fault.cut(at_event=8), Fault.no_headers(60)],
    "what is swallowed": [Fault.cut(at_event=8), Fault.stall(at_event=5, seconds=60)],
    "a wait for the server": [Fault.status(503, {"retry-after": "30"})],
}


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=needs_trio)])
@pytest.mark.parametrize("moment", MOMENTS)
def test_cancelled_at_any_moment(sim: Simulator, spans: Spans, moment: str, backend: str) -> None:
    l0.instrument(RESUMES)
    sim.script(*MOMENTS[moment])

    async def cancel_there(scope: anyio.CancelScope) -> None:
        while len(sim.requests) < len(MOMENTS[moment]):
            await anyio.sleep(0.005)
        await anyio.sleep(0.05)  # most often, the events before the moment arrive meanwhile
        scope.cancel()

    async def journey() -> None:
        with anyio.fail_after(60):
            async with async_chat_client(sim) as client, anyio.create_task_group() as tasks:
                with anyio.CancelScope() as scope:
                    tasks.start_soon(cancel_there, scope)
                    await areads(await client.chat.completions.create(**CHATTING, stream=True))
                assert scope.cancelled_caught
            assert await anyio.to_thread.run_sync(sim.wait_idle, 30)

    anyio.run(journey, backend=backend)
    collected()
    assert spans.ends == [("cancelled", "UNSET")]
    assert len(sim.requests) == len(MOMENTS[moment])

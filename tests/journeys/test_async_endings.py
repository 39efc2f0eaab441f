"""As `test_endings`, in async code: cancellations, time-outs and the garbage collector end streams too."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from journeys_kit import CANCELLED, CHATTING, MESSAGING, OK, Spans, async_chat_client, async_claude
from makers import collected

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator


class Mine(Exception):
    """Raised by the consumer."""


async def aexhausted(stream: Any) -> None:
    async for _ in stream:
        pass


async def abroken_off(stream: Any) -> None:
    async for _ in stream:
        break


async def aclosed(stream: Any) -> None:
    await anext(stream)
    await stream.close()


async def aleft(stream: Any) -> None:
    async with stream:
        async for _ in stream:
            break


async def araised(stream: Any) -> None:
    with suppress(Mine):
        async with stream:
            async for _ in stream:
                raise Mine


async def agenerator_closed(stream: Any) -> None:
    async def texts() -> Any:
        async for item in stream:
            yield item

    async with aclosing(texts()) as generator:
        await anext(generator)


async def anever_read(stream: Any) -> None:
    await stream.close()


async def adropped(stream: Any) -> None:
    """The stream is garbage."""


async def acancelled(stream: Any) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in stream:
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def atimed_out(stream: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as limit:
            async for _ in stream:
                limit.reschedule(asyncio.get_running_loop().time())


AENDINGS: dict[Callable[[Any], Awaitable[None]], tuple[str, str]] = {
    aexhausted: OK,
    abroken_off: CANCELLED,
    aclosed: CANCELLED,
    aleft: CANCELLED,
    araised: CANCELLED,
    agenerator_closed: CANCELLED,
    anever_read: CANCELLED,
    adropped: CANCELLED,
    acancelled: CANCELLED,
    atimed_out: CANCELLED,
}


BLOCKED = (acancelled, atimed_out)
"""Endings of a read that is blocked."""
ABANDONED = (abroken_off, agenerator_closed, adropped)
"""Endings that leave the closing to the garbage collector."""


def complaints(loop: asyncio.AbstractEventLoop, *, abandoned: bool) -> list[str]:
    """Collect the complaints of asyncio ('Task was destroyed', exceptions that were never retrieved).

    Of an abandoned stream the transport's own generators may complain: so they do, more often, without l0.
    """
    found: list[str] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        generator = context.get("asyncgen")
        file = generator.ag_code.co_filename if generator is not None else ""
        if not (abandoned and "http" in file):
            found.append(str(context))

    loop.set_exception_handler(note)
    return found


@pytest.mark.parametrize("dialect", ["chat", "messages"])
@pytest.mark.parametrize("clocks", [False, True], ids=["plain", "clocks"])
@pytest.mark.parametrize(("end", "expected"), AENDINGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_an_async_ending(
    sim: Simulator,
    spans: Spans,
    dialect: str,
    clocks: bool,
    end: Callable[[Any], Awaitable[None]],
    expected: tuple[str, str],
) -> None:
    sim.script(Fault.stall(at_event=4, seconds=60) if end in BLOCKED else Fault.slow_drip(interval=0.005))

    async def journey() -> list[str]:
        found = complaints(asyncio.get_running_loop(), abandoned=end in ABANDONED)
        async with async_chat_client(sim) as client, async_claude(sim) as other:
            with l0.policy(timeout=l0.Timeout() if clocks else None):
                if dialect == "chat":
                    stream: Any = await client.chat.completions.create(**CHATTING, stream=True)
                else:
                    stream = await other.messages.create(**MESSAGING, stream=True)
            await end(stream)
            del stream
            collected()
            await asyncio.sleep(0.01)
        return found

    assert asyncio.run(journey()) == []
    collected()
    assert spans.ends == [expected]
    assert len(spans.all) == 1


async def atimed_out_request(sim: Simulator, due: Callable[[], bool]) -> None:
    """Make a request whose time is up as soon as ``due`` returns True."""

    async def end(limit: asyncio.Timeout) -> None:
        while not due():
            await asyncio.sleep(0.001)
        limit.reschedule(asyncio.get_running_loop().time())

    async with async_chat_client(sim) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                ending = asyncio.create_task(end(limit))
                await client.chat.completions.create(**CHATTING, stream=True)
        await ending


def test_a_timeout_around_the_request(sim: Simulator, spans: Spans) -> None:
    sim.script(Fault.no_headers())
    asyncio.run(atimed_out_request(sim, lambda: bool(sim.requests)))
    assert spans.ends == [CANCELLED]
    assert len(sim.requests) == 1


def test_cancelled_while_a_retry_waits(sim: Simulator, spans: Spans, resting: threading.Event) -> None:
    sim.script(Fault.status(503, {"retry-after": "30"}))
    asyncio.run(atimed_out_request(sim, resting.is_set))
    assert spans.ends == [CANCELLED]
    assert len(sim.requests) == 1

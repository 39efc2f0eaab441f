"""A stream that asyncio code drops in a reference cycle ends as quietly as under the bare SDK.

The garbage collector finalizes all generators of such a stream at once, and asyncio closes them in the order in which
it finds them. An inner generator of the transport that comes before the outer ones complains ("already running").
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from installed import HAS_RESPONSES
from journeys_kit import (
    CANCELLED,
    CHATTING,
    MESSAGING,
    RESPONDING,
    Spans,
    async_chat_client,
    async_claude,
)

import l0
from l0.runtime.finalizers import LATER
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

HANGS_S = 60.0
"""Time limit that only a stream which is never closed exceeds."""
PATIENT = l0.Timeout(initial_token=60_000, inter_token=60_000)
POLICIES = {
    "plain": (l0.Policy(), False),
    "clocks": (l0.Policy(timeout=PATIENT), False),
    "retried": (l0.Policy(timeout=PATIENT, retry=l0.Retry(base_delay=0)), False),
    "direct": (l0.Policy(timeout=PATIENT), True),
}
OPEN: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "chat": lambda client: client.chat.completions.create(**CHATTING, stream=True),
    "responses": lambda client: client.responses.create(**RESPONDING, stream=True),
    "messages": lambda client: client.messages.create(**MESSAGING, stream=True),
}
POINTS = [*product((1, 4), (True, False), (True, False))]
"""Events that are read first; the stream is held by newer objects; the timers have fired."""


class Cycle:
    """An object that only the garbage collector ends."""

    def __init__(self, held: object) -> None:
        self.itself, self.held = self, held


@pytest.fixture(autouse=True)
def _collector_off() -> Iterator[None]:
    """Only the test collects."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def fire_timers() -> None:
    """Let every timer of the loop fire now."""
    loop: Any = asyncio.get_running_loop()
    for handle in [*loop._scheduled]:
        if not handle.cancelled():
            handle._run()
            handle.cancel()


async def closed() -> None:
    """Collect until every generator of the loop is closed."""
    loop: Any = asyncio.get_running_loop()
    async with asyncio.timeout(HANGS_S):
        while loop._asyncgens or len(asyncio.all_tasks()) > 1:
            gc.collect()
            await asyncio.sleep(0)


def nested(held: Any) -> Any:
    """Hold it by objects that are newer: a collection then moves it behind what is reached sooner."""
    for _ in range(30):
        held = [held]
    return held


async def dropped(sim: Simulator, dialect: str, *faults: Fault) -> list[str]:
    """Drop a stream at each of the points. Return the complaints of asyncio."""
    found: list[str] = []
    async with async_claude(sim) if dialect == "messages" else async_chat_client(sim) as client:
        for point in POINTS:
            note = f"{point}: "
            asyncio.get_running_loop().set_exception_handler(lambda _, c, note=note: found.append(f"{note}{c}"))
            sim.script(*faults, Fault.slow_drip(interval=0.002))
            await drop(await OPEN[dialect](client), *point)
    return found


async def drop(stream: Any, read: int, newer: bool, fired: bool) -> None:
    """Drop a stream after ``read`` events, and collect it."""
    for _ in range(read):
        await anext(stream)
    held = nested(stream) if newer else stream
    del stream
    gc.collect()
    Cycle(held)
    del held
    if fired:
        fire_timers()
    await closed()


# trio warns of every generator that it closes itself, so a stream that was read is no case for it.
@pytest.mark.parametrize(("backend", "read"), [("asyncio", 0), ("asyncio", 1), ("trio", 0)])
@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_connection_of_a_dropped_async_stream_is_closed(sim: Simulator, dialect: str, read: int, backend: str) -> None:
    """The server waits, so only a closed connection ends its request."""
    sim.script(Fault.stall(at_event=4))

    async def drop_one() -> None:
        async with async_claude(sim) if dialect == "messages" else async_chat_client(sim) as client:
            stream = await OPEN[dialect](client)
            for _ in range(read):
                await anext(stream)
            Cycle(stream)
            del stream
            with anyio.fail_after(HANGS_S):
                while not sim.wait_idle(0):
                    gc.collect()
                    await anyio.lowlevel.checkpoint()

    l0.instrument()
    anyio.run(drop_one, backend=backend)
    assert sim.requests[0].disconnected


# The socket of a connection that nothing closed warns.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_run_of_trio_may_end_before_a_dropped_stream_is_closed(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finalizer of the stream runs when trio accepts no tasks any more."""
    raised: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: raised.append(f"{found.err_msg} {found.exc_value!r}"))
    l0.instrument()

    async def leave() -> None:
        client = async_chat_client(sim)
        Cycle(await OPEN["chat"](client))
        gc.collect()
        LATER.finish()

    anyio.run(leave, backend="trio")
    while gc.collect():
        pass
    assert raised == []


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("dialect", ["chat", "messages", *(["responses"] if HAS_RESPONSES else [])])
def test_async_streams_dropped_in_cycles(sim: Simulator, spans: Spans, dialect: str, name: str) -> None:
    policy, direct = POLICIES[name]
    l0.uninstrument()
    bare = asyncio.run(dropped(sim, dialect))
    spans.instrument()
    l0.instrument(policy, direct=direct)
    ours = asyncio.run(dropped(sim, dialect, *([Fault.reset(at_event=0)] if name == "retried" else [])))
    assert ours == [] or len(ours) <= len(bare)
    assert spans.ends == [CANCELLED] * len(POINTS)

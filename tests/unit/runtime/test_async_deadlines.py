"""Deadlines of reads in async code. Under asyncio one handle serves all; somebody else's cancellation wins."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, TypeVar
from weakref import ref

import anyio
import pytest
import trio
import virtual_time
from driver_fakes import FakeCallAdapter
from installed import needs_trio
from makers import collected
from trio.testing import MockClock

from l0.model.call import Outcome
from l0.model.policy import Timeout
from l0.runtime import async_deadlines
from l0.runtime.async_deadlines import AsyncioReads, TrioReads, deadline_reads, sleep, until_closed, wait_unless_stopped
from l0.runtime.call_ending import CallEnding
from l0.runtime.deadlines import CallDeadlines
from l0.runtime.watchdog import Expired

_T = TypeVar("_T")
SOON = 0.03
HANGS = 3600.0
"""Seconds that no test would live to see."""


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run under asyncio in virtual time: no test of a deadline depends on how fast the machine is."""
    return virtual_time.run(main, async_deadlines, sys.modules[__name__])


def deadlines(**limits: float) -> CallDeadlines:
    now = perf_counter()
    given = {name: timedelta(milliseconds=limit) for name, limit in limits.items()}
    made = CallDeadlines(Timeout(**({"initial_token": None, "inter_token": None} | given)), now)
    made.opened(now, now)
    return made


def under_way() -> CallEnding:
    return CallEnding(FakeCallAdapter())


def soon() -> CallDeadlines:
    return deadlines(initial_token=1000 * SOON, inter_token=1000 * SOON)


async def forever() -> bytes:
    await asyncio.Event().wait()
    return b""


async def once(reads: AsyncioReads) -> object:
    """A read that a task can run: from Python 3.12 on it takes nothing but coroutines."""
    return await reads.read()


def test_a_read_that_takes_too_long_expires_and_leaves_the_task_uncancelled():
    async def main() -> None:
        reads = AsyncioReads(forever, soon())
        with pytest.raises(Expired) as raised:
            await reads.read()
        assert isinstance(raised.value.__cause__, asyncio.CancelledError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # nothing is left that would interrupt what comes next

    run(main())


def test_an_idle_timer_keeps_no_reads_alive():
    async def main() -> None:
        reads = AsyncioReads(partial(asyncio.sleep, SOON / 3, b"data"), soon())
        assert await reads.read() == b"data"
        gone = ref(reads)
        del reads
        collected()
        assert gone() is None
        await asyncio.sleep(3 * SOON)  # the timer fires for nobody

    run(main())


def test_data_in_time_comes_through_and_between_reads_nothing_fires():
    async def main() -> list[bytes]:
        parts = iter([b"a", b"b"])

        async def advance() -> bytes:
            await asyncio.sleep(0)
            return next(parts)

        reads = AsyncioReads(advance, soon())
        first = await reads.read()
        await asyncio.sleep(2 * SOON)  # a slow consumer
        second = await reads.read()
        reads.close()
        return [first, second]

    assert run(main()) == [b"a", b"b"]


@pytest.mark.parametrize(("waits", "handles"), [(True, 1), (False, 0)])
def test_one_handle_serves_many_reads_that_wait(waits, handles):
    async def main() -> int:
        made = 0
        loop = asyncio.get_running_loop()
        original = loop.call_later

        def counting(*args, **kwargs):
            nonlocal made
            made += 1
            return original(*args, **kwargs)

        async def advance() -> bytes:
            if waits:
                await asyncio.sleep(0)
            return b"x"

        loop.call_later = counting
        reads = AsyncioReads(advance, deadlines(inter_token=60_000, initial_token=60_000, total=120_000))
        for _ in range(1000):
            await reads.read()
        reads.close()
        return made

    assert run(main()) == handles


def test_a_handle_that_fires_early_goes_back_to_sleep():
    async def main() -> None:
        calls = 0

        async def advance() -> bytes:
            nonlocal calls
            calls += 1
            if calls == 1:
                await asyncio.sleep(SOON / 2)
                return b"x"
            return await forever()

        ticking = soon()
        reads, began = AsyncioReads(advance, ticking), perf_counter()
        await reads.read()
        ticking.read(perf_counter(), content=True)
        with pytest.raises(Expired):
            await reads.read()
        assert perf_counter() - began == pytest.approx(1.5 * SOON)

    run(main())


@pytest.mark.parametrize("error", [StopAsyncIteration, ConnectionError])
def test_other_endings_come_through_as_they_are(error):
    async def advance() -> bytes:
        raise error

    async def main() -> None:
        reads = AsyncioReads(advance, soon())
        with pytest.raises(error):
            await reads.read()
        reads.close()

    run(main())


def test_a_foreign_cancellation_comes_through():
    async def main() -> None:
        task = asyncio.create_task(once(AsyncioReads(forever, deadlines(total=60_000))))
        await asyncio.sleep(0)
        task.cancel("theirs")
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_a_foreign_cancellation_in_the_same_tick_wins():
    async def main() -> None:
        reads = AsyncioReads(forever, deadlines(total=60_000))
        task = asyncio.create_task(once(reads))
        await asyncio.sleep(0)
        reads._deadline = 0.0
        reads._fire()
        task.cancel("theirs")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main())


def test_a_users_own_timeout_around_the_read_stays_theirs():
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON):
                await AsyncioReads(forever, deadlines(total=60_000)).read()

    run(main())


def test_data_in_the_tick_of_the_deadline_leaves_no_cancellation_behind():
    async def main() -> None:
        fired: list[AsyncioReads] = []

        async def advance() -> bytes:
            await asyncio.sleep(0)
            fired[0]._deadline = 0.0
            fired[0]._fire()  # the deadline passes in the moment in which the data comes
            return b"x"

        reads = AsyncioReads(advance, deadlines(total=60_000))
        fired.append(reads)
        assert await reads.read() == b"x"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    run(main())


def test_an_error_in_the_tick_of_the_deadline_leaves_no_cancellation_behind():
    async def main() -> None:
        async def advance() -> bytes:
            try:
                return await forever()
            except asyncio.CancelledError:
                raise ConnectionError("a transport that words a cancellation its own way") from None

        with pytest.raises((Expired, ConnectionError)):
            await AsyncioReads(advance, soon()).read()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(main())


def test_after_close_nothing_fires():
    async def main() -> None:
        reads = AsyncioReads(forever, soon())
        task = asyncio.create_task(once(reads))
        await asyncio.sleep(0)
        reads.close()
        await asyncio.sleep(2 * SOON)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())


# Under trio


def test_under_trio_a_read_that_takes_too_long_expires():
    async def main() -> None:
        reads = deadline_reads(trio.sleep_forever, soon())
        assert isinstance(reads, TrioReads)
        with pytest.raises(Expired):
            await reads.read()
        reads.close()

    trio.run(main)


def test_under_trio_data_and_errors_come_through():
    async def main() -> None:
        async def data() -> bytes:
            await trio.lowlevel.checkpoint()
            return b"x"

        async def error() -> bytes:
            raise ConnectionError

        assert await TrioReads(data, soon()).read() == b"x"
        with pytest.raises(ConnectionError):
            await TrioReads(error, soon()).read()

    trio.run(main)


def test_under_trio_a_foreign_cancellation_wins():
    async def main() -> bool:
        with trio.move_on_after(SOON) as scope:
            await TrioReads(trio.sleep_forever, deadlines(total=60_000)).read()
        return scope.cancelled_caught

    assert trio.run(main)


def test_without_a_limit_a_scope_waits_for_ever():
    async def main() -> bytes:
        async def data() -> bytes:
            await trio.sleep(0.01)
            return b"x"

        unlimited = deadlines()
        assert unlimited.reading(0.0) == inf
        return await TrioReads(data, unlimited).read()

    assert trio.run(main) == b"x"


def test_the_loop_decides_which_kind_of_deadline_is_used():
    async def main() -> type:
        return type(deadline_reads(forever, soon()))

    assert run(main()) is AsyncioReads


def test_under_asyncio_others_run_while_one_sleeps():
    async def main() -> bool:
        other = asyncio.create_task(asyncio.sleep(0))
        await sleep(SOON, under_way())
        return other.done()

    assert run(main())


def test_under_trio_a_sleep_is_of_trios_time():
    async def main() -> float:
        await sleep(60.0, under_way())
        return trio.current_time()

    assert trio.run(main, clock=MockClock(autojump_threshold=0.0)) == 60.0


# Waits that end when the call is closed


def test_a_rest_ends_when_the_call_is_closed():
    call = under_way()

    def close() -> None:
        while call.alarm is None:
            time.sleep(0)
        call.alarm()

    closer = threading.Thread(target=close)
    closer.start()
    wait_unless_stopped(HANGS, call)
    closer.join()
    assert call.alarm is None


def test_a_rest_for_no_time_and_one_of_a_closed_call_return_at_once():
    call = under_way()
    wait_unless_stopped(0, call)
    call.claim(Outcome.CANCELLED)
    wait_unless_stopped(HANGS, call)


_RESTS_UNDER_SIGNALS = """
import signal
from l0.runtime.async_deadlines import wait_unless_stopped
from l0.runtime.call_ending import CallEnding

class Open:
    client_closed = False

signals = []
signal.signal(signal.SIGALRM, lambda *_: signals.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0007)
while len(signals) < 1500:
    wait_unless_stopped(0.0008, CallEnding(Open()))
signal.setitimer(signal.ITIMER_REAL, 0)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no signals of timers here")
def test_a_rest_ends_however_many_signals_arrive():
    subprocess.run([sys.executable, "-c", _RESTS_UNDER_SIGNALS], check=True, timeout=60)


async def _sleeps(call: CallEnding) -> None:
    await sleep(HANGS, call)


async def _waits(call: CallEnding) -> None:
    with until_closed(call):
        await anyio.sleep(HANGS)


@pytest.mark.parametrize("wait", [_sleeps, _waits])
@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=needs_trio)])
def test_what_is_awaited_ends_when_the_call_is_closed(backend, wait):
    call = under_way()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait, call)
            while call.alarm is None:
                await anyio.sleep(0)
            call.alarm()

    anyio.run(main, backend=backend)
    assert call.alarm is None


@pytest.mark.parametrize("wait", [_sleeps, _waits])
def test_thread_may_close_a_read_of_an_event_loop(wait):
    call = under_way()

    async def main() -> None:
        task = asyncio.create_task(wait(call))
        while call.alarm is None:
            await asyncio.sleep(0)
        await asyncio.to_thread(call.alarm)
        await task

    asyncio.run(main())

"""A stream that is stopped before its end: what its reader gets, whoever stops it."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from streams_kit import SeveralTexts

from l0 import StreamInterrupted, l0


async def half() -> AsyncIterator[str]:
    yield "half "
    await asyncio.Event().wait()
    yield "full"


async def half_json() -> AsyncIterator[str]:
    yield '["a", "b'
    await asyncio.Event().wait()
    yield '"]'


def words() -> Iterator[str]:
    yield from ("half ", "full")


async def cancelled(stream: Any, read: Any) -> None:
    reading = asyncio.ensure_future(read())
    while not stream.state.tokens:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def left(stream: Any, read: Any) -> None:
    async with stream:
        await anext(aiter(stream))


async def closed(stream: Any, read: Any) -> None:
    await anext(aiter(stream))
    await stream.aclose()


async def aborted(stream: Any, read: Any) -> None:
    await anext(aiter(stream))
    stream.abort()


STOPS = [cancelled, left, closed, aborted]


@pytest.mark.parametrize("stop", STOPS)
def test_read_never_returns_half_an_answer(stop: Any) -> None:
    async def main() -> None:
        stream = await l0(half)
        await stop(stream, stream.read)
        with pytest.raises(StreamInterrupted, match="aborted") as caught:
            await stream.read()
        assert (caught.value.partial_text, caught.value.reason, caught.value.attempts) == ("half ", "aborted", 1)

    asyncio.run(main())


@pytest.mark.parametrize("stop", [cancelled, left, closed])
def test_a_value_is_never_made_of_half_an_answer(stop: Any) -> None:
    async def main() -> None:
        stream = await l0.structured_stream(list[str], half_json)
        await stop(stream, stream.result)
        with pytest.raises(StreamInterrupted, match="aborted"):
            await stream.result()

    asyncio.run(main())


@pytest.mark.parametrize("stop", ["abort", "close"])
def test_sync_read_never_returns_half_an_answer(stop: str) -> None:
    stream = l0.run_sync(words)
    next(iter(stream))
    getattr(stream, stop)()
    with pytest.raises(StreamInterrupted, match="aborted"):
        stream.read()


# -- closed by somebody else than the reader --------------------------------------------------------------------------


async def events_of(stream: Any) -> list[str]:
    return [event.type.value for event in [one async for one in stream]]


@pytest.mark.parametrize("callbacks", [{}, {"on_token": lambda text: None}], ids=["plain", "callbacks"])
@pytest.mark.parametrize("stop", [["aclose"], ["abort", "aclose"], ["aclose", "aclose"], ["aclose", "abort"]])
def test_close_ends_the_read_of_another_task(stop: list[str], callbacks: Any) -> None:
    async def main() -> None:
        stream = await l0(half, **callbacks)
        reading = asyncio.ensure_future(events_of(stream))
        while not stream.state.tokens:
            await asyncio.sleep(0)
        for name in stop:
            done = getattr(stream, name)()
            if done is not None:
                await done
        assert await asyncio.wait_for(reading, 60) == ["token"]
        assert reading.cancelling() == 0
        assert stream.state.aborted

    asyncio.run(main())


@pytest.mark.parametrize("name", ["on_token", "on_event"])
def test_close_in_a_callback_ends_the_answer(name: str) -> None:
    async def main() -> None:
        async def close(_: Any) -> None:
            await stream.aclose()

        stream = await l0(lambda: iter(["a", "b"]), **{name: close})
        assert await events_of(stream) == []
        assert stream.state.aborted

    asyncio.run(main())


@pytest.mark.parametrize("name", ["on_token", "on_event"])
def test_close_in_a_sync_callback_ends_the_answer(name: str) -> None:
    stream = l0.run_sync(words, **{name: lambda _: stream.close()})
    assert list(stream) == []
    assert stream.state.aborted


def test_close_of_a_sync_stream_ends_the_read_of_another_thread() -> None:
    reads, goes_on = threading.Event(), threading.Event()

    def blocked() -> Iterator[str]:
        yield "half "
        reads.set()
        goes_on.wait(60)
        yield "full"

    stream = l0.run_sync(blocked)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(event.type.value for event in stream))
    reader.start()
    reads.wait(60)
    stream.close()
    goes_on.set()
    reader.join(60)
    assert got == ["token"]
    assert stream.state.aborted


def test_nothing_follows_a_close_within_the_events_of_one_item() -> None:
    stream = l0.run_sync(lambda: iter([{"texts": ["a", "b", "c"]}]), adapter=SeveralTexts())
    got: list[str] = []
    for event in stream:
        got.append(event.text)
        stream.abort()
    assert got == ["a"]

    async def main() -> None:
        stream = await l0(lambda: iter([{"texts": ["a", "b", "c"]}]), adapter=SeveralTexts())
        got: list[str] = []
        async for event in stream:
            got.append(event.text)
            stream.abort()
        assert got == ["a"]

    asyncio.run(main())


@pytest.mark.parametrize("pauses", [0, 1, 3])
def test_abort_in_the_loop_leaves_no_task_that_failed(pauses: int) -> None:
    problems: list[Any] = []
    closed: list[bool] = []

    async def slow_to_close() -> AsyncIterator[str]:
        try:
            while True:
                yield "a "
        finally:
            await asyncio.sleep(0.01)
            closed.append(True)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        stream = await l0(slow_to_close)
        async for _ in stream:
            stream.abort()
            for _ in range(pauses):
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        del stream
        gc.collect()

    asyncio.run(main())
    assert (problems, closed) == ([], [True])


# -- iterators of a source --------------------------------------------------------------------------------------------


class AsyncWords:
    """A source whose iterator is a separate generator."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            self.closed = True


class Words:
    """The same in sync code."""

    closed = False

    def __iter__(self) -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            self.closed = True


@pytest.mark.parametrize("kind", [AsyncWords, Words])
def test_close_also_closes_the_iterator_of_a_source(kind: Any) -> None:
    async def main() -> None:
        source = kind()
        stream = await l0(lambda: source)
        assert (await anext(aiter(stream))).text == "a"
        await stream.aclose()
        assert source.closed

    asyncio.run(main())


def test_close_also_closes_the_iterator_of_a_sync_source() -> None:
    source = Words()
    stream = l0.run_sync(lambda: source)
    assert next(iter(stream)).text == "a"
    stream.close()
    assert source.closed

"""A stream that is stopped before its end: what its reader gets, whoever stops it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

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

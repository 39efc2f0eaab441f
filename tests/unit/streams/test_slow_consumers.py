"""A consumer that takes long is not a stall of its source, whichever way the next read ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import virtual_time

import l0

CLOCKS = [module for module in virtual_time.load_engine() if hasattr(module, "perf_counter")]
LIMITS = l0.Timeout(initial_token=1000, inter_token=300)


async def pausing(*, breaks: bool) -> AsyncIterator[str]:
    """Wait for each token. The next one is there at once, and empty, or the source breaks."""
    for token in ("a", "b", "c"):
        await asyncio.sleep(0.02)
        yield token
    if breaks:
        raise ConnectionResetError("boom")
    yield ""
    await asyncio.sleep(0.05)
    yield "d"


async def read_slowly(*, breaks: bool) -> str:
    stream = await l0.run(lambda: pausing(breaks=breaks), timeout=LIMITS, retry=l0.Retry(max_retries=0))
    text = ""
    async for event in stream:
        text += event.text or ""
        if event.text == "c":
            await asyncio.sleep(0.5)
    return text


def test_pause_of_the_consumer_does_not_count_as_a_gap():
    assert virtual_time.run(read_slowly(breaks=False), *CLOCKS) == "abcd"


def test_source_that_breaks_after_a_pause_of_the_consumer_has_not_stalled():
    with pytest.raises(ConnectionResetError) as raised:
        virtual_time.run(read_slowly(breaks=True), *CLOCKS)
    assert raised.value.reason == "reset"

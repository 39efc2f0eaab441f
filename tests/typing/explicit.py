"""The explicit API as type checkers see it. Never run."""

from typing import assert_type

import openai

import l0 as library
from l0 import Event, Policy, Timeout, l0
from l0.streams.structured_output import Structured
from l0.types import Stream, SyncStream


async def stream(client: openai.AsyncOpenAI) -> None:
    """``from l0 import l0`` is the function; ``import l0`` stays the module."""
    answer = await l0(
        stream=lambda: client.chat.completions.create(model="m", messages=[], stream=True),
        timeout=Timeout(),
        on_token=print,
    )
    assert_type(answer, Stream)
    async for event in answer:
        assert_type(event, Event)
        assert_type(event.text, str)
        assert_type(event.is_token, bool)
    assert_type(await answer.read(), str)
    assert_type(await library.run(lambda: ["a"]), Stream)
    assert_type(l0.run_sync(lambda: ["a"]), SyncStream)


async def wrap(client: openai.AsyncOpenAI) -> None:
    """A client stays a client of its class."""
    assert_type(l0.wrap(client, policy=Policy.batch()), openai.AsyncOpenAI)
    async with l0.wrap(lambda: ["a"], timeout=Timeout()) as answer:
        assert_type(answer, Stream)


async def values() -> None:
    """A model's class gives its instances."""
    assert_type(await l0.structured(int, lambda: ["1"]), Structured[int])
    assert_type((await (await l0.structured_stream(int, lambda: ["1"])).result()).value, int)

"""Defects that litellm's streams hide, with stand-ins; `journeys/explicit/test_litellm.py` uses the real ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from l0.streams import sources


class Wrapper:
    """Can be iterated over either way, whatever is inside."""

    __module__ = "litellm.litellm_core_utils.streaming_handler"

    def __init__(self, inner: Any, reason: str | None) -> None:
        self.completion_stream = inner
        self.received_finish_reason: str | None = None
        self._reason = reason

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._item(next(self.completion_stream))

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return self._item(await anext(self.completion_stream))

    def _item(self, text: str) -> Any:
        last = text == "!"
        if last:
            self.received_finish_reason = self._reason
        return SimpleNamespace(text=text, choices=[SimpleNamespace(finish_reason="stop" if last else None)])


def inside() -> Iterator[str]:
    yield from ("a", "b", "!")


async def async_inside() -> AsyncIterator[str]:
    for item in inside():
        yield item


@pytest.mark.parametrize(("reason", "expected"), [("stop", "ab!"), (None, "ab")])
@pytest.mark.parametrize("made", [inside, async_inside], ids=["sync", "async"])
def test_missing_finish_reason_is_ignored(made: Any, reason: str | None, expected: str) -> None:
    async def read(source: Any) -> list[Any]:
        return [item async for item in sources.async_iterator(source)]

    items = asyncio.run(read(Wrapper(made(), reason)))
    assert "".join(item.text for item in items) == expected
    if made is inside:
        assert "".join(item.text for item in sources.iterator(Wrapper(made(), reason))) == expected


def test_wrapper_is_async_if_its_inner_stream_is() -> None:
    assert not sources.is_async(Wrapper(inside(), None))
    assert sources.is_async(Wrapper(async_inside(), None))


def test_what_is_inside_is_closed_and_shows_its_response() -> None:
    closed: list[bool] = []
    inner = SimpleNamespace(response="the response", close=lambda: closed.append(True))
    wrapper = Wrapper(inner, None)
    assert sources.response(wrapper) == "the response"
    sources.close(wrapper)
    assert closed == [True]


def test_only_litellm_streams_are_unwrapped() -> None:
    source = SimpleNamespace(completion_stream=SimpleNamespace(response="another's", close=None))
    assert sources.response(source) is None

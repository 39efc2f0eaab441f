"""Sources that are handed out by ``with``: entered, read, and left, in this order, whatever becomes of them."""

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from streams_kit import QUICK

from l0 import UnknownStreamError, l0

Steps = list[str]


class Making:
    """Sources of each kind, which note what is done with them. ``broken``: so many attempts fail in the middle."""

    def __init__(self, kind: str, broken: int = 0, items: Any = None) -> None:
        self.kind, self.left, self.items = kind, broken, items
        self.steps: Steps = []

    def __call__(self) -> Any:
        broken, self.left = self.left > 0, self.left - 1
        return getattr(self, self.kind)(broken)

    def read(self, broken: bool) -> Iterator[str]:
        for word in ("a", "b"):
            self.steps.append("read")
            if broken:
                raise ConnectionError("gone")
            yield word

    def given(self, broken: bool) -> Any:
        return self.read(broken) if self.items is None else self.items

    @contextmanager
    def generator(self, broken: bool) -> Any:
        self.steps.append("enter")
        try:
            yield self.given(broken)
        finally:
            self.steps.append("exit")

    @asynccontextmanager
    async def async_generator(self, broken: bool) -> Any:
        self.steps.append("enter")
        try:
            yield self.given(broken)
        finally:
            await asyncio.sleep(0)
            self.steps.append("exit")

    def of_a_class(self, broken: bool) -> Any:
        making = self

        class Manager:
            def __enter__(self) -> Any:
                making.steps.append("enter")
                return making.given(broken)

            def __exit__(self, *_: object) -> None:
                making.steps.append("exit")

        return Manager()


def text(making: Making, *, sync: bool, words: int = 9) -> str:
    """Return the text that is read, up to so many words."""
    said: Steps = []

    async def aread() -> None:
        async with await l0(making, retry=QUICK) as stream:
            async for event in stream:
                said.append(event.text)
                if len(said) == words:
                    break

    if not sync:
        asyncio.run(aread())
        return "".join(said)
    with l0.run_sync(making, retry=QUICK) as stream:
        for event in stream:
            said.append(event.text)
            if len(said) == words:
                break
    return "".join(said)


KINDS = [
    ("generator", True),
    ("of_a_class", True),
    ("generator", False),
    ("of_a_class", False),
    ("async_generator", False),
]
each = pytest.mark.parametrize(("kind", "sync"), KINDS, ids=str)


@each
def test_read_to_the_end(kind: str, sync: bool) -> None:
    making = Making(kind)
    assert text(making, sync=sync) == "ab"
    assert making.steps == ["enter", "read", "read", "exit"]


@each
def test_left_early(kind: str, sync: bool) -> None:
    making = Making(kind)
    assert text(making, sync=sync, words=1) == "a"
    assert making.steps == ["enter", "read", "exit"]


@each
def test_a_failed_attempt_is_left_before_the_next_is_entered(kind: str, sync: bool) -> None:
    making = Making(kind, broken=1)
    assert text(making, sync=sync) == "ab"
    assert making.steps == ["enter", "read", "exit", "enter", "read", "read", "exit"]


@each
def test_what_holds_no_stream_is_left(kind: str, sync: bool) -> None:
    making = Making(kind, items=5)
    with pytest.raises(UnknownStreamError):
        text(making, sync=sync)
    assert making.steps == ["enter", "exit"]

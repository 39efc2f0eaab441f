"""Orchestration as type checkers see it. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, assert_type

import l0


async def count() -> int:
    return 1


async def words() -> AsyncIterator[str]:
    yield "word"


async def stream() -> AsyncIterator[str]:
    return words()


def plain() -> object:
    return "anything"


async def answers_keep_their_types() -> None:
    assert_type((await l0.race([count, count])).value, int)
    assert_type((await l0.parallel([count, count])).values, list[int])
    assert_type((await l0.sequential(iter([count]))).succeeded, list[int])
    assert_type((await l0.batched([count], size=2, fail_fast=True))[0].value, int | None)
    assert_type(await l0.Pool(2).run(count), int)


async def streams_are_read() -> None:
    assert_type((await l0.race([words, words])).value, str)
    assert_type((await l0.parallel([stream, stream], concurrency=1, keep=False)).values, list[str])
    assert_type((await l0.parallel([{"stream": words}])).values, list[str])
    assert_type(await l0.Pool(2).run(words), str)


async def anything_else_is_anything() -> None:
    assert_type((await l0.parallel([plain, count, words])).values, list[Any])
    assert_type((await l0.Window.create("text").process_all(lambda chunk: chunk.content)).values, list[Any])
    assert_type((await l0.Consensus.run([plain, count], strategy="majority")).agreement, float)

"""Tasks: their types, their checks, and how to run one to its answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from l0.model.policy import PolicyError
from l0.streams.run import run

from .stream_reading import is_stream, read

T = TypeVar("T")

Options = Mapping[str, Any]
"""Options of ``l0(...)``, ``stream`` among them."""
AwaitableTask = Callable[[], Awaitable[T]]
"""A task whose answer is the result of an awaitable."""
StreamTask = Callable[[], AsyncIterable[Any]] | Callable[[], Awaitable[AsyncIterable[Any]]] | Options
"""A task whose answer is the text of a stream."""
Task = Callable[[], Any] | Options
"""A function without arguments, or options of ``l0(...)``.

The function may return an answer, an awaitable, a stream of an SDK or of ``l0(...)``, or options of ``l0(...)``. A
stream is read to its end, and its text is the answer.
"""
_ALLOWED = "a function without arguments, or a mapping of l0(...)'s options with `stream`"


def check(field: str, task: object) -> None:
    """Raise `PolicyError` if ``task`` is not a task. Called before any request is sent."""
    if not callable(task) and not _is_options(task):
        raise PolicyError(field, task, _ALLOWED)


def check_loop(field: str) -> None:
    """Raise `RuntimeError` if the event loop is not asyncio's. Called before any request is sent."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"{field} requires asyncio, but another event loop is running: under trio, use l0(...) in your own nursery"
        ) from None


async def answer(task: Task) -> Any:
    """Run a task and return its answer. Close its stream in any case."""
    result: Any = task() if callable(task) else task
    if _is_options(result):
        result = run(**result)
    # A loop, since an async function may return a coroutine: `async def task(): return client.create(...)`.
    while inspect.isawaitable(result):
        result = await result
    return await read(result) if is_stream(result) else result


def _is_options(value: object) -> bool:
    return isinstance(value, Mapping) and callable(value.get("stream"))

"""What a task is, and how it becomes an answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from l0.streams.running import run
from l0.values.policy import PolicyError

from .reading import is_stream, read

T = TypeVar("T")

Options = Mapping[str, Any]
"""Options of ``l0(...)``, ``stream`` among them."""
Asking = Callable[[], Awaitable[T]]
"""A task whose answer is what is awaited."""
Reading = Callable[[], AsyncIterable[Any]] | Callable[[], Awaitable[AsyncIterable[Any]]] | Options
"""A task whose answer is the text of a stream."""
Task = Callable[[], Any] | Options
"""A function without arguments, or options of ``l0(...)``.

The function may return an answer, something to await, or a stream of an SDK or of ``l0(...)``: streams are read to
their end, and their answer is their text. It may return options of ``l0(...)`` as well.
"""
_ALLOWED = "a function without arguments, or a mapping of l0(...)'s options with `stream`"


def check(field: str, task: object) -> None:
    """Raises `PolicyError` for what is no task, before anything is sent."""
    if not callable(task) and not _is_options(task):
        raise PolicyError(field, task, _ALLOWED)


def check_loop(field: str) -> None:
    """Raises `RuntimeError` under another event loop than asyncio's, before anything is sent."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"{field} needs asyncio, and this is another event loop: under trio, use l0(...) in a nursery of yours"
        ) from None


async def answer(task: Task) -> Any:
    """Run a task to its answer. A stream that is read is closed, however that ends."""
    made: Any = task() if callable(task) else task
    if _is_options(made):
        made = run(**made)
    while inspect.isawaitable(made):
        made = await made
    return await read(made) if is_stream(made) else made


def _is_options(value: object) -> bool:
    return isinstance(value, Mapping) and callable(value.get("stream"))

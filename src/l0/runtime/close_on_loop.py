"""Close an async resource on the event loop that it belongs to, from any thread.

A connection of asyncio or trio can only be closed by its own loop. A finalizer runs on any thread, and outside of every
task.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

Close = Callable[[], Awaitable[object]]
_TASKS: set[asyncio.Task[None]] = set()
"""The tasks that close. An event loop holds only weak references to its tasks."""


def current_loop() -> Any:
    """Return the running event loop of asyncio, or the token of trio's; ``None`` without a loop."""
    try:  # not `suppress`: this runs once per async call
        return asyncio.get_running_loop()
    except RuntimeError:
        trio: Any = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None


def close_on_loop(loop: Any, close: Close) -> None:
    """Let ``loop``, a result of `current_loop`, run ``close``. Does nothing if the loop has ended."""
    with suppress(RuntimeError, *_run_finished()):
        if isinstance(loop, asyncio.AbstractEventLoop):
            loop.call_soon_threadsafe(_start_task, loop, close)
        else:
            loop.run_sync_soon(partial(_start_trio_task, close))


def _run_finished() -> tuple[type[Exception], ...]:
    trio: Any = sys.modules.get("trio")
    return () if trio is None else (trio.RunFinishedError,)


def _start_task(loop: asyncio.AbstractEventLoop, close: Close) -> None:
    task = loop.create_task(_quietly(close))
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


def _start_trio_task(close: Close) -> None:
    with suppress(RuntimeError):  # trio is ending its run, and accepts no tasks
        sys.modules["trio"].lowlevel.spawn_system_task(_quietly, close)


async def _quietly(close: Close) -> None:
    with suppress(Exception):  # nobody waits for it
        await close()

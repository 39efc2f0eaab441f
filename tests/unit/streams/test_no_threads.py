"""A sync SDK's stream in async code is read on a thread; on the event loop if no thread can be started."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from l0 import l0
from l0.streams import sources

PIECES = [f"{number} " for number in range(20)]


class Connected:
    """A sync source with a connection, as the SDKs' streams have one."""

    def __init__(self, *items: Any) -> None:
        self.items = iter(items)
        self.response = SimpleNamespace(extensions={}, headers={}, status_code=200)

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    sources._warn_unthreaded.cache_clear()
    yield
    sources._warn_unthreaded.cache_clear()


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    own = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(("asyncio_", "ThreadPoolExecutor")):
            raise RuntimeError("can't start new thread")
        own(thread)

    monkeypatch.setattr(threading.Thread, "start", start)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_answer_without_threads_is_complete_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> str:
        refuse(monkeypatch)
        return await (await l0(lambda: Connected(*PIECES))).read()

    assert asyncio.run(main()) == "".join(PIECES)
    (said,) = warnings_of(caplog)
    assert "until a thread can be started (can't start new thread)" in said


def test_work_that_an_executor_kept_takes_no_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that cannot start a second thread has queued the read by then, and its first thread finds it."""
    busy, free = threading.Event(), threading.Event()

    def occupy() -> None:
        busy.set()
        free.wait(60)

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(2)
        loop.set_default_executor(pool)
        occupied = loop.run_in_executor(None, occupy)
        busy.wait(60)
        refuse(monkeypatch)
        items = sources.async_iterator(Connected(*PIECES))
        first = [await anext(items) for _ in range(3)]
        free.set()
        await occupied
        return first + [item async for item in items]

    assert asyncio.run(main()) == PIECES


def test_error_of_the_source_is_not_taken_for_a_missing_thread(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[Any]:
        return [item async for item in sources.async_iterator(Connected("a", RuntimeError("mine")))]

    with pytest.raises(RuntimeError, match="mine"):
        asyncio.run(main())
    assert warnings_of(caplog) == []

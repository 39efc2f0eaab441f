"""Run a simulator in its own thread, for sync and async programs."""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Generic, TypeVar

from l0.model.option_names import refuses_unknown_options

from .server import Simulator

S = TypeVar("S", bound=Simulator)
_STOP_SECONDS = 10
"""Time limit for the server, and then for its thread, to stop."""


@refuses_unknown_options
class SimulatorThread(AbstractContextManager[S, None], AbstractAsyncContextManager[S, None], Generic[S]):
    """A simulator that runs until its `with` or `async with` block ends.

    The server has its own thread and event loop. So it also answers while the caller's event loop is blocked, and works
    with any async library.
    """

    def __init__(self, simulator: S) -> None:
        self._simulator = simulator
        self._started = Future[None]()
        self._stopped = Future[None]()
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="l0-simulator", daemon=True)

    def __enter__(self) -> S:
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join(_STOP_SECONDS)
            raise
        return self._simulator

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._stopped.result(_STOP_SECONDS)
        self._thread.join(_STOP_SECONDS)

    async def __aenter__(self) -> S:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._simulator.start()
        except BaseException as error:
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        await self._end.wait()
        try:
            await self._simulator.stop()
        except BaseException as error:
            self._stopped.set_exception(error)
        else:
            self._stopped.set_result(None)

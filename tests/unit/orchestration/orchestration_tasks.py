"""Tasks whose end the test decides, and a run that leaves nothing behind."""

import asyncio


class Gate:
    """A task that answers when it is told to. ``begun``, ``ended``: whether it got there; ``cancelled``: by whom."""

    def __init__(self, value="answer"):
        self.value = value
        self.begun = self.ended = self.cancelled = False
        self._open = None

    async def __call__(self):
        self.begun = True
        self._open = asyncio.Event()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended = True
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def open(self):
        self._open.set()


def saying(value):
    """A task that answers at once; an exception is raised."""

    async def task():
        if isinstance(value, Exception):
            raise value
        return value

    return task


def run(coroutine):
    """Run to the end, and see that no task is left."""

    async def main():
        try:
            return await coroutine
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert left == set()

    return asyncio.run(main())


async def turn(times=5):
    """Let others have a turn."""
    for _ in range(times):
        await asyncio.sleep(0)

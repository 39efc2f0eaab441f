"""Kit: tasks that end when the test decides, and a runner that checks for leftover tasks."""

import asyncio


class Gate:
    """A task that answers when the test opens it. It records if it has begun, ended or been cancelled."""

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


def returning(value):
    """Create a task that returns a value immediately, or raises it if it is an exception."""

    async def task():
        if isinstance(value, Exception):
            raise value
        return value

    return task


def run(coroutine):
    """Run a coroutine to its end, and check that no task is left."""

    async def main():
        try:
            return await coroutine
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert left == set()

    return asyncio.run(main())


async def turn(times=5):
    """Let other tasks run for some iterations of the loop."""
    for _ in range(times):
        await asyncio.sleep(0)

"""Run simulated calls in the order of their actions, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")


class Task(Protocol[T_co]):
    """A task that starts at ``started``, yields the times of its actions, and returns its result."""

    started: float

    def run(self) -> Generator[float, None, T_co]: ...


class VirtualClock:
    """A clock that shows the time of the current action."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run_alone(task: Task[R]) -> R:
    """Run a task that shares nothing with others. Return its result."""
    steps = task.run()
    while True:
        try:
            next(steps)
        except StopIteration as over:
            result: R = over.value
            return result


def run_in_order(tasks: Iterable[Task[R]], clock: VirtualClock) -> Iterator[tuple[int, R]]:
    """Run tasks that share state. Yield the index of each, and its result, as they end.

    Actions at the same time run in the order of the tasks.
    """
    waiting = [(task.started, index, task.run()) for index, task in enumerate(tasks)]
    heapify(waiting)
    while waiting:
        clock.now, index, steps = waiting[0]
        try:
            heapreplace(waiting, (next(steps), index, steps))
        except StopIteration as over:
            heappop(waiting)
            yield index, over.value

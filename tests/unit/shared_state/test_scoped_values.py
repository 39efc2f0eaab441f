"""Blocks of generators: readers that run at the same time, or interrupt each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, ContextVar, Token, copy_context
from dataclasses import dataclass
from threading import Event

import pytest

from l0.shared_state import scoped_values
from l0.shared_state.scoped_values import Scoped


class InterruptedMark:
    """The variable that compares contexts. Other code runs once, before or after its next successful ``reset``."""

    def __init__(self) -> None:
        self._mark: ContextVar[None] = ContextVar("mark", default=None)
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None

    def set(self, value: None) -> Token[None]:
        return self._mark.set(value)

    def reset(self, token: Token[None]) -> None:
        before, self.before = self.before, None
        if before is not None:
            before()
        self._mark.reset(token)
        after, self.after = self.after, None
        if after is not None:
            after()


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> InterruptedMark:
    """Return the mark of a process in which other code runs while a context is tested."""
    interrupted = InterruptedMark()
    monkeypatch.setattr(scoped_values, "_MARK", interrupted)
    return interrupted


def in_a_block(scoped: Scoped[str], contexts: list[Context]) -> Iterator[int]:
    """Yield a number within a block. ``contexts`` receives the context of a thread that is started in it."""
    block = scoped.enter("generator", sys._getframe())
    contexts.append(copy_context())
    try:
        yield 1
    finally:
        scoped.leave(block)


@dataclass(frozen=True)
class Readers:
    """Two readers of the value while the generator is suspended: its consumer, and a thread that it started."""

    consumer: Callable[[], str | None]
    start_thread: Callable[[], Future[str | None]]

    def thread(self) -> str | None:
        return self.start_thread().result()


@pytest.fixture
def readers() -> Iterator[Readers]:
    """Suspend a generator at a `yield` within its block."""
    scoped: Scoped[str] = Scoped("test")
    contexts: list[Context] = []
    with ThreadPoolExecutor(1) as threads:
        for _ in in_a_block(scoped, contexts):
            yield Readers(scoped.get, lambda: threads.submit(contexts[0].run, scoped.get))
            break


def test_block_of_a_suspended_generator_applies_to_its_threads_and_not_to_its_consumer(
    mark: InterruptedMark, readers: Readers
) -> None:
    assert [(readers.consumer(), readers.thread()) for _ in range(3)] == [(None, "generator")] * 3


def test_block_of_a_generator_does_not_apply_to_a_loop_that_the_interpreter_has_specialized() -> None:
    scoped: Scoped[str] = Scoped("test")
    found = {scoped.get() for _ in range(100) for _ in in_a_block(scoped, [])}
    assert found == {None}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_block_applies_to_a_thread_that_asks_while_its_consumer_asks(
    mark: InterruptedMark, readers: Readers, moment: str
) -> None:
    found: list[str | None] = []
    setattr(mark, moment, lambda: found.append(readers.thread()))
    assert readers.consumer() is None
    assert found == ["generator"]


def test_block_applies_to_a_thread_that_asks_before_and_after_its_consumer_asks(
    mark: InterruptedMark, readers: Readers
) -> None:
    asking, answered = Event(), Event()

    def interrupted() -> None:
        asking.set()
        assert answered.wait(60)

    mark.before = interrupted
    thread = readers.start_thread()
    assert asking.wait(60)
    assert readers.consumer() is None
    answered.set()
    assert thread.result() == "generator"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_block_does_not_apply_to_a_signal_handler_that_interrupts_its_consumer(
    mark: InterruptedMark, readers: Readers, moment: str
) -> None:
    found: list[str | None] = []
    setattr(mark, moment, lambda: found.append(readers.consumer()))
    assert readers.consumer() is None
    assert found == [None]
    assert (readers.consumer(), readers.thread()) == (None, "generator")

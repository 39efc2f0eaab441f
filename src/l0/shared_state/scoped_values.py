"""Set a value for the length of a block in a thread or task. The block may end in another context than it began in.

A context variable alone does not suffice: `reset` raises in another context, and leaves the value set in the first one.
So each block is an object. A block that ends in another context or out of order is marked as over, for every context
that still holds it. Tasks and threads that copied the context inside a block keep its value if it ended normally.

A block that a generator enters belongs to the generator's frame: it applies while that frame runs, also in another
context, and not to the loop that iterates over the generator.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar, Token
from types import FrameType
from typing import Generic, TypeVar

from .generator_frames import entering_generator, is_iterated, waits_at_yield

T = TypeVar("T")
_MARK: ContextVar[None] = ContextVar("l0_mark", default=None)
"""To test whether two contexts are the same, reset a token of this variable: `reset` raises `ValueError` in any other
context."""


class Block(Generic[T]):
    """One entered block. ``outer``: the enclosing block, if any."""

    __slots__ = ("consumer_token", "generator", "outer", "over", "token", "value")

    def __init__(self, value: T, outer: Block[T] | None) -> None:
        self.value = value
        self.outer = outer
        self.over = False
        self.token: Token[Block[T] | None] | None = None
        self.generator: FrameType | None = None
        """The frame of the generator that entered the block. It does not keep the generator alive."""
        self.consumer_token: Token[None] | None = None
        """A token that was made in the context of the `for` loop that consumes the generator; None if no `for` loop
        consumes it."""

    @property
    def applies(self) -> bool:
        """True if the block is in effect for the code that reads this property.

        False after the block has ended. Also false while its generator is suspended at a `yield` and the reader runs in
        the context of the `for` loop that consumes the generator. Tasks and threads that the generator started have
        their own contexts, so the block stays in effect for them.
        """
        if self.over:
            return False
        generator = self.generator
        if generator is None or self.consumer_token is None or not waits_at_yield(generator):
            return True
        return not self._in_consumer_context()

    def _in_consumer_context(self) -> bool:
        while True:
            token = self.consumer_token
            assert token is not None
            try:
                _MARK.reset(token)
            except ValueError:  # another context; the token can be used again
                return False
            except RuntimeError:  # another reader has used the token
                if self.consumer_token is token:  # and is between its `reset` and its `set`
                    return self._interrupts_its_test()
                continue
            self.consumer_token = _MARK.set(None)
            return True

    def _interrupts_its_test(self) -> bool:
        """Return True if a signal handler or finalizer runs this code, and has interrupted `_in_consumer_context`.

        The interrupting code runs in the same context. Another thread cannot be the reason: only one thread at a time
        can be in a context.
        """
        code = Block._in_consumer_context.__code__
        frame = sys._getframe(2)
        while frame.f_code is not code or frame.f_locals["self"] is not self:
            if frame.f_back is None:
                return False
            frame = frame.f_back
        return True


class Scoped(Generic[T]):
    """A value that a block sets. The innermost block that is not over decides."""

    def __init__(self, name: str) -> None:
        self._current: ContextVar[Block[T] | None] = ContextVar(name, default=None)
        self._generators: dict[FrameType, list[Block[T]]] = {}
        """The blocks that a generator is in, by its frame, the innermost last."""

    def get(self) -> T | None:
        """Return the current value; ``None`` outside of all blocks."""
        # Nearly always, and worth the shortcut: each call of a user reads three scoped values.
        if self._current.get() is None and not self._generators:
            return None
        block = self._applying()
        return None if block is None else block.value

    def enter(self, value: T, with_frame: FrameType | None = None) -> Block[T]:
        """Begin a block.

        ``with_frame``: the frame that executes the `with` statement. If it belongs to a generator, the block applies
        only while that generator runs, as consumed by `for`. None: generators are not considered.
        """
        block = Block(value, self._applying())
        generator = entering_generator(with_frame)
        if generator is not None:
            block.generator = generator
            block.consumer_token = _MARK.set(None) if is_iterated(generator) else None
            self._generators.setdefault(generator, []).append(block)
        block.token = self._current.set(block)
        return block

    def leave(self, block: Block[T]) -> None:
        """End a block, from any context and in any order. Never raises."""
        self._forget(block)
        token, block.token = block.token, None
        if token is not None and self._current.get() is block:
            try:
                self._current.reset(token)
            except ValueError:  # entered in another context, of which this one is a copy
                self._current.set(block.outer)
            else:
                return
        block.over = True

    def _applying(self) -> Block[T] | None:
        block = _innermost(self._current.get())
        if not self._generators:
            return block
        running = self._block_of_running_generator()
        return block if running is None or _inside(block, running) else running

    def _block_of_running_generator(self) -> Block[T] | None:
        """Return the innermost block of the nearest generator on the current call stack.

        The stack is searched, not the context variable, because each `next()` can run the generator in a different
        context.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            blocks = self._generators.get(frame)
            if blocks:
                return blocks[-1]
            frame = frame.f_back
        return None

    def _forget(self, block: Block[T]) -> None:
        generator, block.generator = block.generator, None
        blocks = None if generator is None else self._generators.get(generator)
        if generator is None or blocks is None or block not in blocks:
            return
        blocks.remove(block)
        if not blocks:
            self._generators.pop(generator, None)


def _innermost(block: Block[T] | None) -> Block[T] | None:
    while block is not None and not block.applies:
        block = block.outer
    return block


def _inside(block: Block[T] | None, other: Block[T]) -> bool:
    """Return True if `block` is `other`, or was entered in it."""
    while block is not None and block is not other:
        block = block.outer
    return block is not None

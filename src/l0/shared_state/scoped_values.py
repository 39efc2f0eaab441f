"""Hold values for the length of a block in a thread or task. The block may end in another context than it began in.

A context variable alone does not suffice: `reset` raises in another context, and leaves the value set in the first one.
So each block is an object. A block that ends in another context or out of order is marked as over, for every context
that still holds it. Tasks and threads that copied the context inside a block keep its value if it ended normally.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Generic, TypeVar

T = TypeVar("T")


class Block(Generic[T]):
    """One entered block. ``outer``: the enclosing block, if any."""

    __slots__ = ("outer", "over", "token", "value")

    def __init__(self, value: T, outer: Block[T] | None) -> None:
        self.value = value
        self.outer = outer
        self.over = False
        self.token: Token[Block[T] | None] | None = None


class Scoped(Generic[T]):
    """A value that a block sets. The innermost block that is not over decides."""

    def __init__(self, name: str) -> None:
        self._current: ContextVar[Block[T] | None] = ContextVar(name, default=None)

    def get(self) -> T | None:
        """Return the current value; ``None`` outside of all blocks."""
        block = self._current.get()
        if block is None:
            return None
        block = _open(block)
        return None if block is None else block.value

    def enter(self, value: T) -> Block[T]:
        """Begin a block."""
        block = Block(value, _open(self._current.get()))
        block.token = self._current.set(block)
        return block

    def leave(self, block: Block[T]) -> None:
        """End a block, from any context and in any order. Never raises."""
        token, block.token = block.token, None
        if token is not None and self._current.get() is block:
            try:
                self._current.reset(token)
            except ValueError:  # entered in another context, of which this one is a copy
                self._current.set(block.outer)
            else:
                return
        block.over = True


def _open(block: Block[T] | None) -> Block[T] | None:
    while block is not None and block.over:
        block = block.outer
    return block

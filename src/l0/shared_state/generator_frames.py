"""Find the generator that enters a block, and whether it waits at a `yield`.

The body of a generator runs in the context of the code that requests the next item. So a block that the generator has
entered would also apply to the loop that iterates over it. The frames on the call stack show which of the two runs. If
an interpreter does not have the instructions that this module searches for, blocks apply as if no generator had entered
them.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from opcode import opmap
from types import FrameType

_FOR_ITER, _GET_ANEXT, _SEND = (opmap.get(name, -1) for name in ("FOR_ITER", "GET_ANEXT", "SEND"))
_CACHE = opmap.get("CACHE", -1)
_YIELD_VALUE, _RESUME = opmap.get("YIELD_VALUE", -1), opmap.get("RESUME", -1)
_LOCATION, _AFTER_YIELD = 3, 1
"""The bits of RESUME's argument that say what it follows, and their value after a `yield`; 2 is after `yield from`, 3
after `await`."""
_UNIT = 2
"""Bytes of an instruction."""


def entering_generator(with_frame: FrameType | None) -> FrameType | None:
    """Return the frame of the generator whose body executes a `with` statement; None if no generator does.

    ``with_frame``: the frame that executes the statement. If it belongs to a generator that serves as a context manager
    (`contextlib`), the `with` statement that enters this context manager counts instead.
    """
    frame = with_frame
    while frame is not None and _is_generator(frame):
        caller = frame.f_back
        if caller is None or not _is_contextlib(caller):
            return frame
        while caller is not None and _is_contextlib(caller):
            caller = caller.f_back
        frame = caller
    return None


def is_iterated(generator: FrameType) -> bool:
    """Return True if a `for` or `async for` statement runs the generator to get its next item.

    Context managers, fixtures and dependency systems are run by `next()` and `anext()`. A block that they enter is
    meant for other code.
    """
    caller = generator.f_back
    if caller is None:
        return False
    code, offset = caller.f_code.co_code, caller.f_lasti
    if code[offset] == _CACHE:  # Python 3.12 is past the instruction if it has specialized it for generators
        offset -= _UNIT
    if code[offset] == _FOR_ITER:
        return True
    return code[offset] == _SEND and offset >= 2 * _UNIT and code[offset - 2 * _UNIT] == _GET_ANEXT


def waits_at_yield(generator: FrameType) -> bool:
    """Return True if a generator is suspended at a `yield`: other code runs then.

    An asynchronous generator that is suspended at an `await` does not count: the tasks that it awaits do its work.
    """
    if generator.f_back is not None:
        return False
    if not generator.f_code.co_flags & CO_ASYNC_GENERATOR:
        return True
    code, offset = generator.f_code.co_code, generator.f_lasti
    if code[offset] == _YIELD_VALUE:
        offset += _UNIT  # from Python 3.13 on a suspended frame is at RESUME already
    return code[offset] == _RESUME and code[offset + 1] & _LOCATION == _AFTER_YIELD


def _is_generator(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR))


def _is_contextlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "contextlib"

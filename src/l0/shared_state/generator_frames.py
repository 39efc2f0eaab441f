"""Find the generator that enters a block, and whether it waits at a `yield`.

The body of a generator runs in the context of whoever asks for the next item, so a block that it has entered would
apply to the loop that iterates over it as well. Frames tell the two apart. If an interpreter does not have the
instructions that this module searches for, blocks apply as if no generator had entered them.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from opcode import opmap
from types import FrameType

_FOR_ITER, _GET_ANEXT, _SEND = (opmap.get(name, -1) for name in ("FOR_ITER", "GET_ANEXT", "SEND"))
_YIELD_VALUE, _RESUME = opmap.get("YIELD_VALUE", -1), opmap.get("RESUME", -1)
_LOCATION, _AFTER_YIELD = 3, 1
"""Bits of RESUME's argument, and their value after a `yield`; 2 is after `yield from`, 3 after `await`."""
_UNIT = 2
"""Bytes of an instruction."""


def entering_generator(with_frame: FrameType | None) -> FrameType | None:
    """Return the frame of the generator whose body executes a `with` statement; None if that is not in a generator.

    ``with_frame``: the frame that executes the statement. If it belongs to a generator that serves as a context manager
    (`contextlib`), the `with` statement that enters this context manager counts instead.
    """
    frame = with_frame
    while frame is not None and _is_generator(frame):
        driver = frame.f_back
        if driver is None or not _of_contextlib(driver):
            return frame
        while driver is not None and _of_contextlib(driver):
            driver = driver.f_back
        frame = driver
    return None


def is_iterated(generator: FrameType) -> bool:
    """Return True if a `for` or `async for` statement asked a running generator for its next item.

    Context managers, fixtures and dependency systems use `next()` and `anext()`. What they enter is meant for others.
    """
    driver = generator.f_back
    if driver is None:
        return False
    code, at = driver.f_code.co_code, driver.f_lasti
    if code[at] == _FOR_ITER:
        return True
    return code[at] == _SEND and at >= 2 * _UNIT and code[at - 2 * _UNIT] == _GET_ANEXT


def waits_at_yield(generator: FrameType) -> bool:
    """Return True if a generator is suspended at a `yield`: other code runs then.

    An asynchronous generator that is suspended at an `await` is not: tasks that it waits for do its work.
    """
    if generator.f_back is not None:
        return False
    if not generator.f_code.co_flags & CO_ASYNC_GENERATOR:
        return True
    code, at = generator.f_code.co_code, generator.f_lasti
    if code[at] == _YIELD_VALUE:
        at += _UNIT  # from Python 3.13 on a suspended frame is at RESUME already
    return code[at] == _RESUME and code[at + 1] & _LOCATION == _AFTER_YIELD


def _is_generator(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR))


def _of_contextlib(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "contextlib"

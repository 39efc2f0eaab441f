"""Wait for keys without Enter."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_POLL_SECONDS = 0.05
Wait = Callable[[float], str]
"""Waits for a key for at most the given seconds. Returns the key that was pressed, or ""."""


@contextmanager
def key_presses() -> Iterator[Wait]:
    """Read single keys from the terminal on stdin. Ctrl-C still interrupts. Without a terminal there are no keys."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield _no_keys
    elif sys.platform == "win32":
        yield _windows_key
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            yield lambda seconds: _key(descriptor, seconds)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _no_keys(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _key(descriptor: int, seconds: float) -> str:
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return ""
    # The end of the input means that the terminal was closed: treat it as the key that ends the command.
    return os.read(descriptor, 1).decode("ascii", "replace") or "q"


def _windows_key(seconds: float) -> str:
    import msvcrt

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if msvcrt.kbhit():  # type: ignore[attr-defined]
            return str(msvcrt.getwch())  # type: ignore[attr-defined]
        time.sleep(_POLL_SECONDS)
    return ""

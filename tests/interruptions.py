"""Interrupt code anywhere, as a signal handler does."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def interrupted(run: Callable[[], object], event: int, handler: Callable[[], object]) -> bool:
    """Run code, and call the handler before its line, call or return number ``event``. Return False if it has fewer."""
    seen = 0

    def trace(_: FrameType, __: str, ___: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == event:
            sys.settrace(None)
            handler()
            sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return seen >= event

"""Warn at the caller's line that a time limit has passed and nothing can end the call yet.

The calling thread is blocked, so the watchdog's thread reads the line from that thread's stack.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from contextlib import suppress
from types import FrameType

from l0.model.own_packages import is_own
from l0.shared_state.late_settings import LATE_SETTINGS

_log = logging.getLogger("l0")
_MESSAGE = (
    "l0: a time limit has passed on an HTTP/2 connection that serves other calls as well: in sync code this call ends "
    "when anything arrives on the connection, or when no other call uses it"
)
_BELOW_USER = frozenset(
    {
        "httpx", "httpx2", "httpcore", "httpcore2", "h2", "ssl", "socket", "threading", "queue", "contextlib", "wrapt",
    }
)  # fmt: skip
"""Packages between a blocked read and the line of the user's code that made the call, besides L0 and the SDKs."""


class UnenforcedLimit:
    """A warning that is issued once per call. ``thread``: the identifier of the waiting thread."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._warned = False

    def warn(self) -> None:
        """Warn at the caller's line, unless this call has warned before. Raises nothing."""
        if self._warned:
            return
        self._warned = True
        _log.warning("%s", _MESSAGE)
        frame = _user_frame(sys._current_frames().get(self.thread))
        if frame is None:
            return
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        module = str(frame.f_globals.get("__name__", "<unknown>"))
        with suppress(Exception):  # a filter may turn it into an error, which has no place in the watchdog's thread
            warnings.warn_explicit(
                _MESSAGE, RuntimeWarning, frame.f_code.co_filename, frame.f_lineno, module=module, registry=registry
            )


def _user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the user's code."""
    while frame is not None and _is_below_user(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
    return frame


def _is_below_user(module: str) -> bool:
    package = module.partition(".")[0]
    return is_own(module) or package in _BELOW_USER or package in LATE_SETTINGS.seen

"""Warn at the line of the program that called L0, however deep in L0 the reason is found."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PASSED_OVER = frozenset({"l0", "l0_openai", "l0_anthropic", "dataclasses", "contextlib"})
"""Packages that stand between the program and a warning: our own, and the standard library's callers of ours."""


def warn_caller(message: str, category: type[Warning] = RuntimeWarning) -> None:
    """Issue a warning that points to the innermost line outside L0."""
    warn_at(caller_frame(), message, category)


def caller_frame() -> FrameType | None:
    """Return the innermost frame outside L0; ``None`` if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        frame = frame.f_back
    return frame


def warn_at(frame: FrameType | None, message: str, category: type[Warning] = RuntimeWarning) -> None:
    """Issue a warning that points to the current line of ``frame``."""
    if frame is None:  # a thread of our own
        warnings.warn(message, category, stacklevel=2)
        return
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__"),
        frame.f_globals.setdefault("__warningregistry__", {}),
    )

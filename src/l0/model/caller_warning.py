"""Warn at the line of the program that called L0, however deep in L0 the reason is found."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .own_packages import is_own

_SKIPPED = frozenset({"dataclasses", "contextlib"})
"""Modules of the standard library that call L0: their frames are skipped, as L0's own are."""


@dataclass(frozen=True, slots=True)
class CallerLine:
    """A line of the program. It keeps no frame alive, so that a warning may follow later."""

    file: str
    line: int
    module: str | None
    registry: dict[Any, Any]
    """The warnings that this module has already issued, as `warnings` keeps them."""

    def warn(self, message: str, category: type[Warning] = RuntimeWarning) -> None:
        """Issue a warning that points to this line."""
        warnings.warn_explicit(message, category, self.file, self.line, self.module, self.registry)


def caller_line(past: tuple[str, ...] = ()) -> CallerLine:
    """Return the innermost line outside L0 and the packages ``past``. In a thread of our own: the outermost line."""
    frame: FrameType = sys._getframe(1)
    while _is_skipped(frame, past) and frame.f_back is not None:
        frame = frame.f_back
    names = frame.f_globals
    return CallerLine(
        frame.f_code.co_filename, frame.f_lineno, names.get("__name__"), names.setdefault("__warningregistry__", {})
    )


def warn_caller(message: str, category: type[Warning] = RuntimeWarning, past: tuple[str, ...] = ()) -> None:
    """Issue a warning that points to the innermost line outside L0 and the packages ``past``."""
    caller_line(past).warn(message, category)


def _is_skipped(frame: FrameType, past: tuple[str, ...]) -> bool:
    module = str(frame.f_globals.get("__name__"))
    package = module.partition(".")[0]
    return is_own(module) or package in _SKIPPED or package in past

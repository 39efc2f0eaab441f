"""Issue warnings that point to the line of the program that called L0, not to a line of L0."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .own_packages import is_own

_SKIPPED = frozenset({"dataclasses", "contextlib"})
"""Modules of the standard library that call L0. Their frames are skipped like those of L0."""


@dataclass(frozen=True, slots=True)
class CallerLine:
    """A line of the program, for a warning now or later. It keeps no frame alive."""

    file: str
    line: int
    module: str | None
    registry: dict[Any, Any]
    """The ``__warningregistry__`` of the module, in which `warnings` records what it has already issued."""

    def warn(self, message: str, category: type[Warning] = RuntimeWarning) -> None:
        """Issue a warning that points to this line."""
        warnings.warn_explicit(message, category, self.file, self.line, self.module, self.registry)


def caller_line(skipped_packages: tuple[str, ...] = ()) -> CallerLine:
    """Return the innermost line outside L0 and ``skipped_packages``; the outermost line if there is none, as in a
    thread of L0."""
    frame: FrameType = sys._getframe(1)
    while _is_skipped(frame, skipped_packages) and frame.f_back is not None:
        frame = frame.f_back
    module = frame.f_globals
    return CallerLine(
        frame.f_code.co_filename, frame.f_lineno, module.get("__name__"), module.setdefault("__warningregistry__", {})
    )


def warn_caller(message: str, category: type[Warning] = RuntimeWarning, skipped_packages: tuple[str, ...] = ()) -> None:
    """Issue a warning that points to `caller_line`."""
    caller_line(skipped_packages).warn(message, category)


def _is_skipped(frame: FrameType, skipped_packages: tuple[str, ...]) -> bool:
    module = str(frame.f_globals.get("__name__"))
    package = module.partition(".")[0]
    return is_own(module) or package in _SKIPPED or package in skipped_packages

"""Write lines to stderr: only whole lines, and lines that belong together in one write."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TextIO

from l0.shared_state.forks import renew_in_child

from .layout import ConsoleLayout, signs_for
from .line import Line, Row, Style

_STYLES: dict[Style, str] = {
    "": "",
    "dim": "dim",
    "strong": "bold",
    "good": "green",
    "odd": "yellow",
    "bad": "red",
}
"""The name of each style in rich."""
_MIN_WIDTH = 40
"""Columns. A narrower terminal is treated as one of this width."""
_DEFAULT_WIDTH = 80
"""Columns, if the width of the terminal is unknown."""
Render = Callable[[ConsoleLayout], Sequence[Line]]


class Terminal:
    """The process's stderr: the object that ``sys.stderr`` names when a line is written. If it is not a terminal, lines
    have no colour and are not wrapped."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Create a new lock in a forked child, because another thread of the parent may hold it."""
        self._lock = threading.RLock()

    def prepare(self) -> None:
        """Import what `write` needs, because that may run in an event loop."""
        if sys.stderr is not None and _is_terminal(sys.stderr):
            _rich_text([], sys.stderr, _DEFAULT_WIDTH)

    def write(self, render: Render) -> None:
        """Write the lines that ``render`` returns. Raises nothing if stderr is closed, full or missing."""
        stream = sys.stderr
        if stream is None:
            return
        with suppress(Exception), self._lock:
            width = _width(stream) if _is_terminal(stream) else None
            layout = ConsoleLayout(width=width, signs=signs_for(getattr(stream, "encoding", None)))
            rows = [row for line in render(layout) for row in line.rows(width)]
            styled = _rich_text(rows, stream, width) if width is not None else None
            text = _plain_text(rows) if styled is None else styled
            stream.write(_line_start(width) + text)
            stream.flush()


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except Exception:  # closed, or an object without the method
        return False


def _width(stream: TextIO) -> int:
    with suppress(ValueError):
        if width := int(os.environ.get("COLUMNS", "")):
            return max(width, _MIN_WIDTH)
    with suppress(OSError, ValueError):  # ValueError: it has no file descriptor
        return max(os.get_terminal_size(stream.fileno()).columns, _MIN_WIDTH)
    return _DEFAULT_WIDTH


def _line_start(width: int | None) -> str:
    """Return the text that moves the cursor to an empty row, in case the program has printed part of a row.

    A full row of spaces wraps to the next row unless it begins at the left edge; the carriage return then goes to the
    left edge. zsh does the same before its prompt. Windows consoles wrap in either case, so they get nothing.
    """
    if width is None or sys.stdout is None or not _is_terminal(sys.stdout) or sys.platform == "win32":
        return ""
    with suppress(Exception):
        sys.stdout.flush()
    return " " * width + "\r"


def _plain_text(rows: Iterable[Row]) -> str:
    return "".join("".join(text for text, _ in row).rstrip() + "\n" for row in rows)


def _rich_text(rows: Iterable[Row], stream: TextIO, width: int) -> str | None:
    """Return the rows with the colours that this terminal and ``NO_COLOR`` allow; ``None`` without rich."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return None
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    if console.legacy_windows:
        return None
    with console.capture() as captured:
        for row in rows:
            text = Text()
            for part, style in row:
                text.append(part, style=_STYLES[style])
            text.rstrip()
            console.print(text, soft_wrap=True)
    return captured.get()

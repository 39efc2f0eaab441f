"""Lines are written to any stderr: a terminal, a file, or one that is closed, full or missing."""

import builtins
import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from l0.console.layout import ASCII, UNICODE, ConsoleLayout
from l0.console.line import Line
from l0.console.terminal import Terminal

# Each line: pairs of a text and its style.
LINES = [Line((("a good ", "good"), ("bad" * 5, "bad"))), Line((("more", ""),))]


class Stream(io.StringIO):
    """A stream that may be a terminal, and counts the writes that have text."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding
        self.writes = 0

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.writes += bool(text)
        return super().write(text)


class Broken(Stream):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    def put(stream: Any) -> Any:
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    monkeypatch.setattr(sys, "stdout", Stream())
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return put


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return original(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_no_terminal_gets_plain_lines_in_one_write(stderr: Callable[[Any], Any]) -> None:
    stream = stderr(Stream())
    Terminal().write(lambda _: LINES)
    assert stream.getvalue() == "a good badbadbadbadbad\nmore\n"
    assert stream.writes == 1


def test_terminal_gets_colours_and_wrapped_rows_in_one_write(
    stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = stderr(Stream(terminal=True))
    Terminal().write(lambda _: [Line((("word " * 10, "good"),))])
    assert stream.getvalue().count("\n") == 2
    assert "\x1b[32m" in stream.getvalue()
    assert stream.writes == 1


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_terminal_without_colour(
    stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    stream = stderr(Stream(terminal=True))
    Terminal().write(lambda _: LINES)
    assert "\x1b[3" not in stream.getvalue()


@pytest.mark.usefixtures("without_rich")
def test_terminal_gets_plain_text_without_rich(stderr: Callable[[Any], Any]) -> None:
    stream = stderr(Stream(terminal=True))
    terminal = Terminal()
    terminal.prepare()
    terminal.write(lambda _: LINES)
    assert stream.getvalue() == "a good badbadbadbadbad\nmore\n"


def test_markup_in_a_name_is_text(stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = stderr(Stream(terminal=True))
    Terminal().write(lambda _: [Line((("[bold]x[/bold] :smile:", ""),))])
    assert stream.getvalue() == "[bold]x[/bold] :smile:\n"


@pytest.mark.skipif(sys.platform == "win32", reason="consoles of Windows wrap full rows at once")
def test_line_begins_at_the_left_beside_a_program_that_prints(
    stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", Stream(terminal=True))
    stream = stderr(Stream(terminal=True))
    Terminal().write(lambda _: LINES)
    # A full row of spaces wraps unless the cursor is at the left edge; the carriage return then goes to that edge.
    assert stream.getvalue().startswith(" " * 60 + "\r")


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", UNICODE), ("ascii", ASCII)])
def test_signs_follow_the_encoding(stderr: Callable[[Any], Any], encoding: str, signs: Any) -> None:
    stderr(Stream(encoding=encoding))
    given: list[ConsoleLayout] = []

    def render(layout: ConsoleLayout) -> list[Line]:
        given.append(layout)
        return []

    Terminal().write(render)
    assert given == [ConsoleLayout(width=None, signs=signs)]


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "7"])
def test_strange_width_is_replaced(stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    stderr(Stream(terminal=True))
    widths: list[int | None] = []

    def render(layout: ConsoleLayout) -> list[Line]:
        widths.append(layout.width)
        return []

    Terminal().write(render)
    assert widths[0] is not None
    assert widths[0] >= 40


@pytest.mark.parametrize(
    "stream",
    [None, object(), Broken(BrokenPipeError()), Broken(ValueError("closed")), Broken(BlockingIOError())],
    ids=["none", "object", "broken pipe", "closed", "full"],
)
def test_stream_that_fails_harms_nothing(stderr: Callable[[Any], Any], stream: Any) -> None:
    stderr(stream)
    terminal = Terminal()
    terminal.prepare()
    terminal.write(lambda _: LINES)
    assert _shows_lines(terminal, stderr(Stream()))


def test_closed_stream_harms_nothing(stderr: Callable[[Any], Any]) -> None:
    stream = stderr(Stream(terminal=True))
    stream.close()
    terminal = Terminal()
    terminal.write(lambda _: LINES)
    assert _shows_lines(terminal, stderr(Stream()))


def _shows_lines(terminal: Terminal, stream: Stream) -> bool:
    terminal.write(lambda _: LINES)
    return "more\n" in stream.getvalue()

"""The log lines of calls leave the terminal to the console."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from l0.telemetry.call_log import CallLog
from l0.telemetry.log_lines import LogLine

LINE = LogLine(level=logging.WARNING, text="a call failed", fields={"l0_event": "failed"})
LOGGER = logging.getLogger("l0")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class RichHandler(logging.Handler):
    """A handler that has a console in place of a stream, as rich's has."""

    def __init__(self, file: io.StringIO) -> None:
        super().__init__()
        self.console = SimpleNamespace(file=file)

    def emit(self, record: logging.LogRecord) -> None:
        self.console.file.write(f"{record.getMessage()}\n")


@pytest.fixture
def log() -> CallLog:
    return CallLog(lambda: 0.0)


@pytest.fixture
def handlers() -> Iterator[list[logging.Handler]]:
    """The only handlers of the process's logging."""
    root, own = logging.getLogger(), []
    before, root.handlers, propagate = root.handlers, own, LOGGER.propagate
    LOGGER.propagate = True
    yield own
    root.handlers, LOGGER.propagate = before, propagate


@pytest.mark.parametrize("console", [False, True])
@pytest.mark.parametrize("kind", [logging.StreamHandler, RichHandler])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_line_goes_where_the_console_does_not_show_it(
    log: CallLog,
    handlers: list[logging.Handler],
    kind: type[logging.Handler],
    stream: type[io.StringIO],
    console: bool,
) -> None:
    output = stream()
    handlers.append(kind(output))  # type: ignore[arg-type]
    log.console = console
    log.write(LINE)
    shown_twice = console and stream is Terminal
    assert output.getvalue() == ("" if shown_twice else "a call failed\n")


def test_file_stays_in_its_folder(log: CallLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    log.use_file("calls.log")
    monkeypatch.chdir(tmp_path / "elsewhere")
    log.write(LINE)
    assert "a call failed" in (tmp_path / "calls.log").read_text()


def test_line_returns_to_the_terminal_after_the_console(log: CallLog, handlers: list[logging.Handler]) -> None:
    output = Terminal()
    handlers.append(logging.StreamHandler(output))
    for log.console in (True, True, False):
        log.write(LINE)
    assert output.getvalue() == "a call failed\n"
    assert len(handlers[0].filters) == 1


def test_other_records_stay_on_the_terminal(log: CallLog, handlers: list[logging.Handler]) -> None:
    output = Terminal()
    handlers.append(logging.StreamHandler(output))
    log.console = True
    log.write(LINE)
    LOGGER.warning("an observer failed")
    logging.getLogger("app").warning("the application's own")
    assert output.getvalue() == "an observer failed\nthe application's own\n"


@pytest.mark.parametrize(("console", "expected"), [(False, "a call failed\n"), (True, "")])
def test_last_resort_is_left_to_the_console(
    log: CallLog,
    handlers: list[logging.Handler],
    capsys: pytest.CaptureFixture[str],
    console: bool,
    expected: str,
) -> None:
    handlers.clear()  # pytest's own
    log.console = console
    log.write(LINE)
    assert capsys.readouterr().err == expected


def test_stream_without_isatty_gets_the_line(log: CallLog, handlers: list[logging.Handler]) -> None:
    written: list[str] = []
    stream = SimpleNamespace(write=written.append, flush=lambda: None)
    handlers.append(logging.StreamHandler(stream))
    log.console = True
    log.write(LINE)
    assert "".join(written) == "a call failed\n"

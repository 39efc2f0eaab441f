"""Write the log lines of calls on logger ``l0``, with the ids of the current span.

While the console shows the calls, handlers that write to a terminal do not get these lines, nor does the handler of
last resort, which writes to stderr. All other handlers get them. The log file, if there is one, gets every line.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from weakref import WeakSet

from opentelemetry import trace

from l0.model.caller_warning import caller_line
from l0.shared_state.late_settings import LATE_SETTINGS

from .log_file import LogFile
from .log_lines import LogLine
from .log_rate_limiter import LogRateLimiter

_log = logging.getLogger("l0")


class CallLog:
    """The log of all calls of the process. ``clock``: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate_limiter = LogRateLimiter()
        self.console = False
        """True while the console shows the same events as these lines."""
        self._file: LogFile | None = None
        self._filtered: WeakSet[logging.Handler] = WeakSet()
        """The handlers of the application that have our filter."""

    def use_file(self, path: str | None) -> None:
        """Append every line to this file as well; ``None``: write to no file."""
        if path is None or self._file is None or self._file.path != path:
            self._file = None if path is None else LogFile(path)

    def is_enabled_for(self, level: int) -> bool:
        """Return True if a line of this level is written anywhere."""
        return self._file is not None or _log.isEnabledFor(level)

    def write(self, line: LogLine) -> None:
        """Write a line to the file and on the logger, which skips lines that come too often. Raises nothing."""
        try:
            span = trace.get_current_span().get_span_context()
            ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"} if span.is_valid else {}
            if self._file is not None:
                self._file.write(line, ids)
            if not _log.isEnabledFor(line.level):
                return
            if line.level <= logging.DEBUG:  # a user who turns DEBUG on wants every line
                self._emit(line, ids)
                return
            for admitted in self._rate_limiter.admit(line, self._clock()):
                is_summary = "l0_count" in admitted.fields
                self._emit(admitted, {} if is_summary else ids)  # a summary does not belong to one call
        except Exception:  # a filter or a handler of the application may fail; the call must not
            return

    def flush(self) -> None:
        """Write the summaries of skipped lines. Raises nothing."""
        raises, logging.raiseExceptions = logging.raiseExceptions, False  # no traceback if a stream is already closed
        try:
            for summary in self._rate_limiter.flush():
                self._emit(summary, {})
        except Exception:
            return
        finally:
            logging.raiseExceptions = raises

    def reset(self) -> None:
        """Write the summaries of skipped lines, count from 0, and remove our filters from the application's handlers.
        Raises nothing."""
        self.flush()
        for handler in list(self._filtered):
            for known in [known for known in handler.filters if isinstance(known, _NotOnTerminal)]:
                handler.removeFilter(known)
        self._filtered.clear()

    def _emit(self, line: LogLine, ids: dict[str, str]) -> None:
        caller = caller_line(skipped_packages=tuple(LATE_SETTINGS.seen))
        record = _log.makeRecord(_log.name, line.level, caller.file, caller.line, line.text, (), None)
        for name, value in {**line.fields, **ids}.items():
            # Not `extra`: that raises if the application's own record factory sets the same name.
            record.__dict__.setdefault(name, value)
        if self.console:
            for handler in _handlers():
                if not any(isinstance(known, _NotOnTerminal) for known in handler.filters):
                    handler.addFilter(_NotOnTerminal(self, handler))
                    self._filtered.add(handler)
        _log.handle(record)


class _NotOnTerminal(logging.Filter):
    """Stops a handler from repeating on a terminal what the console shows there."""

    def __init__(self, log: CallLog, handler: logging.Handler) -> None:
        super().__init__()
        self._log = log
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        shown = self._log.console and record.name == _log.name and hasattr(record, "l0_event")
        return not (shown and _writes_to_terminal(self._handler))


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers that get the records of the logger."""
    found, logger = False, _log
    while logger is not None:
        for handler in logger.handlers:
            found = True
            yield handler
        logger = logger.parent if logger.propagate else None  # type: ignore[assignment]
    if not found and logging.lastResort is not None:
        yield logging.lastResort


def _writes_to_terminal(handler: logging.Handler) -> bool:
    if handler is logging.lastResort:
        return True
    # A `RichHandler` has a console.
    stream = getattr(handler, "stream", None) or getattr(getattr(handler, "console", None), "file", None)
    with suppress(Exception):
        return bool(stream.isatty())  # type: ignore[union-attr]
    return False


CALL_LOG = CallLog(monotonic)
atexit.register(CALL_LOG.flush)

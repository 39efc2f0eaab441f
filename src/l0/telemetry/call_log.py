"""Write the log lines of calls on logger ``l0``, with the ids of the current span."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from time import monotonic

from opentelemetry import trace

from .line_limit import LineLimit
from .log_lines import LogLine

_log = logging.getLogger("l0")


class CallLog:
    """The log of all calls of the process. ``clock``: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limit = LineLimit()

    def write(self, line: LogLine) -> None:
        """Write a line, unless there were too many like it. Raises nothing."""
        try:
            span = trace.get_current_span().get_span_context()
            ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"} if span.is_valid else {}
            if line.level <= logging.DEBUG:  # asked for, so all of it
                _emit(line, ids)
                return
            for one in self._limit.admit(line, self._clock()):
                _emit(one, ids if "l0_count" not in one.fields else {})
        except Exception:  # a filter or a handler of the application fails, and the call must not
            return

    def flush(self) -> None:
        """Write the summaries of what was not written, at the end of the process. Raises nothing."""
        reports, logging.raiseExceptions = logging.raiseExceptions, False  # no traceback if a stream is closed by now
        try:
            for one in self._limit.rest():
                _emit(one, {})
        except Exception:
            return
        finally:
            logging.raiseExceptions = reports


def _emit(line: LogLine, ids: dict[str, str]) -> None:
    record = _log.makeRecord(_log.name, line.level, __file__, 0, line.text, (), None)
    for name, value in {**line.fields, **ids}.items():
        # Not `extra`: that raises if the application's own record factory sets the same name.
        record.__dict__.setdefault(name, value)
    _log.handle(record)


CALL_LOG = CallLog(monotonic)
atexit.register(CALL_LOG.flush)

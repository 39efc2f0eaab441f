"""Limit log lines: write a few per kind and minute, and a summary of the others."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from math import inf

from l0.shared_state.forks import renew_in_child

from .log_lines import LogLine

LINES = 5
"""Lines of one kind (event and cause) that are written per minute. Further ones are counted. In a minute that begins
with a summary, only one line is written besides it."""
MINUTE = 60.0
_NAMED_TARGETS = 4
"""Number of targets that a summary names."""
_MAX_KINDS = 256
"""Maximum number of kinds that are limited separately; all further kinds share one limit. It bounds memory, because a
kind can contain the name of a user's rule."""
_MAX_TARGETS = 256
"""Maximum number of targets that are counted separately per kind; all further targets share one count."""


@dataclass(slots=True, eq=False)
class _Minute:
    """The lines of one kind since ``began``. ``last_suppressed``: the last line not written, at ``last_at``."""

    began: float
    written: int = 0
    last_suppressed: LogLine | None = None
    last_at: float = 0.0
    targets: Counter[str] = field(default_factory=Counter)


class LogRateLimiter:
    """The lines of the current minute, by kind. Times are in seconds of a monotonic clock, and passed in."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Start over in a forked child: the parent writes the summaries of its own lines."""
        self._lock = threading.RLock()
        self._minutes: dict[tuple[str, str], _Minute] = {}

    def admit(self, line: LogLine, now: float) -> list[LogLine]:
        """Return the lines to write now: summaries of past minutes, and ``line``, unless it is one too many."""
        with self._lock:
            lines = self._summaries(now)
            kind = line.kind if line.kind in self._minutes or len(self._minutes) < _MAX_KINDS else ("", "")
            minute = self._minutes.setdefault(kind, _Minute(now))
            if minute.written < LINES:
                minute.written += 1
                is_last = minute.written == LINES
                lines.append(replace(line, fields={**line.fields, "l0_limited": True}) if is_last else line)
            else:
                minute.last_suppressed, minute.last_at = line, now
                minute.targets[line.target if len(minute.targets) < _MAX_TARGETS else "others"] += 1
        return lines

    def flush(self) -> list[LogLine]:
        """Return the summaries of all suppressed lines, and clear them. Called by `l0.uninstrument`, and at the end of
        the process."""
        with self._lock:
            lines = self._summaries(inf)
            self._minutes.clear()
        return lines

    def _summaries(self, now: float) -> list[LogLine]:
        lines = []
        for kind, minute in [*self._minutes.items()]:
            if now - minute.began < MINUTE:
                continue
            del self._minutes[kind]
            if minute.last_suppressed is not None:
                lines.append(_summary(minute, minute.last_suppressed))
                self._minutes[kind] = _Minute(now, written=LINES - 1)
        return lines


def _summary(minute: _Minute, last: LogLine) -> LogLine:
    event, cause = last.kind
    count = minute.targets.total()
    named = ", ".join(f"{target} {number:,}".lstrip() for target, number in minute.targets.most_common(_NAMED_TARGETS))
    others = len(minute.targets) - _NAMED_TARGETS
    if others > 0:
        named = f"{named}, and {others} more"
    text = f"... and {count:,} more within {minute.last_at - minute.began:.0f} s: {event} ({cause}): {named}"
    fields: dict[str, str | int | float] = {"l0_event": event, "l0_cause": cause, "l0_count": count}
    return LogLine(level=last.level, text=text, fields=fields)

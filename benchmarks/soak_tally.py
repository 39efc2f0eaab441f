"""The tally of a soak: the calls that run, the end of each call, and the spans that were exported."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

MAX_WRONG = 10
"""Wrong ends that are kept for the report."""


class End(StrEnum):
    """The end of a call, as its user saw it."""

    WHOLE = "whole"
    """The complete answer."""
    LEFT = "left"
    """The user stopped, or another thread or task closed the stream or cancelled the read."""
    DROPPED = "dropped"
    """The user lost the last reference to a stream that was not closed."""
    DROPPED_IN_CYCLE = "dropped in a cycle"
    """The stream was part of a reference cycle: only the garbage collector ends it."""
    HONEST_ERROR = "honest error"
    """An exception. The text that it has is the text that the user had received."""
    WRONG = "WRONG"
    """Neither complete nor reported as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that has begun."""

    number: int
    began: float
    name: str


@dataclass(slots=True)
class Tally:
    """Counts of calls. Threads and tasks write to it at the same time."""

    ends: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    spans: int = 0
    open: dict[int, Ticket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str) -> Ticket:
        """Count a call that begins now."""
        with self._lock:
            self.calls += 1
            ticket = Ticket(number=self.calls, began=time.monotonic(), name=name)
            self.open[ticket.number] = ticket
            return ticket

    def end(self, ticket: Ticket, end: End, detail: str = "") -> None:
        """Count the end of a call. ``detail`` names the error that the user got, or describes what is wrong."""
        with self._lock:
            del self.open[ticket.number]
            self.ends[end] += 1
            if detail and end is not End.WRONG:
                self.errors[f"{detail} ({end})"] += 1
        if end is End.WRONG:
            self.add_wrong(f"{ticket.name}: {detail}")

    def add_wrong(self, text: str) -> None:
        """Record something that must not happen."""
        with self._lock:
            if len(self.wrong) < MAX_WRONG:
                self.wrong.append(text)

    def add_span(self, outcome: str) -> None:
        """Count the span of a call."""
        with self._lock:
            self.spans += 1
            self.outcomes[outcome] += 1

    def stuck(self, seconds: float) -> list[Ticket]:
        """Return the calls that began more than ``seconds`` ago and have not ended."""
        before = time.monotonic() - seconds
        with self._lock:
            return [ticket for ticket in self.open.values() if ticket.began < before]

    @property
    def conserved(self) -> bool:
        """True if every call has exactly one end, which is not wrong, and one span."""
        return sum(self.ends.values()) == self.calls == self.spans and not self.open and not self.wrong

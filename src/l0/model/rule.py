"""What a rule on a text is, and what it says. The rooms `guardrails`, `drift` and `structured` make rules; the engine
asks them while the text streams, and acts on their verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """What a violation does to the call."""

    WARNING = "warning"
    """It is recorded."""
    ERROR = "error"
    """The attempt has failed: retried, or what `hold` and `resume` allow."""
    FATAL = "fatal"
    """The call ends at once, and its connection is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What a rule found. ``at``: characters of the answer before the place. ``confidence``: 0 to 1.

    ``message`` says what is wrong. ``quotes``: it is from a function of the user's and may quote the answer, so spans,
    logs and errors carry `plain` in its place.
    """

    rule: str
    message: str
    severity: Severity
    at: int
    confidence: float = 1.0
    quotes: bool = False

    def __repr__(self) -> str:
        return (
            f"Violation(rule={self.rule!r}, message={self.plain!r}, severity={self.severity!r}, at={self.at}, "
            f"confidence={self.confidence})"
        )

    @property
    def plain(self) -> str:
        """The message, in words that quote nothing."""
        return f"{self.rule} does not hold" if self.quotes else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an answer ended, for rules that look at the whole. ``other``: it holds something besides text: a tool call,
    a refusal, audio."""

    other: bool = False


class Check(Protocol):
    """One rule's state for one answer. It sees every character once, in order, however the text is cut."""

    def feed(self, text: str) -> Sequence[Violation]:
        """New text; costs O(len(text)). What was found is said once, as soon as the text shows it."""
        ...

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """The answer is over; nothing is fed after this."""
        ...


class Rule(Protocol):
    """A rule: frozen, shared by all calls, state per answer in what `check` makes."""

    @property
    def name(self) -> str:
        """Short, of a bounded set: it becomes a value of an attribute."""
        ...

    @property
    def severity(self) -> Severity:
        """Of its worst violation."""
        ...

    @property
    def span(self) -> int | None:
        """After so many more characters, no character's verdict changes any more. ``None``: only the whole decides."""
        ...

    def check(self) -> Check:
        """A check of one more answer."""
        ...

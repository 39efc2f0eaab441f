"""Define rules on the text of an answer, and their violations.

`l0.rules` implements the rules. The runtime evaluates them while the text streams, and acts on the violations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from .former_names import former_name


class Severity(StrEnum):
    """The effect of a violation on the call."""

    WARNING = "warning"
    """The violation is recorded, and changes nothing."""
    ERROR = "error"
    """The attempt fails. L0 retries it if the policy allows that and the user has nothing of the answer yet."""
    FATAL = "fatal"
    """The call fails at once, without a retry or a fallback."""


NO_MESSAGE = "the rule found a problem"
"""The message of a violation whose rule gives none, or gives one that may quote the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A violation of a rule. ``at``: its position in the answer, in characters. ``confidence``: 0 to 1.

    ``families``: the kinds of defect, as in `l0.rules.families.Family`; empty for rules of the user. ``passage``: start
    and end of the defective text, in characters; an end of ``None`` is the end of the answer. Violations that share a
    family and have overlapping passages are reported once.

    ``message``: a description. ``quotes``: True if a user's function built the message, so it may quote the answer;
    spans, logs, errors and the repr then contain `plain` instead.
    """

    rule: str
    message: str
    severity: Severity
    at: int
    confidence: float = 1.0
    quotes: bool = False
    families: frozenset[str] = field(default=frozenset(), compare=False)
    passage: tuple[int, int | None] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        message = f"plain={self.plain!r}" if self.quotes else f"message={self.message!r}"
        return (
            f"Violation(rule={self.rule!r}, {message}, severity={self.severity!r}, at={self.at}, "
            f"confidence={self.confidence})"
        )

    @property
    def plain(self) -> str:
        """Return a message that quotes nothing of the answer."""
        return NO_MESSAGE if self.quotes else self.message


LIMIT_REASONS = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_context_window_exceeded", "incomplete"})
"""The providers' finish reasons of an answer that reached its length limit. Responses has ``incomplete`` also for an
answer that a filter cut."""
_FILTER_REASONS = frozenset(
    {"content_filter", "refusal", "content_filtered", "guardrail_intervened"}
    | {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of an answer, for rules that evaluate the complete text.

    ``has_other_content``: the answer contains something besides text, such as a tool call, a refusal or audio.
    ``finish_reason``: as the provider gave it for the first choice; empty if it gave none.
    """

    has_other_content: bool = False
    finish_reason: str = ""
    other = former_name("other", "has_other_content")

    @property
    def at_limit(self) -> bool:
        """Return True if the answer reached its length limit, so that its text may break off."""
        return self.finish_reason in LIMIT_REASONS

    @property
    def cut(self) -> bool:
        """Return True if a length limit or a filter ended the answer, not the model."""
        return self.at_limit or self.finish_reason in _FILTER_REASONS


class Check(Protocol):
    """The state of one rule for one answer. It gets the text once and in order, in pieces of any size."""

    def feed(self, text: str) -> Sequence[Violation]:
        """Evaluate new text, in O(len(text)). Return each violation once, as soon as the text shows it."""
        ...

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Evaluate the end of the answer. No text follows."""
        ...


class Rule(Protocol):
    """A rule. It is immutable and shared by all calls; `check` creates the state for one answer."""

    @property
    def name(self) -> str:
        """A short name from a bounded set, because it becomes an attribute value of metrics."""
        ...

    @property
    def severity(self) -> Severity:
        """The highest severity of its violations."""
        ...

    @property
    def span(self) -> int | None:
        """The number of characters after a passage that can still change the result for it. ``None``: the rule decides
        only at the end of the answer."""
        ...

    def check(self) -> Check:
        """Return the state for a new answer."""
        ...

"""Limit the length of an answer, in characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation

from ..families import Family

_FAMILIES = frozenset({Family.LENGTH})
_EMPTY = frozenset({Family.LENGTH, Family.EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRule:
    """A rule for the length of an answer, in characters. ``minimum``, ``maximum``: ``None`` for no limit.

    An answer without text but with other output, such as a tool call, is not too short.
    """

    minimum: int | None = None
    maximum: int | None = None
    severity: Severity = Severity.ERROR
    name: str = "length"

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise PolicyError("length_rule", None, "a minimum, a maximum, or both")
        for field in ("minimum", "maximum"):
            value = getattr(self, field)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise PolicyError(f"length_rule.{field}", value, "a whole number of characters, 1 or more, or None")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise PolicyError("length_rule.minimum", self.minimum, f"at most the maximum, {self.maximum}")

    @property
    def span(self) -> int | None:
        """Return 0 if only a maximum is set: excess shows at once. Return ``None`` if only the end can decide."""
        return 0 if self.minimum is None else None

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return dict.fromkeys(_EMPTY if self.minimum else _FAMILIES, self.severity)

    def check(self) -> LengthCheck:
        """Return the check of one answer."""
        return LengthCheck(self)


class LengthCheck:
    """The check of one answer: it counts characters."""

    __slots__ = ("_length", "_maximum", "_rule")

    def __init__(self, rule: LengthRule) -> None:
        self._rule = rule
        self._maximum = rule.maximum
        self._length = 0

    def feed(self, text: str) -> Sequence[Violation]:
        """Return a violation if the text has become too long."""
        self._length += len(text)
        if self._maximum is None or self._length <= self._maximum:
            return ()
        maximum, self._maximum = self._maximum, None
        return (self._violation(f"longer than {maximum} characters", maximum),)

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Return a violation if the text is too short."""
        minimum = self._rule.minimum
        if minimum is None or self._length >= minimum or (ending.has_other_content and not self._length):
            return ()
        return (self._violation(f"shorter than {minimum} characters", self._length),)

    def _violation(self, message: str, at: int) -> Violation:
        families = _EMPTY if not at else _FAMILIES
        return Violation(rule=self._rule.name, message=message, severity=self._rule.severity, at=at, families=families)

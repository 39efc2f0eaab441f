"""`Drift`: which types of drift are looked for, how closely, and what a finding does to the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

from .entropy_spike import EntropySpike
from .findings import Detector, Finding
from .format_collapse import FormatCollapse
from .hedging import Hedging
from .markdown_collapse import MarkdownCollapse
from .meta_commentary import MetaCommentary
from .repetition import Repetition
from .segments import LONGEST, Segment, Segmenter
from .tone_shift import ToneShift

_MESSAGES = {
    "tone_shift": "the answer changes between a formal and a casual tone",
    "meta_commentary": "the answer speaks of the model or its task",
    "format_collapse": "the answer falls out of the form that it began in",
    "markdown_collapse": "the Markdown of the answer stops working",
    "repetition": "the answer repeats itself in a loop",
    "entropy_spike": "the answer turns into a soup of characters",
    "hedging": "the answer takes back what it says",
}
TYPES = tuple(_MESSAGES)
"""Of drift, as `Drift` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A rule that watches an answer for drift, in memory that does not grow with it. Each type can be switched off.

    It tells of each type once an answer, as ``drift.<type>``, with a confidence of at least ``min_confidence`` (0 to
    1). ``severity``: ``"warning"`` records it; ``"error"`` fails the attempt.

    ``window``: characters that tone, hedging, entropy and Markdown are judged by. ``repeats``: how often in a row the
    same must be said. ``hedges``: per 100 characters. ``disorder``: how much larger the share of unlikely pairs of
    letters must be than in the answer so far (0 to 1). At these thresholds the confidence is one half, at twice of them
    it is 1. Hedging, tone and meta commentary know English, German and Spanish.
    """

    tone_shift: bool = True
    meta_commentary: bool = True
    format_collapse: bool = True
    markdown_collapse: bool = True
    repetition: bool = True
    entropy_spike: bool = True
    hedging: bool = True
    window: int = 500
    repeats: int = 3
    hedges: float = 2.5
    disorder: float = 0.12
    min_confidence: float = 0.5
    severity: Severity = Severity.WARNING

    def __post_init__(self) -> None:
        for name in TYPES:
            if not isinstance(getattr(self, name), bool):
                raise PolicyError(f"Drift.{name}", getattr(self, name), "True or False")
        for name, least in (("window", 100), ("repeats", 2)):
            count = getattr(self, name)
            if not isinstance(count, int) or isinstance(count, bool) or count < least:
                raise PolicyError(f"Drift.{name}", count, f"a whole number, {least} or more")
        for name, most in (("hedges", 100.0), ("disorder", 1.0), ("min_confidence", 1.0)):
            _check_share(f"Drift.{name}", getattr(self, name), most)
        try:
            object.__setattr__(self, "severity", Severity(self.severity))
        except ValueError:
            raise PolicyError("Drift.severity", self.severity, "one of " + ", ".join(Severity)) from None

    @property
    def name(self) -> str:
        """``drift``."""
        return "drift"

    @property
    def span(self) -> int:
        """A finding begins at most a window before the segment that shows it."""
        judged_by_window = self.tone_shift or self.markdown_collapse or self.entropy_spike or self.hedging
        return LONGEST + (self.window if judged_by_window else 0)

    def check(self) -> DriftCheck:
        """A check of one more answer."""
        return DriftCheck(self)

    def detectors(self) -> dict[str, Detector]:
        """Those that are switched on, by type, for one answer."""
        made: dict[str, Callable[[], Detector]] = {
            "tone_shift": lambda: ToneShift(window=self.window),
            "meta_commentary": MetaCommentary,
            "format_collapse": FormatCollapse,
            "markdown_collapse": lambda: MarkdownCollapse(window=self.window),
            "repetition": lambda: Repetition(repeats=self.repeats),
            "entropy_spike": lambda: EntropySpike(window=self.window, threshold=self.disorder),
            "hedging": lambda: Hedging(window=self.window, threshold=self.hedges),
        }
        return {name: make() for name, make in made.items() if getattr(self, name)}


def _check_share(field: str, value: object, most: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or not 0 < value <= most:  # type: ignore[operator]  # a number by now
        raise PolicyError(field, value, f"a number above 0, up to {most:g}")


class DriftCheck:
    """Watches one answer. A detector that has found its type of drift is done."""

    __slots__ = ("_rule", "_segmenter", "_takes")

    def __init__(self, rule: Drift) -> None:
        self._rule = rule
        self._segmenter = Segmenter()
        self._takes = [(name, detector.take) for name, detector in rule.detectors().items()]

    def feed(self, text: str) -> Sequence[Violation]:
        """What the segments that this text completes show."""
        segments = self._segmenter.feed(text)
        return self._judge(segments) if segments else ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - drift is in the text alone
        """What the last, unfinished segment shows."""
        return self._judge(self._segmenter.finish())

    def _judge(self, segments: Sequence[Segment]) -> list[Violation]:
        found: list[Violation] = []
        for segment in segments:
            for name, take in self._takes:
                finding = take(segment)
                if finding and finding.confidence >= self._rule.min_confidence:
                    self._takes = [one for one in self._takes if one[0] != name]
                    found.append(self._violation(name, finding))
        return found

    def _violation(self, name: str, finding: Finding) -> Violation:
        return Violation(
            rule=f"drift.{name}",
            message=_MESSAGES[name],
            severity=self._rule.severity,
            at=finding.at,
            confidence=finding.confidence,
        )

"""The `Drift` rule: which types of drift to detect, the thresholds, and the effect of a finding on the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation

from ..families import Family
from .detector import Detector, DriftFinding
from .entropy_spike import EntropySpike
from .format_collapse import FormatCollapse
from .hedging import Hedging
from .markdown_collapse import MarkdownCollapse
from .meta_commentary import MetaCommentary
from .repetition import Repetition
from .segments import MAX_SEGMENT, Segment, Segmenter
from .tone_shift import ToneShift

_DETECTORS: Mapping[str, type[Detector]] = {
    "tone_shift": ToneShift,
    "meta_commentary": MetaCommentary,
    "format_collapse": FormatCollapse,
    "markdown_collapse": MarkdownCollapse,
    "repetition": Repetition,
    "entropy_spike": EntropySpike,
    "hedging": Hedging,
}
TYPES = tuple(_DETECTORS)
"""Names of all types of drift, as in the fields of `Drift`."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A rule that checks an answer for drift. Its memory does not grow with the answer.

    The rule reports each type at most once per answer, as ``drift.<type>``, if its confidence is at least
    ``min_confidence`` (0 to 1). Each type can be switched off. ``severity``: ``"warning"`` records the finding;
    ``"error"`` also fails the attempt.

    Thresholds: ``window``: characters over which tone, hedging, entropy and Markdown are judged. ``repeats``: how often
    in a row the same text must occur. ``hedges``: hedges per 100 characters. ``disorder``: by how much the share of
    unlikely pairs of letters exceeds that of the answer before (0 to 1). The confidence by ``repeats``, ``hedges`` and
    ``disorder`` is 0.5 at the threshold and 1 from twice the threshold on. The defaults were tuned on the development
    part of ``tests/quality/drift.jsonl``. Hedging, tone and meta commentary support English, German and Spanish.

    Raises `PolicyError` for an invalid field.
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
    specificity: ClassVar[int] = 0

    def __post_init__(self) -> None:
        for name in TYPES:
            if not isinstance(getattr(self, name), bool):
                raise PolicyError(f"Drift.{name}", getattr(self, name), "True or False")
        for name, minimum in (("window", 100), ("repeats", 2)):
            count = getattr(self, name)
            if not isinstance(count, int) or isinstance(count, bool) or count < minimum:
                raise PolicyError(f"Drift.{name}", count, f"a whole number, {minimum} or more")
        for name, maximum in (("hedges", 100.0), ("disorder", 1.0), ("min_confidence", 1.0)):
            _check_number(f"Drift.{name}", getattr(self, name), maximum)
        try:
            object.__setattr__(self, "severity", Severity(self.severity))
        except ValueError:
            raise PolicyError("Drift.severity", self.severity, "one of " + ", ".join(Severity)) from None

    @property
    def name(self) -> str:
        """Return the name of the rule, ``drift``."""
        return "drift"

    @property
    def span(self) -> int:
        """Return how far back a finding may begin, in characters: one segment plus the window, if one is used."""
        uses_window = any(detector.USES_WINDOW for _, detector in self._enabled())
        return MAX_SEGMENT + (self.window if uses_window else 0)

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the enabled types can report."""
        return {family: self.severity for _, detector in self._enabled() for family in detector.FAMILIES}

    def check(self) -> DriftCheck:
        """Create a check for one answer."""
        return DriftCheck(self)

    def detectors(self) -> dict[str, Detector]:
        """Create the enabled detectors for one answer, by type."""
        return {name: detector(self) for name, detector in self._enabled()}

    def _enabled(self) -> list[tuple[str, type[Detector]]]:
        return [(name, detector) for name, detector in _DETECTORS.items() if getattr(self, name)]


def _check_number(field: str, value: object, maximum: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not is_number or not 0 < value <= maximum:  # type: ignore[operator]  # mypy does not narrow by `is_number`
        raise PolicyError(field, value, f"a number above 0, up to {maximum:g}")


class DriftCheck:
    """Checks one answer for drift. A detector is removed after its first finding."""

    __slots__ = ("_readers", "_rule", "_segmenter")

    def __init__(self, rule: Drift) -> None:
        self._rule = rule
        self._segmenter = Segmenter()
        # Bound methods, since they are called for every segment.
        self._readers = [(name, detector.read) for name, detector in rule.detectors().items()]

    def feed(self, text: str) -> Sequence[Violation]:
        """Check the segments that ``text`` completes. Return one violation per type of drift found."""
        segments = self._segmenter.feed(text)
        return self._judge(segments) if segments else ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - drift is in the text alone
        """Check the last, unfinished segment. Return the violations found."""
        return self._judge(self._segmenter.finish())

    def _judge(self, segments: Sequence[Segment]) -> list[Violation]:
        found: list[Violation] = []
        for segment in segments:
            for name, read in self._readers:
                finding = read(segment)
                if finding and finding.confidence >= self._rule.min_confidence:
                    # A new list, since the loop still iterates over the old one.
                    self._readers = [reader for reader in self._readers if reader[0] != name]
                    found.append(self._violation(name, finding, segment))
        return found

    def _violation(self, name: str, finding: DriftFinding, segment: Segment) -> Violation:
        detector = _DETECTORS[name]
        end = None if finding.continues else segment.at + len(segment.text)
        return Violation(
            rule=f"drift.{name}",
            message=detector.MESSAGE,
            severity=self._rule.severity,
            at=finding.at,
            confidence=finding.confidence,
            families=detector.FAMILIES if finding.families is None else finding.families,
            passage=(min(finding.at, segment.at), end),
        )

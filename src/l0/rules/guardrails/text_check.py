"""Check a text that is complete, outside of a stream."""

from __future__ import annotations

from collections.abc import Sequence

from l0.model.rule import Ending, Rule, Violation

from ..finding_filter import FindingFilter
from .inspection import Inspection


def check_text(text: str, rules: Sequence[Rule]) -> tuple[Violation, ...]:
    """Return the violations of a complete text, sorted by position. As in a call, each defect is reported once."""
    inspection = Inspection(rules)
    findings: FindingFilter[None] = FindingFilter(rules)
    found = findings.admit(None, inspection.feed(text))
    found += findings.admit(None, inspection.finish(Ending()))
    found += [violation for _, violation in findings.release()]
    return tuple(sorted(found, key=lambda violation: violation.at))

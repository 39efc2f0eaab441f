"""The targets of a run: what is allowed, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .report import CaseReport, Report, Spread, ratio, rounds_of, spread
from .variants import FULL, GUARDED

GUARDRAILS_US, INSTRUMENT_MS = 3.0, 30.0
"""The most that the recommended guardrails may add to an event, and that `l0.instrument()` may cost."""


class Target(NamedTuple):
    """One target. ``most``: the largest median that meets it; ``found`` is None if it was not measured."""

    what: str
    unit: str
    most: float
    found: Spread | None

    @property
    def verdict(self) -> str:
        """met, MISSED or not measured."""
        if self.found is None:
            return "not measured"
        return "met" if self.found.median <= self.most else "MISSED"


def targets(report: Report) -> Iterator[Target]:
    """Yield all targets of the cases that were measured."""
    for case in report["cases"]:
        if case["target"] is not None:
            yield Target(case["name"], "x bare", case["target"], ratio(case, FULL))
    streams = [case for case in report["cases"] if case["group"] == "streams"]
    added = [spread([having - without for having, without in _guarded(case)]) for case in streams]
    if known := [each for each in added if each is not None]:
        yield Target("recommended guardrails, worst stream", "µs an event", GUARDRAILS_US, max(known))
    switching = [each for case in report["cases"] for each in rounds_of(case, FULL, "switch_on_ms")]
    if switching:
        yield Target("l0.instrument()", "ms", INSTRUMENT_MS, spread(switching))


def _guarded(case: CaseReport) -> Iterator[tuple[float, float]]:
    return zip(rounds_of(case, GUARDED), rounds_of(case, FULL), strict=False)

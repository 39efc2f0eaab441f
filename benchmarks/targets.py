"""The targets of a run: the limit of each, and the measured figure."""

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
        """The text "met", "MISSED" or "not measured"."""
        if self.found is None:
            return "not measured"
        return "met" if self.found.median <= self.most else "MISSED"


def targets(report: Report) -> Iterator[Target]:
    """Yield all targets of the cases that were measured."""
    for case in report["cases"]:
        if case["target"] is not None:
            yield Target(case["name"], "x bare", case["target"], ratio(case, FULL))
    streams = [case for case in report["cases"] if case["group"] == "streams"]
    added = [spread([guarded - without for guarded, without in _guarded(case)]) for case in streams]
    if known := [found for found in added if found is not None]:
        yield Target("recommended guardrails, worst stream", "µs an event", GUARDRAILS_US, max(known))
    switching = [time_ms for case in report["cases"] for time_ms in rounds_of(case, FULL, "switch_on_ms")]
    if switching:
        yield Target("l0.instrument()", "ms", INSTRUMENT_MS, spread(switching))


def _guarded(case: CaseReport) -> Iterator[tuple[float, float]]:
    """Return the costs of each round with the recommended guardrails, and without."""
    return zip(rounds_of(case, GUARDED), rounds_of(case, FULL), strict=False)

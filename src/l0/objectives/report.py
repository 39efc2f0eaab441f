"""How the objectives stand: values, and the same as a table of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .burn import PAIRS, Count, Pair, budget_left, burn_rate, duration
from .objective import Objective

INSUFFICIENT = "insufficient data"
_HEAD = (
    "objective",
    "provider",
    "model",
    "target",
    "good",
    "budget left",
    *(f"burn {duration(p.long)}" for p in PAIRS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A budget began to burn faster than a pair of windows allows. What ``on_burn`` is told.

    ``rate``: how many times faster than the budget lasts, over the long window. ``budget_left``: a share of the
    objective's own window's; ``None``: insufficient data.
    """

    objective: Objective
    provider: str
    model: str
    pair: Pair
    rate: float
    budget_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One objective at one provider and model. ``count``: over the objective's window. ``counts``: by seconds of every
    window of a pair. ``burning``: the pairs whose both windows are above their factor."""

    objective: Objective
    provider: str
    model: str
    count: Count
    counts: Mapping[int, Count]
    burning: tuple[Pair, ...] = ()

    @property
    def ratio(self) -> float | None:
        """The share of good events; ``None``: insufficient data."""
        enough = self.count.total >= self.objective.min_events
        return 1.0 - self.count.bad / self.count.total if enough else None

    @property
    def budget_left(self) -> float | None:
        """1 untouched, 0 spent, below 0 overspent; ``None``: insufficient data."""
        return budget_left(self.count, self.objective)

    def burn(self, seconds: int) -> float | None:
        """The burn rate over a window of a pair; ``None``: insufficient data."""
        count = self.counts[seconds]
        return burn_rate(count, self.objective) if count.total >= self.objective.min_events else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Delivered calls of thirty days; bad are those that only recovery saved."""

    provider: str
    model: str
    count: Count

    @property
    def ratio(self) -> float | None:
        """Their share; ``None`` where nothing was delivered."""
        return self.count.bad / self.count.total if self.count.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it, by layer. Prints as a table."""

    standings: tuple[Standing, ...] = ()
    masked: tuple[Masked, ...] = ()

    def __str__(self) -> str:
        if not self.standings:
            return "No calls were watched yet. Call l0.slo.start() before them."
        parts = [
            _table(layer.capitalize(), [standing for standing in self.standings if standing.objective.layer == layer])
            for layer in ("attempts", "delivered")
        ]
        parts += [_saved(masked) for masked in self.masked if masked.ratio is not None]
        return "\n\n".join(part for part in parts if part)


def _saved(masked: Masked) -> str:
    count = masked.count
    return (
        f"{masked.provider} {masked.model}: {count.bad} of {count.total} delivered calls were saved by recovery "
        f"({share(masked.ratio)})"
    )


def _table(title: str, standings: Sequence[Standing]) -> str:
    if not standings:
        return ""
    rows = [_HEAD, *map(_row, standings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((title, *lines))


def _row(standing: Standing) -> tuple[str, ...]:
    objective = standing.objective
    burns = (times(standing.burn(pair.long)) + ("!" if pair in standing.burning else "") for pair in PAIRS)
    left = INSUFFICIENT if standing.budget_left is None else share(standing.budget_left)
    good = f"{standing.count.total - standing.count.bad}/{standing.count.total}"
    return (objective.name, standing.provider, standing.model, share(objective.target), good, left, *burns)


def share(value: float | None) -> str:
    """``99.5 %``."""
    return "-" if value is None else f"{100 * value:.4g} %"


def times(value: float | None) -> str:
    """``14.4x``."""
    return "-" if value is None else f"{value:.1f}x"

"""Status of the objectives: values, and a table in plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l0.model.former_names import former_name

from .burn import PAIRS, Count, Pair, budget_left, burn_rate, duration
from .objective import Objective

INSUFFICIENT = "insufficient data"
_NO_DECIMALS_FROM = 99.95
"""The lowest burn rate that is shown without decimals: it rounds to 100.0."""
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
    """A budget has begun to burn faster than a pair of windows allows. This is the argument of ``on_burn``.

    ``rate``: burn rate over the long window. ``budget_left``: remaining share of the budget over the objective's
    window, or ``None`` for insufficient data. ``str(burn)`` is a sentence for an alert.
    """

    objective: Objective
    provider: str
    model: str
    pair: Pair
    rate: float
    budget_left: float | None

    def __str__(self) -> str:
        source = f"{self.provider} {self.model}"
        return burn_text(self.objective.name, source, self.pair, self.rate, self.budget_left)


@dataclass(frozen=True, slots=True, kw_only=True)
class SloStatus:
    """Status of one objective for one provider and model.

    ``count``: events in the objective's window. ``counts``: events by length of each alert window, in seconds.
    ``burning``: the pairs whose two windows exceed their factor.
    """

    objective: Objective
    provider: str
    model: str
    count: Count
    counts: Mapping[int, Count]
    burning: tuple[Pair, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Return the share of good events, or ``None`` for insufficient data."""
        enough = self.count.total >= self.objective.min_events
        return 1.0 - self.count.bad / self.count.total if enough else None

    @property
    def budget_left(self) -> float | None:
        """Return the remaining budget: 1 unused, 0 spent, below 0 overspent; ``None`` for insufficient data."""
        return budget_left(self.count, self.objective)

    @property
    def is_spent(self) -> bool:
        """Return True if nothing of the budget is left. With insufficient data it is not known to be spent."""
        return self.budget_left is not None and self.budget_left <= 0

    def burn(self, seconds: int) -> float | None:
        """Return the burn rate over an alert window, or ``None`` for insufficient data."""
        count = self.counts[seconds]
        return burn_rate(count, self.objective) if count.total >= self.objective.min_events else None

    def burns(self) -> tuple[Burn, ...]:
        """Return the burn of each pair whose alert fires."""
        return tuple(
            Burn(
                objective=self.objective,
                provider=self.provider,
                model=self.model,
                pair=pair,
                rate=burn_rate(self.counts[pair.long], self.objective) or 0.0,
                budget_left=self.budget_left,
            )
            for pair in self.burning
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Delivered calls of the last 30 days. Bad events are calls that only recovery saved."""

    provider: str
    model: str
    count: Count

    @property
    def ratio(self) -> float | None:
        """Return the share of calls that only recovery saved, or ``None`` without delivered calls."""
        return self.count.bad / self.count.total if self.count.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Status of all objectives, in ``statuses``. ``str(report)`` is a table for each layer.

    ``unmatched``: the objectives whose provider and model match no call.
    """

    statuses: tuple[SloStatus, ...] = ()
    masked: tuple[Masked, ...] = ()
    unmatched: tuple[Objective, ...] = ()
    standings = former_name("standings", "statuses")

    def __str__(self) -> str:
        if not self.statuses and not self.masked:
            return "No calls have been measured yet. Call l0.slo.start() before the first call."
        parts = [
            _table(layer.capitalize(), [status for status in self.statuses if status.objective.layer == layer])
            for layer in ("attempts", "delivered")
        ]
        burns = [burn for status in self.statuses for burn in status.burns()]
        parts.append("\n".join(map(str, burns)))
        parts += [_saved(masked) for masked in self.masked if masked.ratio is not None]
        parts.append("\n".join(map(_no_calls, self.unmatched)))
        return "\n\n".join(part for part in parts if part)


def burn_text(objective: str, source: str, pair: Pair, rate: float | None, left: float | None) -> str:
    """Return a sentence that describes a burn. ``source``: the provider, and the model if it is known.

    ``rate``: the burn rate over the long window. ``left``: the remaining budget; ``None`` for insufficient data.
    """
    speed = "too fast" if rate is None else f"{rate_text(rate)} times too fast"
    text = f"{pair.severity}: {source} burns the budget of {objective!r} {speed} in {duration(pair.long)}"
    if left is None:
        return text
    return f"{text}; the budget is spent" if left <= 0 else f"{text}; {share(left)} of the budget is left"


def rate_text(rate: float) -> str:
    """Format the number of a burn rate: ``1.5``, ``14.4``, ``15``, ``200``. From 100 on, no decimals are shown."""
    return f"{rate:,.0f}" if rate >= _NO_DECIMALS_FROM else f"{rate:.1f}".removesuffix(".0")


def _no_calls(objective: Objective) -> str:
    return f"{objective.name}: no calls match provider {objective.provider!r} and model {objective.model!r}"


def _saved(masked: Masked) -> str:
    count = masked.count
    return (
        f"{masked.provider} {masked.model}: {count.bad} of {count.total} successful calls were saved by recovery "
        f"({share(masked.ratio)})"
    )


def _table(title: str, statuses: Sequence[SloStatus]) -> str:
    if not statuses:
        return ""
    rows = [_HEAD, *map(_row, statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((title, *lines))


def _row(status: SloStatus) -> tuple[str, ...]:
    objective = status.objective
    burns = (times(status.burn(pair.long)) + ("!" if pair in status.burning else "") for pair in PAIRS)
    left = INSUFFICIENT if status.budget_left is None else share(status.budget_left) + "!" * status.is_spent
    good = f"{status.count.total - status.count.bad}/{status.count.total}"
    return (objective.name, status.provider, status.model, share(objective.target), good, left, *burns)


def share(value: float | None) -> str:
    """Format a share in percent: ``99.5 %``."""
    if value is None:
        return "-"
    percent = 100 * value
    if abs(percent) >= 1000:
        return f"{percent:,.0f} %"
    if 0 < abs(percent) < 0.001:
        return f"{percent:.6f}".rstrip("0").rstrip(".") + " %"
    return f"{percent:.4g} %"


def times(value: float | None) -> str:
    """Format a burn rate: ``14.4x``."""
    return "-" if value is None else f"{value:.1f}x"

"""Describe the error budgets in danger as rows of styled text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l0.console.line import columns
from l0.slo.burn import duration, firing_pair
from l0.slo.status_report import rate_text

from .styled_rows import Row, fitting, printable

if TYPE_CHECKING:
    from l0.viewer.api_contract import BudgetState

_INDENT = " "
"""Before the figures of a budget that have their own row; they begin with a space themselves."""
_MAX_BUDGETS = 3
_NO_DECIMALS_FROM = 10.0
"""If a budget is used up this many times or more, no decimals are shown."""
_CALM = 3
"""The urgency of a budget that is not in danger."""


def budget_rows(states: Sequence[BudgetState], width: int | None) -> list[Row]:
    """Return the rows of each budget that is spent, or is used up too fast. Those whose alert burns come first.

    ``width``: columns of a row; ``None`` is any number. The last row counts the objectives that are within budget.
    """
    by_objective: dict[tuple[str | None, ...], list[BudgetState]] = {}
    for state in states:
        key = (state["service"], state["slo"], state["layer"], state["provider"], state["model"])
        by_objective.setdefault(key, []).append(state)
    budgets = [_budget(windows) for windows in by_objective.values()]
    urgent = sorted((budget for budget in budgets if budget.urgency < _CALM), key=lambda budget: budget.urgency)
    rows = [row for budget in urgent[:_MAX_BUDGETS] for row in _rows(budget, width)]
    # An objective has a budget for each provider and model, and it is within budget if all of them are.
    within = len({budget.objective for budget in budgets} - {budget.objective for budget in urgent})
    more = len(urgent) - _MAX_BUDGETS
    notes = [f"{more:,} more spent or burning"] if more > 0 else []
    if within:
        notes.append(f"{within:,} objective{'s' * (within != 1)} within budget")
    return [*rows, [(", ".join(notes), "dim")]] if notes else rows


@dataclass(frozen=True, slots=True)
class _Budget:
    """The error budget of one objective at one provider and model, with its burn rates by window, such as ``1h``."""

    objective: str
    name: str
    window: str | None
    remaining: float | None
    rates: Mapping[str, float]

    @property
    def spent(self) -> bool:
        """True if nothing of the budget is left."""
        return self.remaining is not None and self.remaining <= 0

    @property
    def alert(self) -> tuple[str, str] | None:
        """The severity and the long window of the first pair of windows that burns."""
        pair = firing_pair(self.rates)
        return None if pair is None else (pair.severity, duration(pair.long))

    @property
    def urgency(self) -> int:
        """0 if a page burns, 1 if a ticket burns, 2 if the budget is spent or burns too fast to last, else `_CALM`."""
        if self.alert is not None:
            return 0 if self.alert[0] == "page" else 1
        return 2 if self.spent or max(self.rates.values(), default=0.0) > 1 else _CALM


def _budget(states: Sequence[BudgetState]) -> _Budget:
    first = states[0]
    names = dict.fromkeys((first["slo"], first["layer"], first["provider"], first["model"]))
    left = next((state for state in states if state["remaining"] is not None), None)
    return _Budget(
        objective=first["slo"],
        name=printable(" ".join(name for name in names if name)),
        window=printable(left["window"]) if left is not None and left["window"] else None,
        remaining=left["remaining"] if left is not None else None,
        rates={state["window"] or "": state["burn_rate"] for state in states if state["burn_rate"] is not None},
    )


def _rows(budget: _Budget, width: int | None) -> list[Row]:
    """Return the name and the figures, in two rows if one is too short for both."""
    figures: Row = [(f" {budget.window}:" if budget.window else ":", "")]
    if budget.remaining is not None:
        left = "spent" if budget.spent else f"{100 * budget.remaining:.1f} % left"
        if budget.remaining < 0:
            used = 1 - budget.remaining
            left += f" {used:,.{0 if used >= _NO_DECIMALS_FROM else 1}f} times"
        figures.append((f" {left}", "red" if budget.spent else ""))
    if any(budget.rates.values()):
        severity, window = budget.alert or ("", max(budget.rates, key=lambda window: budget.rates[window]))
        text = f"{',' if budget.remaining is not None else ''} burn rate {rate_text(budget.rates[window])}"
        text += f" in {printable(window)}" if window not in ("", budget.window) else ""
        figures.append((text + (f" ({severity})" if severity else ""), _style(severity, budget.rates[window])))
    if width is None or columns(budget.name) + sum(columns(text) for text, _ in figures) <= width:
        return [[(budget.name, ""), *figures]]
    return [[(fitting(budget.name, width), "")], [(_INDENT, ""), *figures]]


def _style(severity: str, rate: float) -> str:
    return "red" if severity == "page" else "yellow" if rate > 1 else ""

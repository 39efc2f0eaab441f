"""Describe the overview of calls as rows of styled text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from l0.console.line import columns

if TYPE_CHECKING:
    from l0.viewer.api_contract import BudgetState, Overview, OverviewRow, Series

Part = tuple[str, str]
"""A text and its style in rich."""
Row = list[Part]
_LABEL = 11
_LEAST_NAME = 12
_FIGURES = (
    ("calls", 8),
    ("calls", 7),
    ("attempts", 9),
    ("recovered", 10),
    ("p50", 6),
    ("p95", 6),
    ("p99", 6),
    ("p95", 8),
)
"""The figures of the table after the model: title and width."""
_GROUPS = (("", 8), ("success, %", 16), ("", 10), ("first token, s", 18), ("gap, ms", 8))
_BARS = " ▁▂▃▄▅▆▇█"
_MAX_BUDGETS = 3
_MAX_CAUSES = 8


def overview_rows(overview: Overview, width: int | None = None, height: int | None = None) -> list[Row]:
    """Return the rows of an overview, in at most ``width`` columns and ``height`` rows; ``None`` is any number."""
    above = [*_totals(overview["totals"]), *_over_time(overview["series"], width or 80), []]
    below = [*_causes(overview), *_budgets(overview["budgets"])]
    below = [[], *below] if below else []
    room = None if height is None else max(1, height - len(above) - len(below) - 2)
    rows = [*above, *_table(overview["rows"], width, room), *below]
    return [_cut(row, width) for row in rows][:height]


def _totals(totals: OverviewRow) -> list[Row]:
    recovered, failed = totals["recovered"], totals["failed"]
    calls: Row = [
        (f"{totals['calls']:,}", "bold"),
        (f": {totals['succeeded']:,} succeeded (", ""),
        (f"{recovered:,} recovered", "yellow" if recovered else ""),
        ("), ", ""),
        (f"{failed:,} failed", "red" if failed else ""),
        (f", {totals['cancelled']:,} cancelled", ""),
    ]
    wasted = totals["wasted_tokens"]
    tokens = f"{totals['input_tokens']:,} in, {totals['output_tokens']:,} out"
    return [
        _labelled("calls", *calls),
        _labelled("success", (f"{_of_calls(totals)} % of calls, {_of_attempts(totals)} % of attempts", "")),
        _labelled("tokens", (tokens + (f", {wasted:,} wasted" if wasted else ""), "")),
    ]


def _labelled(label: str, *parts: Part) -> Row:
    return [(f"{label:<{_LABEL}}", "dim"), *parts]


def _of_calls(row: OverviewRow) -> str:
    return _percent(row["succeeded"], row["calls"] - row["cancelled"])


def _of_attempts(row: OverviewRow) -> str:
    return _percent(row["attempts"] - row["attempts_failed"], row["attempts"])


def _percent(part: int, whole: int) -> str:
    """Return a share. It is 100 only if nothing is missing, and 0 only if there is nothing."""
    if not whole:
        return "-"
    if part in (0, whole):
        return f"{100 * part / whole:.0f}"
    return f"{min(max(100 * part / whole, 0.01), 99.99):.2f}"


def _over_time(series: Series, width: int) -> list[Row]:
    """Return the bars of the newest intervals that fit."""
    room = width - _LABEL - 20
    if len(series["t"]) < 2 or room < 10:
        return []
    seconds = (series["t"][1] - series["t"][0]) / 1e3
    calls, first = series["calls"][-room:], series["first_token_p95"][-room:]
    known = [value for value in first if value is not None]
    rows = [_labelled("over time", (_bars(calls), ""), (f"  most {max(calls):,} in {seconds:g} s", "dim"))]
    if known:
        rows.append(_labelled("first p95", (_bars(first), ""), (f"  most {max(known) / 1e3:.2f} s", "dim")))
    return rows


def _bars(values: Sequence[float | None]) -> str:
    most = max((value for value in values if value is not None), default=0) or 1
    return "".join(_BARS[-int(-(value or 0) * (len(_BARS) - 1) // most)] for value in values)


def _table(rows: Sequence[OverviewRow], width: int | None, room: int | None) -> list[Row]:
    if not rows:
        return [[("no calls", "dim")]]
    figures = sum(wide for _, wide in _FIGURES)
    longest = max(len("model"), *(columns(_name(row)) for row in rows))
    name = longest if width is None else min(longest, max(width - figures, _LEAST_NAME))
    shown = rows if room is None or len(rows) <= room else rows[: max(room - 1, 1)]
    table: list[Row] = [
        [(" " * name + "".join(f"{title:>{wide}}" for title, wide in _GROUPS), "dim")],
        [(f"{'model':<{name}}" + "".join(f"{title:>{wide}}" for title, wide in _FIGURES), "dim")],
        *(_model(row, name) for row in shown),
    ]
    if len(shown) < len(rows):
        table.append([(f"and {len(rows) - len(shown):,} more", "dim")])
    return table


def _model(row: OverviewRow, width: int) -> Row:
    figures = (
        f"{row['calls']:,}",
        _of_calls(row),
        _of_attempts(row),
        f"{row['recovered']:,}",
        *map(_seconds, (row["first_token_p50"], row["first_token_p95"], row["first_token_p99"])),
        "-" if row["gap_p95"] is None else f"{row['gap_p95']:,.0f}",
    )
    styles = ("", "red" if row["failed"] else "", "", "yellow" if row["recovered"] else "", "", "", "", "")
    cells = [(f"{text:>{wide}}", style) for text, (_, wide), style in zip(figures, _FIGURES, styles, strict=True)]
    name = _fitting(_name(row), width)
    return [(name + " " * (width - columns(name)), ""), *cells]


def _fitting(name: str, width: int) -> str:
    if columns(name) <= width:
        return name
    while columns(name) >= width:
        name = name[:-1]
    return name + "…"


def _name(row: OverviewRow) -> str:
    return _printable(f"{row['provider'] or ''} {row['model'] or ''}".strip()) or "-"


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1e3
    return f"{seconds:.2f}" if seconds < 99.995 else f"{seconds:.0f}"


def _causes(overview: Overview) -> list[Row]:
    found = [f"{_printable(one['cause'])} {one['count']:,}" for one in overview["causes"]]
    if not found:
        return []
    more = [f"{len(found) - _MAX_CAUSES} more"] if len(found) > _MAX_CAUSES else []
    return [_labelled("causes", (", ".join([*found[:_MAX_CAUSES], *more]), ""))]


def _budgets(budgets: Sequence[BudgetState]) -> list[Row]:
    return [_labelled("budget" if not at else "", *_budget(one)) for at, one in enumerate(budgets[:_MAX_BUDGETS])]


def _budget(state: BudgetState) -> Row:
    names = (state["slo"], state["layer"], state["provider"], state["model"], state["window"])
    remaining, burn_rate = state["remaining"], state["burn_rate"]
    row: Row = [(_printable(" ".join(name for name in names if name)) + ": ", "")]
    if remaining is not None:
        row.append((f"{100 * remaining:.1f} % left", "red" if remaining <= 0 else ""))
    if burn_rate is not None:
        joint = ", " if remaining is not None else ""
        row.append((f"{joint}burn rate {burn_rate:.2g}", "yellow" if burn_rate > 1 else ""))
    return row


def _printable(text: str) -> str:
    """Return the text without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _cut(row: Row, width: int | None) -> Row:
    if width is None or sum(columns(text) for text, _ in row) <= width:
        return row
    cut: Row = []
    for text, style in row:
        cut.append((text[:width], style))
        width -= len(cut[-1][0])
    return cut

"""Describe the overview of calls as rows of styled text. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from l0.console.line import columns

from .budget_rows import budget_rows
from .styled_rows import Part, Row, cut, fitting, printable

if TYPE_CHECKING:
    from l0.viewer.api_contract import BudgetState, ListedCall, Overview, OverviewRow, Series

_LABEL = 11
"""Columns of a label."""
_MIN_NAME = 12
"""Columns for the name of a model, at least."""
_FIGURES = (
    ("", 7),
    ("covered", 8),
    ("calls", 6),
    ("tries", 6),
    ("p50", 7),
    ("p95", 6),
    ("p99", 6),
    ("p95", 13),
)
"""The figures of the table after the model: title and width."""
_GROUPS = (("calls", 7), ("re-", 8), ("success, %", 12), ("first token, s", 19), ("gap p95, ms", 13))
"""The row above these titles: title and width. "re-" and "covered" are one title, on two rows."""
_BARS = " ▁▂▃▄▅▆▇█"
_MAX_CAUSES = 8


def overview_rows(
    overview: Overview,
    width: int | None = None,
    height: int | None = None,
    failed: Sequence[ListedCall] = (),
    slowest: Sequence[ListedCall] = (),
) -> list[Row]:
    """Return the rows of an overview, in at most ``width`` columns and ``height`` rows; ``None`` is any number.

    ``failed``, ``slowest``: calls to list below the table.
    """
    above = [*_totals(overview["totals"]), *_over_time(overview["series"], width or 80), []]
    below = [
        *_causes(overview),
        *_budgets(overview["budgets"], width),
        *_calls("failed", failed, width or 80),
        *_calls("slowest", slowest, width or 80),
    ]
    below = [[], *below] if below else []
    room = None if height is None else max(1, height - len(above) - len(below) - 2)
    rows = [*above, *_table(overview["rows"], width, room), *below]
    return [cut(row, width) for row in rows][:height]


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
    tokens = f"{_known(totals['input_tokens'])} in, {_known(totals['output_tokens'])} out{_wasted(totals)}"
    return [
        _labelled("calls", *calls),
        _labelled("success", (f"{_call_success(totals)} % of calls, {_attempt_success(totals)} % of attempts", "")),
        _labelled("tokens", (tokens, "")),
        *_cost(totals),
    ]


def _known(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _wasted(totals: OverviewRow) -> str:
    wasted, unknown = totals["wasted_tokens"], totals["unknown_waste"]
    texts = [f", {wasted:,} wasted"] if wasted else []
    if unknown:
        texts.append(f", {'' if wasted else 'wasted ones '}unknown for {unknown:,} call{'s' * (unknown != 1)}")
    return "".join(texts)


def _cost(totals: OverviewRow) -> list[Row]:
    """Return the row with the requests after the first one of each call, and the time of recoveries."""
    extra, sdk_retries = totals["attempts"] - totals["calls"], totals["sdk_retries"]
    if extra <= 0:
        return []
    text = f"{extra:,} more requests than calls"
    if sdk_retries is not None:
        retries = f"{sdk_retries:,} retr{'ies' if sdk_retries != 1 else 'y'} that the SDK makes too"
        text = f"{max(0, extra - sdk_retries):,} request{'s' * (extra - sdk_retries != 1)} added by L0, {retries}"
    return [
        _labelled("cost", (text + (f", {_seconds(totals['recovery_time'])} s" if totals["recovery_time"] else ""), ""))
    ]


def _labelled(label: str, *parts: Part) -> Row:
    return [(f"{label:<{_LABEL}}", "dim"), *parts]


def _call_success(row: OverviewRow) -> str:
    return _percent(row["succeeded"], row["calls"] - row["cancelled"])


def _attempt_success(row: OverviewRow) -> str:
    return _percent(row["attempts"] - row["attempts_failed"], row["attempts"])


def _percent(part: int, whole: int) -> str:
    """Return a share in percent as the page of `l0 view` shows it: never rounded up, with two decimals above 99 %."""
    if not whole:
        return "-"
    if part in (0, whole):
        return f"{100 * part // whole}"
    scale = 100 if 100 * part > 99 * whole else 10
    return f"{100 * scale * part // whole / scale:.{2 if scale == 100 else 1}f}"


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
    name = longest if width is None else min(longest, max(width - figures, _MIN_NAME))
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
        f"{row['recovered']:,}",
        _call_success(row),
        _attempt_success(row),
        *map(_seconds, (row["first_token_p50"], row["first_token_p95"], row["first_token_p99"])),
        "-" if row["gap_p95"] is None else f"{row['gap_p95']:,.0f}",
    )
    styles = ("", "yellow" if row["recovered"] else "", "red" if row["failed"] else "", "", "", "", "", "")
    cells = [(f"{text:>{wide}}", style) for text, (_, wide), style in zip(figures, _FIGURES, styles, strict=True)]
    name = fitting(_name(row), width)
    return [(name + " " * (width - columns(name)), ""), *cells]


def _name(row: OverviewRow) -> str:
    return printable(f"{row['provider'] or ''} {row['model'] or ''}".strip()) or "-"


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1e3
    return f"{seconds:.2f}" if seconds < 99.995 else f"{seconds:.0f}"


def _causes(overview: Overview) -> list[Row]:
    causes = [f"{printable(entry['cause'])} {entry['count']:,}" for entry in overview["causes"]]
    if not causes:
        return []
    more = [f"{len(causes) - _MAX_CAUSES} more"] if len(causes) > _MAX_CAUSES else []
    return [_labelled("causes", (", ".join([*causes[:_MAX_CAUSES], *more]), ""))]


def _budgets(states: Sequence[BudgetState], width: int | None) -> list[Row]:
    room = None if width is None else width - _LABEL
    return [_labelled("" if number else "budget", *row) for number, row in enumerate(budget_rows(states, room))]


def _calls(label: str, calls: Sequence[ListedCall], width: int) -> list[Row]:
    """Return rows for each call: its figures, then the reasons."""
    rows: list[Row] = []
    for call in calls:
        start = time.strftime("%H:%M:%S", time.localtime(call["start"] / 1e3))
        attempts = f"{call['attempts']} attempt{'s' * (call['attempts'] != 1)}"
        texts = (start, f"{_seconds(call['duration'])} s", printable(call["model"] or "-"), attempts, call["outcome"])
        rows.append(_labelled("" if rows else label, ("  ".join(texts), "")))
        reasons = (call["cause"], call["stop_reason"])
        if reason := "; ".join(printable(text) for text in reasons if text):
            rows.extend(_labelled("", (f"  {part}", "dim")) for part in wrap(reason, max(width - _LABEL - 2, 20)))
    return rows

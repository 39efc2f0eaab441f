"""Describe the summary of a process. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from l0.model.durations import NOTABLE_GAP_S

from .layout import ConsoleLayout
from .line import Line, Part, Style, columns

if TYPE_CHECKING:
    from .call_summary import ModelSummary, Percentiles, Summary

_LABEL = 11
"""Columns of a label."""
_FIGURE = 7
"""Columns of one figure of the table."""
_FIGURES_PER_ROW = 7
"""The number of calls, and three percentiles each of the first token and of gaps."""
_TABLE = 80
"""Columns of the table, if the terminal has as many."""
_MAX_MODELS = 10
"""Models that the table shows."""


def summary_lines(summary: Summary, layout: ConsoleLayout) -> list[Line]:
    """Return the lines of a summary."""
    heading = f"l0 summary of process {summary.process}, after {summary.seconds:,.1f} s"
    return [Line(((heading, "strong"),)), *_counts(summary), *_table(summary, layout)]


def _counts(summary: Summary) -> Iterator[Line]:
    counts: list[tuple[int, str, Style]] = [
        (summary.whole, "whole", "good"),
        (sum(summary.recovered.values()), "recovered", "odd"),
        (summary.doubtful, "perhaps truncated", "odd"),
        (sum(summary.failed.values()), "failed", "bad"),
        (summary.cancelled, "cancelled", ""),
        (summary.running, "still running", ""),
    ]
    parts: list[Part] = []
    for count, name, style in counts:
        if count:
            parts.append((", " if parts else ": ", ""))
            parts.append((f"{count:,} {name}", style))
    yield _labelled("calls", (f"{summary.calls:,}", "strong"), *parts)
    for name, causes in (("recovered", summary.recovered), ("failed", summary.failed)):
        if causes:
            yield _labelled(name, (_by_cause(causes), ""))
    for number, (reason, count) in enumerate(summary.stopped.items()):
        yield _labelled("no retry" if not number else "", (f"{count:,}: {reason}", ""))
    if costs := [*_requests(summary), *_spent(summary)]:
        yield _labelled("cost", ("; ".join(costs), ""))
    yield from _longest_gap(summary)


def _longest_gap(summary: Summary) -> Iterator[Line]:
    """Yield the longest gap of all calls, if it is notable: percentiles hide a rare pause."""
    model = max(summary.models, key=lambda each: each.longest_gap or 0.0, default=None)
    if model is not None and model.longest_gap is not None and model.longest_gap >= NOTABLE_GAP_S:
        yield _labelled("gaps", (f"the longest took {model.longest_gap:,.2f} s ({_name(model)})", ""))


def _requests(summary: Summary) -> Iterator[str]:
    """Yield the numbers of requests after the first one of each call: those that L0 adds, and retries of the SDK."""
    added = summary.extra_requests - summary.sdk_retries
    if added:
        yield f"{added:,} request{'s' * (added != 1)} added by L0"
    if summary.sdk_retries:
        word = "retries" if summary.sdk_retries != 1 else "retry"
        yield f"{summary.sdk_retries:,} {word} that the SDK makes too"


def _spent(summary: Summary) -> Iterator[str]:
    """Yield the time and the tokens of attempts that did not serve an answer."""
    if summary.recovery_seconds:
        yield f"{summary.recovery_seconds:,.2f} s in failed attempts and waits"
    unknown = f"unknown for {summary.unknown_waste:,} call{'s' * (summary.unknown_waste != 1)}"
    if summary.wasted_tokens:
        known = f"{summary.wasted_tokens:,} wasted tokens"
        yield f"{known}, {unknown}" if summary.unknown_waste else known
    elif summary.unknown_waste:
        yield f"wasted tokens {unknown}"


def _labelled(label: str, *parts: Part) -> Line:
    return Line(((f"  {label:<{_LABEL}}", "dim"), *parts), hang=" " * (_LABEL + 2))


def _by_cause(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{cause} {count:,}" for cause, count in causes.items())


def _table(summary: Summary, layout: ConsoleLayout) -> Iterator[Line]:
    if not summary.models:
        return
    shown = summary.models[:_MAX_MODELS]
    longest = max(columns(_name(model)) for model in shown)
    widest = (_TABLE if layout.width is None else min(layout.width, _TABLE)) - _FIGURE * _FIGURES_PER_ROW - 2
    name_width = min(max(longest, len("model")), widest) if widest > 0 else longest
    titles = (f"{'first token, s':>{_FIGURE * 3}}", f"{'gap p95 per call, ms':>{_FIGURE * 3}}")
    yield Line(((" " * (name_width + 2 + _FIGURE) + "".join(titles), "dim"),))
    percentiles = "".join(f"{title:>{_FIGURE}}" for title in ("p50", "p95", "p99") * 2)
    yield Line(((f"  {'model':<{name_width}}{'calls':>{_FIGURE}}{percentiles}", "dim"),))
    for model in shown:
        title = _name(model)
        if columns(title) > name_width:
            yield Line(((f"  {title}", ""),), hang="  ")
            title = ""
        padding = " " * (name_width - columns(title))
        yield Line(((f"  {title}{padding}{model.calls:>{_FIGURE},}{_figures(model)}", ""),))
    if len(summary.models) > len(shown):
        yield Line(((f"  and {len(summary.models) - len(shown)} more", "dim"),))


def _name(model: ModelSummary) -> str:
    return f"{model.provider} {model.model}".strip()


def _figures(model: ModelSummary) -> str:
    return _percentiles(model.first_token, 1, 2) + _percentiles(model.gap, 1000, 0)


def _percentiles(times: Percentiles, factor: int, digits: int) -> str:
    values = (times.p50, times.p95, times.p99)
    return "".join(
        f"{'-':>{_FIGURE}}" if value is None else f"{value * factor:>{_FIGURE},.{digits}f}" for value in values
    )

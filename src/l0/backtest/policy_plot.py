"""The results of a backtest as a picture (SVG): a row per policy; success, latency and cost with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

from .intervals import Estimate
from .policy_backtest import PolicyResult

_ROW, _HEAD, _FOOT, _MARGIN = 28, 92, 44, 20
"""Heights, and the margin at the sides, in pixels."""
_LETTER = 7.2
"""Width of a letter of a label, at most, in pixels."""
_PANEL, _FIGURES, _BETWEEN = 190, 62, 26
"""Widths of a panel, of the figures to its right, and of the space before the next panel, in pixels."""
_MAX_STEPS = 4
"""Steps into which the ticks of an axis divide the range of its values, at most."""
_STEP_FACTORS = (1, 2, 5, 10)
"""A step is one of these times a power of ten."""
_STYLE = """
svg { color-scheme: light dark; background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #1f2328; } .muted { fill: #59636e; font-size: 12px; } .title { font-size: 16px; font-weight: 600; }
.head { font-weight: 600; } .figure, .tick { font-variant-numeric: tabular-nums; }
.grid { stroke: #d1d9e0; } .recorded-at { stroke: #59636e; stroke-dasharray: 3 3; }
.interval { stroke: #0969da; stroke-width: 3; stroke-linecap: round; opacity: .5; } .value { fill: #0969da; }
.recorded .interval { stroke: #59636e; } .recorded .value { fill: #59636e; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; } text { fill: #f0f6fc; } .muted { fill: #9198a1; } .grid { stroke: #3d444d; }
  .recorded-at { stroke: #9198a1; } .interval { stroke: #4493f8; } .value { fill: #4493f8; }
  .recorded .interval { stroke: #9198a1; } .recorded .value { fill: #9198a1; }
}"""


class _Panel(NamedTuple):
    """One figure of all policies. ``form``: the format of its numbers. ``most``: the largest possible value, if any."""

    head: str
    note: str
    form: str
    read: Callable[[PolicyResult], Estimate | None]
    most: float | None = None


class _Scale(NamedTuple):
    """The horizontal axis of a panel, from ``first`` to ``last``, in steps."""

    left: float
    first: float
    last: float
    step: float

    def x(self, value: float) -> float:
        """Return the horizontal position of a value, in pixels."""
        return self.left + _PANEL * (value - self.first) / (self.last - self.first)


def _percent(estimate: Estimate) -> Estimate:
    return Estimate(*(100 * value for value in estimate))


_PANELS = (
    _Panel(
        "Success (%)",
        "of known results: right is better",
        ".1f",
        lambda result: _percent(result.success),
        100.0,
    ),
    _Panel("First token, p95 (s)", "left is better", ".3g", lambda result: result.first_token_s[1]),
    _Panel("Extra requests per call", "left is better", ".3f", lambda result: result.extra_requests),
)


def plot(results: Sequence[PolicyResult]) -> str:
    """Return an SVG document. Dashed lines mark the values of the first result, to which the others are compared."""
    labels = _LETTER * max(len(result.name) for result in results)
    panels = len(_PANELS) * (_PANEL + _FIGURES + _BETWEEN) - _BETWEEN
    width, height = round(2 * _MARGIN + labels + _BETWEEN + panels), _HEAD + _ROW * len(results) + _FOOT
    number = len(results[0].calls)
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"<title>Backtest of {number:,} recorded calls</title><style>{_STYLE}</style>",
        _text(_MARGIN, 30, f"Backtest of {number:,} recorded calls", "title"),
        _text(_MARGIN, height - 12, "Bars: 95 % intervals. Dashed: as recorded.", "muted"),
    ]
    for row, result in enumerate(results):
        lines.append(_text(_MARGIN, _middle(row) + 4, result.name, "label"))
    left = _MARGIN + labels + _BETWEEN
    for panel in _PANELS:
        lines += _panel_lines(panel, results, left)
        left += _PANEL + _FIGURES + _BETWEEN
    return "\n".join([*lines, "</svg>", ""])


def _panel_lines(panel: _Panel, results: Sequence[PolicyResult], left: float) -> Iterator[str]:
    estimates = [panel.read(result) for result in results]
    scale = _scale(left, [estimate for estimate in estimates if estimate is not None], panel.most)
    bottom = _HEAD + _ROW * len(results)
    yield _text(left, 58, panel.head, "head")
    yield _text(left, 76, panel.note, "muted")
    for count in range(round((scale.last - scale.first) / scale.step) + 1):
        value = scale.first + count * scale.step
        yield _line(scale.x(value), _HEAD, scale.x(value), bottom, "grid")
        yield _text(scale.x(value), bottom + 16, f"{value:.10g}", "muted tick", "middle")
    if estimates[0] is not None:
        yield _line(scale.x(estimates[0].value), _HEAD, scale.x(estimates[0].value), bottom, "recorded-at")
    for row, estimate in enumerate(estimates):
        figure = "unknown" if estimate is None else f"{estimate.value:{panel.form}}"
        yield f'<g class="{"recorded" if row == 0 else "policy"}">'
        if estimate is not None:
            low, high = (min(max(end, scale.first), scale.last) for end in estimate[1:])
            yield _line(scale.x(low), _middle(row), scale.x(high), _middle(row), "interval")
            yield f'<circle class="value" cx="{scale.x(estimate.value):.1f}" cy="{_middle(row)}" r="5"/>'
        yield _text(left + _PANEL + _FIGURES, _middle(row) + 4, figure, "figure", "end")
        yield "</g>"


def _scale(left: float, estimates: Sequence[Estimate], most: float | None) -> _Scale:
    """Return an axis with round ends that holds all intervals."""
    low = max(min((estimate.low for estimate in estimates), default=0.0), 0.0)
    high = max((estimate.high for estimate in estimates), default=1.0)
    if most is None:
        low = 0.0  # times and counts are compared from zero; shares near 100 % would all look the same from there
    span = max(high - low, 1e-3)
    unit = 10.0 ** floor(log10(span / _MAX_STEPS))
    # The 1e-9 keep rounding errors from adding a step.
    step = next(unit * factor for factor in _STEP_FACTORS if unit * factor * _MAX_STEPS >= span * (1 - 1e-9))
    first, last = step * floor(low / step + 1e-9), step * ceil(high / step - 1e-9)
    return _Scale(left, first, max(last if most is None else min(last, most), first + step), step)


def _middle(row: int) -> int:
    return _HEAD + _ROW * row + _ROW // 2


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'

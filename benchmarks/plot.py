"""The picture of a report (SVG): the CPU time of L0 and of other libraries relative to the bare SDK, on a log axis.

Each case is a row, and in it each variant has a separate lane, so that nothing is drawn over anything else. A dot is
the median of the rounds, a line their range. The axis holds all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

from .cases import GROUPS
from .report import CaseReport, Report, Spread, beside_peers, peers_of, ratio
from .variants import FULL, TITLES

WIDTH, LEFT, RIGHT = 860.0, 190.0, 150.0
"""Width of the picture, and of the columns of labels and figures beside the axis, in pixels."""
LETTER = 7.2
"""Width of a letter, at most, in pixels."""
_MARGIN, _HEADING, _LINE, _FOOT = 20.0, 30.0, 22.0, 74.0
_LANE, _GAP = 8.0, 14.0
"""Heights: of a lane, and of the space between two rows."""
_TICKS = (1, 2, 5)
_MANY_DECADES = 4
"""If the axis spans this many powers of ten or more, only those are ticks."""
_COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#9a6700", "#57606a")
"""The colour of L0, then those of the peers."""
_STYLE = """
svg { color-scheme: light dark; background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #1f2328; } .muted { fill: #59636e; font-size: 12px; } .title { font-size: 16px; font-weight: 600; }
.head { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 5px; }
.strong { font-weight: 600; } .figure, .tick { font-variant-numeric: tabular-nums; }
.grid { stroke: #d1d9e0; } .bare { stroke: #1f2328; stroke-dasharray: 4 3; }
.range { stroke-width: 2; stroke-linecap: round; opacity: .6; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; } text { fill: #f0f6fc; } .muted { fill: #9198a1; } .grid { stroke: #3d444d; }
  .head { stroke: #0d1117; } .bare { stroke: #f0f6fc; } .range, .value { filter: brightness(1.5); }
}"""


class Axis(NamedTuple):
    """The log axis: the exponents of its ends, and its ticks."""

    first: float
    last: float
    ticks: list[float]

    def at(self, value: float) -> float:
        """Return the horizontal position of a ratio, in pixels."""
        width = WIDTH - 2 * _MARGIN - LEFT - RIGHT
        return _MARGIN + LEFT + width * (log10(value) - self.first) / (self.last - self.first)


def plot(report: Report) -> str:
    """Return an SVG document with a row for each case in which other libraries took part."""
    cases = sorted(beside_peers(report), key=lambda case: [*GROUPS].index(case["group"]))
    variants = [FULL, *peers_of(cases)]
    axis = _axis([each for case in cases for name in variants if (each := ratio(case, name))])
    title = "CPU time relative to the bare SDK"
    colours = dict(zip(variants, _COLOURS, strict=False))
    legend, top = _legend(colours)
    rows, bottom = _rows(cases, colours, axis, top + _GAP)
    machine = report["machine"]
    day = report["taken"].partition("T")[0]
    height = round(bottom + _FOOT)
    size = f'width="{WIDTH:.0f}" height="{height}" viewBox="0 0 {WIDTH:.0f} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{title}: L0 and other libraries</title><style>{_STYLE}</style>",
            _text(_MARGIN, 30, title, "title"),
            _text(WIDTH - _MARGIN, 30, "left is better", "muted", "end"),
            *legend,
            *_grid(axis, top, bottom),
            *rows,
            _text(
                _MARGIN,
                height - 30,
                "Dots: medians, in the order of the names above. Lines: lowest to highest round.",
                "muted",
            ),
            _text(_MARGIN, height - 12, f"{report['rounds']} rounds, {machine['python']}, {day}", "muted"),
            "</svg>",
            "",
        ]
    )


def _axis(found: Sequence[Spread]) -> Axis:
    """Return an axis that holds all ranges and the bare SDK, from one tick to another."""
    low = min([1.0, *(each.low for each in found)])
    high = max([1.0, *(each.high for each in found)])
    decades = range(floor(log10(low)), floor(log10(high)) + 2)
    factors = _TICKS if log10(high / low) < _MANY_DECADES else _TICKS[:1]
    ticks = [factor * 10.0**decade for decade in decades for factor in factors]
    first = max((tick for tick in ticks if tick <= low), default=ticks[0])
    last = min((tick for tick in ticks if tick >= high and tick > first), default=ticks[-1])
    return Axis(log10(first), log10(last), [tick for tick in ticks if first <= tick <= last])


def _legend(colours: dict[str, str]) -> tuple[list[str], float]:
    """Return the names of the variants, in lines of the picture's width, and the vertical position of their end."""
    made, x, y = [], _MARGIN, 58.0
    for name, colour in colours.items():
        width = 14 + LETTER * len(TITLES[name]) + 18
        if x + width > WIDTH - _MARGIN:
            x, y = _MARGIN, y + _LINE
        made.append(f'<circle cx="{x + 5:.1f}" cy="{y - 4:.1f}" r="{_radius(name)}" fill="{colour}"/>')
        made.append(_text(x + 14, y, TITLES[name], "strong" if name == FULL else "name"))
        x += width
    return made, y + _GAP


def _rows(cases: list[CaseReport], colours: dict[str, str], axis: Axis, top: float) -> tuple[list[str], float]:
    """Return the rows below the headings of their groups, and the vertical position of their end."""
    made: list[str] = []
    group = ""
    for case in cases:
        if case["group"] != group:
            group = case["group"]
            top += _HEADING
            made.append(_text(_MARGIN, top - 8, GROUPS[group], "head"))
        lanes = [(name, found) for name in colours if (found := ratio(case, name))]
        height = max(_LANE * len(lanes), _LINE)
        made += _row(case, lanes, colours, axis, top)
        top += height + _GAP
    return made, top


def _row(
    case: CaseReport, lanes: list[tuple[str, Spread]], colours: dict[str, str], axis: Axis, top: float
) -> Iterator[str]:
    yield f'<g class="row"><title>{escape(case["name"])}</title>'
    yield _text(_MARGIN, top + 9, case["label"], "label")
    for number, (name, found) in enumerate(lanes):
        y = top + _LANE * (number + 0.5)
        paint = f'stroke="{colours[name]}"'
        yield f'<g class="lane"><title>{escape(TITLES[name])}: {found}</title>'
        yield _line(axis.at(found.low), y, axis.at(found.high), y, "range", paint)
        yield (
            f'<circle class="value" cx="{axis.at(found.median):.1f}" cy="{y:.1f}" r="{_radius(name)}" '
            f'fill="{colours[name]}"/></g>'
        )
        if name == FULL:
            yield _text(WIDTH - _MARGIN, top + 9, f"{TITLES[FULL]} {found}", "figure", "end")
    yield "</g>"


def _grid(axis: Axis, top: float, bottom: float) -> Iterator[str]:
    for tick in axis.ticks:
        kind = "bare" if tick == 1 else "grid"
        yield _line(axis.at(tick), top, axis.at(tick), bottom, kind)
        label = "1 = bare" if tick == 1 else f"{tick:g}"
        yield _text(axis.at(tick), bottom + 18, label, "muted tick", "middle")


def _radius(name: str) -> float:
    return 5 if name == FULL else 3.5


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str, paint: str = "") -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" {paint}/>'

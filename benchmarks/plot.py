"""The picture of a report that the README shows."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from .report import Report
from .variants import BARE, FULL, OWN

_PANELS = (
    ("streams", "25 streams of 200 tokens"),
    ("burst", "one stream of 5,000 tokens"),
    ("concurrent", "concurrent async streams, chat"),
    ("whole", "answers in one piece, to one message and after 50 turns"),
    ("length", "length of the answer, chat"),
)
_TOP = 2.0
"""The end of the axis, as a multiple of the bare SDK. A higher bar is cut, and its label gives its height."""
_COLOURS = ("#7bb6e0", "#1565c0", "#0b3c78", "#3fa7a0", "#e0a458", "#c97b63", "#8d6a9f", "#6a994e", "#b56576")


def draw(report: Report, path: Path, titles: dict[str, str]) -> None:
    """Write a PNG: CPU per event as a share of the bare SDK's in the same run. ``titles``: peers' by name.

    Needs matplotlib.
    """
    import_module("matplotlib").use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    titles = {name: title for name, title in (OWN | titles).items() if name != BARE}
    colours = dict(zip(titles, _COLOURS, strict=True))
    panels = [(group, title) for group, title in _PANELS if any(case["group"] == group for case in report["cases"])]
    figure, axes = plt.subplots(len(panels), 1, figsize=(13, 2.7 * len(panels)), squeeze=False, layout="constrained")
    shown: dict[str, Any] = {}
    for axis, (group, title) in zip(axes[:, 0], panels, strict=True):
        shown |= _panel(axis, [case for case in report["cases"] if case["group"] == group], title, colours)
    names = [name for name in titles if name in shown]
    figure.legend(
        [shown[name] for name in names],
        [titles[name] for name in names],
        loc="outside upper center",
        ncols=4,
        fontsize=9,
    )
    told = report["machine"]
    figure.supxlabel(
        "CPU per event as a share of the bare SDK's (dashed line) in the same run; lower is better\n"
        f"{told['cpu']}, {told['cores']} cores, {told['python']}; minimum of up to {report['rounds']} rounds in turn",
        fontsize=8,
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Any, cases: list[dict[str, Any]], title: str, colours: dict[str, str]) -> dict[str, Any]:
    """Draw one panel; the bars of each variant that has figures in it."""
    variants = [name for name in colours if any("ratio" in case["variants"].get(name, {}) for case in cases)]
    width = 0.84 / max(len(variants), 1)
    shown: dict[str, Any] = {}
    for number, variant in enumerate(variants):
        ratios = [(place, case["variants"].get(variant, {}).get("ratio")) for place, case in enumerate(cases)]
        known = [(place, ratio) for place, ratio in ratios if ratio is not None]
        places = [place - 0.42 + width * (number + 0.5) for place, _ in known]
        heights = [min(ratio, _TOP) for _, ratio in known]
        bars = axis.bar(places, heights, width * 0.92, color=colours[variant])
        labels = [f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}" for _, ratio in known]
        axis.bar_label(bars, labels, fontsize=7.5, padding=1, fontweight="bold" if variant == FULL else "normal")
        shown[variant] = bars
    axis.axhline(1.0, color="#555555", linewidth=1, linestyle="--")
    axis.set_ylim(0, _TOP * 1.1 if any(bar.get_height() > 1 for bars in shown.values() for bar in bars) else 1.15)
    axis.set_xticks(range(len(cases)), [_label(case["name"]) for case in cases])
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    return shown


def _label(name: str) -> str:
    """The case's name, without what its panel says of all its cases; in two lines if there are many."""
    short = name.partition(", 25")[0].partition(", 1 x")[0]
    return short.replace(" whole", "\none message").replace(", 50 turns", "\n50 turns")

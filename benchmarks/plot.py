"""The picture of a report that the README shows."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from .report import Report
from .variants import BARE, FULL, OWN

_PANELS = (
    ("streams", "25 streams of 200 tokens: µs of CPU per event"),
    ("burst", "one stream of 5,000 tokens: µs of CPU per event"),
    ("concurrent", "concurrent async streams, chat: µs of CPU per event"),
    ("length", "cost by length of the answer, chat: µs of CPU per event"),
)
_COLOURS = ("#9aa5b1", "#7bb6e0", "#1565c0", "#e0a458", "#c97b63", "#8d6a9f", "#6a994e", "#b56576")


def draw(report: Report, path: Path, titles: dict[str, str]) -> None:
    """Write a PNG. ``titles``: peers' titles by name. Needs matplotlib."""
    import_module("matplotlib").use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    titles = OWN | titles
    panels = [(group, title) for group, title in _PANELS if any(case["group"] == group for case in report["cases"])]
    figure, axes = plt.subplots(len(panels), 1, figsize=(11, 3.1 * len(panels)), squeeze=False, layout="constrained")
    for axis, (group, title) in zip(axes[:, 0], panels, strict=True):
        _panel(axis, [case for case in report["cases"] if case["group"] == group], title, titles)
    axes[0, 0].legend(ncols=4, fontsize=8, frameon=False, loc="upper right")
    told = report["machine"]
    figure.supxlabel(
        f"{told['cpu']}, {told['cores']} cores, {told['python']}; minimum of up to {report['rounds']} interleaved "
        "rounds; labels: share of the bare SDK in the same run",
        fontsize=8,
        color="#555555",
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _panel(axis: Any, cases: list[dict[str, Any]], title: str, titles: dict[str, str]) -> None:
    variants = [name for name in titles if any(name in case["variants"] for case in cases)]
    width = 0.82 / len(variants)
    for number, variant in enumerate(variants):
        places, heights, labels = [], [], []
        for place, case in enumerate(cases):
            figures = case["variants"].get(variant, {})
            if "min" not in figures:
                continue
            places.append(place - 0.41 + width * (number + 0.5))
            heights.append(figures["min"])
            shown = variant != BARE and "ratio" in figures
            labels.append(f"{figures['ratio']:.2f}" if shown else "")
        colour = _COLOURS[number % len(_COLOURS)]
        bars = axis.bar(places, heights, width * 0.94, label=titles[variant], color=colour)
        weight = "bold" if variant == FULL else "normal"
        axis.bar_label(bars, labels, fontsize=7, padding=1, fontweight=weight)
    axis.set_xticks(
        range(len(cases)),
        [
            case["name"].partition(",")[0]
            if "," in case["name"] and case["group"] in ("streams", "burst")
            else case["name"]
            for case in cases
        ],
        fontsize=8,
    )
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(y=0.18)
    axis.tick_params(axis="y", labelsize=8)

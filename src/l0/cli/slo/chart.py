"""Draw a text chart with one column per value, in eighths of a block character."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII = " .:-=+*#@"


def chart(values: Sequence[float | None], *, height: int, low: float, high: float, plain: bool = False) -> list[str]:
    """Return the lines of a chart from top to bottom, with the axis on the left.

    ``height``: lines. ``low``, ``high``: the values at the bottom and the top, as shares; the axis shows percent. A
    value outside is drawn at the edge; ``None`` leaves its column empty.
    """
    blocks = _ASCII if plain else _BLOCKS
    filled = [None if value is None else _eighths(value, low, high, height) for value in values]
    lines = []
    for row in range(height - 1, -1, -1):
        cells = (" " if eighths is None else blocks[min(8, max(0, eighths - 8 * row))] for eighths in filled)
        share = low + (high - low) * (row + 1) / height
        lines.append(f"{share:>7.0%} {'|' if plain else '┤'}{''.join(cells)}")
    return lines


def _eighths(value: float, low: float, high: float, height: int) -> int:
    """Return the height of a column in eighths, at least one so that every value is visible."""
    share = (min(max(value, low), high) - low) / (high - low)
    return max(1, round(share * 8 * height))

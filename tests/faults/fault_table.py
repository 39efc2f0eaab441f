"""The table of docs/faults.md: a row for each fault, in which equal results of dialects and of modes are one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from matrix import MODES


def folded(lines: Iterable[Sequence[str]], dialects: int) -> Iterator[str]:
    """Yield the table of lines, each with number, fault, dialect and a result for each mode.

    ``dialects``: how many there are. A fault of fewer names them.
    """
    yield f"| # | fault | {' | '.join(MODES)} |"
    yield "|" + "---|" * (2 + len(MODES))
    for (number, fault), group in groupby(lines, lambda line: tuple(line[:2])):
        rows = list(group)
        names = [row[2] for row in rows]
        title = fault if len(names) == dialects else f"{fault} ({', '.join(names)})"
        first, *others = (_cell(names, [row[3 + mode] for row in rows]) for mode in range(len(MODES)))
        yield _row(number, title, first, *("" if cell == first else cell for cell in others))


def _cell(dialects: Sequence[str], results: Sequence[str]) -> str:
    """Return the results of one mode: each once, with its dialects if there are several."""
    by_result: dict[str, list[str]] = {}
    for dialect, result in zip(dialects, results, strict=True):
        by_result.setdefault(result, []).append(dialect)
    if len(by_result) == 1:
        return results[0]
    return "; ".join(f"{', '.join(names)}: {result}" for result, names in by_result.items())


def _row(*cells: str) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"

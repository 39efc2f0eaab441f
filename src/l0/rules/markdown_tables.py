"""Read rows of Markdown tables (GitHub Flavored Markdown)."""

from __future__ import annotations

import re

_PIPE = re.compile(r"(?<!\\)(?:\\\\)*\|")


def count_cells(line: str) -> int:
    """Return the number of cells of a table row. The pipes at its two ends are optional."""
    row = line.strip()
    pipes = len(_PIPE.findall(row)) if "\\" in row else row.count("|")
    opened = row.startswith("|")
    closed = row.endswith("|") and not row.endswith("\\|") and pipes > opened
    return pipes + 1 - opened - closed

"""Progress bar for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[], None]
"""Advances the bar by one task."""


@contextmanager
def bar(title: str | None, total: int | None) -> Iterator[Step]:
    """Show a progress bar on stderr while the block runs, if ``title`` is not ``None`` and stderr is a terminal.

    ``total``: number of tasks, or ``None`` if unknown. Raises `ImportError` if rich is not installed.
    """
    if title is None or not sys.stderr.isatty():
        yield lambda: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError as error:
        raise ImportError('a progress bar needs the extra `cli`: pip install "l0-otel[cli]"') from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as shown:
        task = shown.add_task(title, total=total)
        yield lambda: shown.advance(task)

"""A progress bar, where a terminal is to show it on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[], None]
"""One more task is over."""


@contextmanager
def bar(title: str | None, total: int | None) -> Iterator[Step]:
    """A bar on the terminal behind stderr. ``title`` ``None``, or no terminal: nothing is shown.

    ``total``: how many tasks there are; ``None`` where that is not known. Raises `ImportError` without rich.
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

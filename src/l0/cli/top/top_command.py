"""The command `l0 top`: read the overview of a running viewer, and show it once, or refresh it until a key ends it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from ..inputs import InputError, check_range
from ..viewer_api import NoServerError, ViewerClient, ViewerError
from .overview_screen import overview_rows
from .styled_rows import Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from l0.viewer.api_contract import ListedCall, Overview

_LISTED_CALLS = 3
"""The number of failed calls that are listed, and of slowest calls."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The state of the viewer at one time. ``failed``: the newest failed calls."""

    overview: Overview
    failed: Sequence[ListedCall]
    slowest: Sequence[ListedCall]

    def rows(self, width: int, height: int | None = None) -> list[Row]:
        return overview_rows(self.overview, width, height, self.failed, self.slowest)


def _read(args: argparse.Namespace, client: ViewerClient) -> _Reading:
    parameters = _parameters(args)
    few_calls = parameters | {"limit": str(_LISTED_CALLS)}
    return _Reading(
        overview=client.overview(parameters),
        failed=client.calls(few_calls | {"outcome": "failed"})["calls"],
        slowest=client.calls(few_calls | {"sort": "duration"})["calls"],
    )


def top(args: argparse.Namespace) -> int:
    """Show the overview. Return 0. Raises `InputError` if an option is out of range, or if no viewer answers."""
    check_range("--port", args.port, 1, 65_535)
    check_range("--interval", args.interval, 0.1, 3_600)
    if args.minutes is not None:
        check_range("--minutes", args.minutes, 0.01, 10_000_000)
    client = ViewerClient(args.port)
    try:
        client.about()  # raises if no viewer listens at the port
        reading = _read(args, client)
    except NoServerError as error:
        port = "" if args.port == 4318 else f" --port {args.port}"
        raise InputError(f"{error}; start the viewer with: l0 view{port}") from error
    except ViewerError as error:
        raise InputError(f"{error}; give the port of l0 view with --port") from error
    try:
        return _show(args, client, reading)
    except KeyboardInterrupt:
        return 0


def _show(args: argparse.Namespace, client: ViewerClient, reading: _Reading) -> int:
    console = _console() if sys.stdout.isatty() and not args.once else None
    if console is None:
        print(*_plain([_heading(args, client), *reading.rows(get_terminal_size().columns)]), sep="\n")
    else:
        _refresh(args, client, reading, console)
    return 0


def _console() -> Console | None:
    """Return the terminal on stdout; ``None``, perhaps after a hint on stderr, if it cannot be refreshed."""
    if find_spec("rich") is None:
        print("l0 top: printed once; for a screen that refreshes, run: pip install 'l0-otel[cli]'", file=sys.stderr)
        return None
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    return None if console.is_dumb_terminal else console


def _refresh(args: argparse.Namespace, client: ViewerClient, reading: _Reading, console: Console) -> None:
    """Show the overview until a key ends it. While the viewer does not answer, the last overview stays."""
    from rich.live import Live

    from .key_presses import key_presses

    problem = ""
    with key_presses() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(args, client, reading, console, problem), refresh=True)
            if pressed(args.interval) in ("q", "Q"):
                return
            try:
                reading, problem = _read(args, client), ""
            except ViewerError as error:
                problem = str(error)


def _screen(args: argparse.Namespace, client: ViewerClient, reading: _Reading, console: Console, problem: str) -> Text:
    from rich.text import Text

    width, height = console.size
    rows = reading.rows(width, height - 2)
    rows += [[]] * (height - 2 - len(rows))
    end: Row = [(problem[:width], "red")] if problem else [("q ends", "dim")]
    lines = (Text.assemble(*row) for row in [_heading(args, client), *rows, end])
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


def _heading(args: argparse.Namespace, client: ViewerClient) -> Row:
    filters = [*args.provider, *args.model, *([f"last {args.minutes:g} minutes"] if args.minutes else [])]
    return [("l0 top", "bold"), (f"  {client.origin}  {time.strftime('%H:%M:%S')}  {', '.join(filters)}", "dim")]


def _parameters(args: argparse.Namespace) -> dict[str, str | list[str]]:
    parameters: dict[str, str | list[str]] = {"provider": args.provider, "model": args.model}
    if args.minutes is not None:
        parameters["since"] = str((time.time() - args.minutes * 60) * 1e3)  # in ms
    return parameters


def _plain(rows: list[Row]) -> list[str]:
    text = ["".join(part for part, _ in row).rstrip() for row in rows]
    encoding = sys.stdout.encoding or "ascii"
    return [line.encode(encoding, "replace").decode(encoding) for line in text]

"""The `l0 demo` command: the runs, the screen and the exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..inputs import InputError
from .demo_calls import perform, prepare
from .demo_state import DemoOptions


def demo(options: DemoOptions, *, plain: bool = False, details: bool = False, svg: Path | None = None) -> int:
    """Run the demo and show it.

    Return exit code 0 if l0 delivered no broken answer, 1 if it did, 130 after an interruption. Raises `InputError`.
    """
    if find_spec("rich") is None:
        raise InputError("the demo requires rich: pip install 'l0-otel[cli]'")
    from . import screen  # rich is an extra
    from .next_steps import installed_commands

    _check_writable(svg)
    plain = plain or not sys.stdout.isatty()
    prepared, planned = prepare(options)
    if prepared.telemetry.warning:
        print(f"warning: --otlp: {prepared.telemetry.warning}; the demo continues without it", file=sys.stderr)
    console, commands = screen.console(plain=plain), installed_commands()
    interrupted = False
    with _quiet():
        try:
            with screen.live(prepared, console, commands, plain=plain):
                # Plain output prints the first half before the runs, because they take a while.
                print_opening = (
                    (lambda: console.print(screen.opening(prepared, plain=True))) if plain else (lambda: None)
                )
                perform(prepared, planned, example_done=print_opening)
        except KeyboardInterrupt:
            interrupted = True
        if not plain:
            console.print(screen.opening(prepared, plain=False))
        # Uncropped, so that a command can be copied even if the path in it is longer than a line.
        console.print(screen.closing(prepared, commands, plain=plain, with_details=details), crop=False)
        if interrupted:
            raise KeyboardInterrupt
    if svg is not None:
        screen.save_svg(prepared, svg)
    if wrong := prepared.wrong:
        print(screen.evidence(wrong), file=sys.stderr)
    return 1 if wrong else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Mute the log lines of recoveries: the screen counts the recoveries, and the lines would be printed over it.

    After an interruption they stay muted, since calls that are still in flight fail when the provider has stopped.
    """
    log = logging.getLogger("l0")
    level = log.level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(level)


def _check_writable(svg: Path | None) -> None:
    """Raise `InputError` if the file cannot be written: before the runs, which take a while, rather than after them."""
    if svg is None:
        return
    try:
        svg.open("a").close()
    except OSError as error:
        raise InputError(f"--svg: cannot write {svg}: {error.strerror}") from error

"""The `l0 demo` command: both runs, the screen and the exit code."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from ..inputs import InputError
from .demo_calls import perform, prepare
from .demo_state import DemoOptions


def demo(options: DemoOptions, *, plain: bool = False, svg: Path | None = None) -> int:
    """Run the demo and show it. Return exit code 0 if l0 delivered no broken answer, else 1. Raises `InputError`."""
    if find_spec("rich") is None:
        raise InputError("the demo requires rich: pip install 'l0-otel[cli]'")
    from . import screen  # rich is an extra

    _check_writable(svg)
    plain = plain or not sys.stdout.isatty()
    prepared, planned = prepare(options)
    if prepared.telemetry.warning:
        print(f"warning: --otlp: {prepared.telemetry.warning}; the demo continues without it", file=sys.stderr)
    console = screen.console(plain=plain)
    with screen.live(prepared, console, plain=plain):
        perform(prepared, planned)
    console.print(screen.picture(prepared, plain=plain))
    if svg is not None:
        screen.save_svg(prepared, svg)
    if wrong := prepared.covered.wrong:
        print(screen.evidence(wrong), file=sys.stderr)
    return 1 if wrong else 0


def _check_writable(svg: Path | None) -> None:
    """Raise `InputError` if the file cannot be written. Called before the run, which takes a while."""
    if svg is None:
        return
    try:
        svg.open("a").close()
    except OSError as error:
        raise InputError(f"--svg: cannot write {svg}: {error.strerror}") from error

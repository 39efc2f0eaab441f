"""The options of `l0 top`."""

from __future__ import annotations

import argparse

DESCRIPTION = """Show the overview of a running l0 view in the terminal: calls, success, times to first chunk and gaps
of each model, causes of failed attempts, error budgets in danger, the newest failed calls and the slowest ones. It is
refreshed until q or Ctrl-C; into a pipe, or without rich (pip install 'l0-otel[cli]'), it is printed once. Exit code:
0, or 2 for invalid input and if no l0 view answers."""


def add_arguments(top: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = top.add_argument
    add("--port", type=int, default=4318, help="port of l0 view on this machine (default: 4318)")
    add("--minutes", type=float, metavar="N", help="only calls of the last N minutes (default: all that are kept)")
    add("--provider", action="append", default=[], metavar="NAME", help="only this provider; may be repeated")
    add("--model", action="append", default=[], metavar="NAME", help="only this requested model; may be repeated")
    add("--interval", type=float, default=2.0, metavar="S", help="seconds between two refreshes (default: 2)")
    add("--once", action="store_true", help="print the overview once, and end")

"""The console of rich for the output of commands."""

from __future__ import annotations

from rich.console import Console


class OutputConsole(Console):
    """A console on stdout. If nobody reads it any longer, `main` ends the command, as for output without rich."""

    def on_broken_pipe(self) -> None:
        """Raise the error again: rich would exit with code 1, which has another meaning in some commands."""
        raise  # noqa: PLE0704 - rich calls this in its handler of the `BrokenPipeError`

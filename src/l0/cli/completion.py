"""Print a script that completes `l0` in a shell. shtab makes it from the parser, so TAB starts no Python."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .inputs import InputError

DESCRIPTION = """Print a script that completes commands, options and file names in a shell. It needs shtab, which
the extra `cli` installs. bash: eval "$(l0 completion bash)" in ~/.bashrc. zsh: l0 completion zsh > FOLDER/_l0, with a
FOLDER of your $fpath. tcsh: l0 completion tcsh > FILE, and source FILE in ~/.tcshrc. Print it again after an update of
L0. Exit code: 0, or 2 without shtab."""
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(completion: argparse.ArgumentParser) -> None:
    """Add the name of the shell."""
    completion.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def print_completion(parser: argparse.ArgumentParser, shell: str) -> int:
    """Print the script for `shell` that completes the command line of `parser`."""
    try:
        import shtab
    except ImportError as error:
        raise InputError("the script requires shtab: pip install 'l0-otel[cli]'") from error
    complete_paths(parser, file=shtab.FILE, folder=shtab.DIRECTORY)
    print(shtab.complete(parser, shell))
    return 0


def complete_paths(parser: argparse.ArgumentParser, *, file: Mapping[str, Any], folder: Mapping[str, Any]) -> None:
    """Let arguments that are paths be completed: with folders if the placeholder is one, else with files and folders.

    A path is recognized by its type or its placeholder.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                complete_paths(command, file=file, folder=folder)
        elif action.metavar in ("DIR", "FOLDER"):
            setattr(action, "complete", folder)  # noqa: B010 - shtab reads it; argparse does not declare it
        elif action.type is Path or action.metavar in ("FILE", "PROGRAM"):
            setattr(action, "complete", file)  # noqa: B010 - the same

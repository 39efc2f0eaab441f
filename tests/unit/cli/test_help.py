"""Every command has a description, and each of its arguments a help text."""

import argparse
import runpy
from pathlib import Path

import pytest

from l0.cli.main import _parser

DOCS_TABLES = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "docs_tables.py"))
COMMANDS = dict(DOCS_TABLES["_subcommands"]("l0", _parser()))


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_help_text(name: str) -> None:
    parser: argparse.ArgumentParser = COMMANDS[name]
    arguments = [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]
    assert parser.description
    assert [action.dest for action in arguments if not action.help] == []

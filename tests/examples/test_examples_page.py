"""docs/examples.md shows the command of every example, and no other."""

import re

from examples_kit import ROOT, commands

PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


def test_page_shows_the_command_of_every_example() -> None:
    shown = re.findall(r"^\$ ((?:python|pytest) .*)$", PAGE, re.MULTILINE)
    assert sorted(shown) == sorted(commands().values())


def test_example_says_in_its_first_lines_what_it_needs_and_how_to_run_it() -> None:
    for name in commands():
        head = (ROOT / "examples" / name).read_text(encoding="utf-8").split('"""')[1]
        assert "    pip install " in head, name

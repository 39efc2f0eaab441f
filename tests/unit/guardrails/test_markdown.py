"""Markdown: what is broken is told, and what GitHub would show as meant is not."""

import pytest
from guardrails_kit import cut, however_cut, places, said
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.guardrails.catalogue import Guardrails
from l0.guardrails.markdown import MarkdownRule
from l0.values.rules import Severity

RULE = MarkdownRule()
OPEN = "a code fence is never closed"

CLEAN = (
    "",
    "prose",
    "```\ncode\n```",
    "```python\nprint('|')\n```\n",
    "~~~\n```\n~~~",
    "````\n```\ncode\n```\n````",
    "```\ncode\n````",
    "  ```\n  code\n  ```",
    "> ```\n> code\n> ```",
    "- ```sh\n  ls\n  ```",
    "1. ```sh\n   ls\n   ```\n2. done",
    "```\r\ncode\r\n```\r\n",
    "inline ```code``` here",
    "```not a fence```",
    "a `b` c ``d ` e`` f",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "| a | b |\n|:--|--:|\n| 1 | 2 |",
    "a | b\n--|--\n1 | 2\n\nprose | with pipe",
    "| a |\n|---|\n| 1 |",
    "| a | b |\n|---|---|\n| x \\| y | 2 |\n",
    "| a | b |\n|---|---|\n| 1 | |\n",
    "cat x | grep y\nls | wc",
    "| just a line |",
    "a | b\nno table",
    "- a\n- b\n  - c\n- d",
    "1. a\n2. b\n3. c",
    "1. a\n1. b\n1. c",
    "0. a\n1. b",
    "3. a\n4. b",
    "1. a\n   1. x\n   2. y\n2. b",
    "1. a\n\n   more\n\n2. b",
    "1. a\n2. b\n\nprose\n\n7. other",
    "1. a\n# Heading\n5. b",
    "1. a\n2. b\n\n1. c",
    "1) a\n2) b",
    "- 1. a\n- b",
    "**bold** and *soft*",
    "2**3 is 8",
    "def f(**kwargs)",
    "***both***",
    "**a** b **c**",
    "see [x](https://x.y/z_(a)) now",
    "see [x](https://x.y)",
    "f[0](1)",
    "42.",
    "-5",
    "# Title",
    "---",
    "[1]",
    '{"a": [1, 2]}',
    "ends with a list\n- a\n- b\n",
)
BROKEN = (
    ("```\ncode", OPEN, 0),
    ("text\n```python\nprint()\n", OPEN, 5),
    ("```\na\n```\n```\nb", OPEN, 10),
    ("````\ncode\n```", OPEN, 0),
    ("~~~\ncode\n```", OPEN, 0),
    ("```\ncode\n``` x", OPEN, 0),
    ("> ```\n> code", OPEN, 0),
    ("- ```sh\n  ls", OPEN, 0),
    ("```", OPEN, 0),
    ("text\n\n```js", OPEN, 6),
    ("| a | b |\n|---|\n| 1 | 2 |\n", "a table's header has 2 cells, the line under it 1", 10),
    ("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", "a table row has 3 cells, its header 2", 20),
    ("a | b\n--|--\n1 | 2 | 3", "a table row has 3 cells, its header 2", 12),
    ("| a | b |\n|---|---|\n| 1 |\n", "a table row has 1 cells, its header 2", 20),
    ("| a | b |\n|---|---|\n| 1 | 2", "the end breaks off in a table row", 27),
    ("1. a\n2. b\n4. c", "a list goes from 2 to 4", 10),
    ("1. a\n3. b", "a list goes from 1 to 3", 5),
    ("1. a\n   1. x\n   3. y\n", "a list goes from 1 to 3", 13),
    ("2) a\n5) b\n", "a list goes from 2 to 5", 5),
    ("Steps:\n\n1. a\n\n3. b", "a list goes from 1 to 3", 14),
    ("- a\n- ", "the end is a mark without its text", 6),
    ("text\n##", "the end is a mark without its text", 7),
    ("1. a\n2.", "the end is a mark without its text", 7),
    ("text\n[see", "the end is a mark without its text", 9),
    ("call `foo", "the end leaves a code span open", 9),
    ("``a` b", "the end leaves a code span open", 6),
    ("this is **very", "the end leaves bold text open", 14),
    ("**a** and **b", "the end leaves bold text open", 13),
    ("see [x](https://x", "the end leaves a link open", 17),
    ("![x](a.png", "the end leaves a link open", 10),
)


@pytest.mark.parametrize("text", CLEAN)
def test_clean(text: str) -> None:
    assert not however_cut(RULE, text)


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
def test_broken(text: str, message: str, at: int) -> None:
    assert [(found.message, found.at) for found in however_cut(RULE, text)] == [(message, at)]


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
def test_broken_behind_much_else(text: str, message: str, at: int) -> None:
    lead = "Prose, `code`.\n\n- item\n\n```\n**x\n```\n\n"
    assert [(found.message, found.at) for found in however_cut(RULE, lead + text)] == [(message, len(lead) + at)]


def test_an_open_fence_is_as_severe_as_asked_the_rest_a_warning() -> None:
    strict = Guardrails.markdown_rule(severity="error")
    assert [found.severity for found in said(strict, "1. a\n3. b\n```\n")] == [Severity.WARNING, Severity.ERROR]
    assert [found.severity for found in said(RULE, "```\n")] == [Severity.WARNING]


def test_each_kind_is_told_once_and_as_soon_as_its_line_ends() -> None:
    check = RULE.check()
    assert not check.feed("1. a\n3. b")
    assert len(check.feed("\n")) == 1
    assert not check.feed("5. c\n9. d\n")


def test_ticks_without_end_are_read_in_linear_time() -> None:
    text = " ".join("`" * (number % 60 + 1) for number in range(4_000))
    assert said(RULE, text)[0].message == "the end leaves a code span open"
    assert not said(RULE, " " * 200_000 + "x", "\n", "-" * 200_000, "|" * 1000 + "\n", "- " * 100_000 + "\n")


lines = st.lists(
    st.sampled_from(
        [
            "```",
            "~~~",
            "````",
            "| a | b |",
            "|---|---|",
            "| 1 |",
            "1. a",
            "3. b",
            "- c",
            "",
            "**x",
            "`y",
            "# z",
            "[l](u",
            "  - d",
        ]
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(lines, st.sampled_from(["\n", "\r\n"]), places)
def test_any_cut_says_what_the_whole_says(parts: list[str], end: str, where: list[int]) -> None:
    text = end.join(parts)
    assert said(RULE, *cut(text, where)) == said(RULE, text)

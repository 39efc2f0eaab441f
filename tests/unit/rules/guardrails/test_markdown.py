"""The Markdown rule: broken Markdown is reported, and text that GitHub renders as meant is accepted."""

import pytest
from guardrails_kit import places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.rule import Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.markdown import MarkdownRule

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
    ("| a | b |\n|---|\n| 1 | 2 |\n", "a table header has 2 cells, the line below it 1", 10),
    ("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", "a table row has 3 cells, its header has 2", 20),
    ("a | b\n--|--\n1 | 2 | 3", "a table row has 3 cells, its header has 2", 12),
    ("| a | b |\n|---|---|\n| 1 |\n", "a table row has 1 cells, its header has 2", 20),
    ("| a | b |\n|---|---|\n| 1 | 2", "the answer ends inside a table row", 27),
    ("1. a\n2. b\n4. c", "a list goes from 2 to 4", 10),
    ("1. a\n3. b", "a list goes from 1 to 3", 5),
    ("1. a\n   1. x\n   3. y\n", "a list goes from 1 to 3", 13),
    ("2) a\n5) b\n", "a list goes from 2 to 5", 5),
    ("Steps:\n\n1. a\n\n3. b", "a list goes from 1 to 3", 14),
    ("- a\n- ", "the answer ends with a Markdown marker without text", 6),
    ("text\n##", "the answer ends with a Markdown marker without text", 7),
    ("1. a\n2.", "the answer ends with a Markdown marker without text", 7),
    ("text\n[see", "the answer ends with a Markdown marker without text", 9),
    ("call `foo", "the answer ends inside a code span", 9),
    ("``a` b", "the answer ends inside a code span", 6),
    ("this is **very", "the answer ends inside bold text", 14),
    ("**a** and **b", "the answer ends inside bold text", 13),
    ("see [x](https://x", "the answer ends inside a link", 17),
    ("![x](a.png", "the answer ends inside a link", 10),
)


@pytest.mark.parametrize("text", CLEAN)
def test_markdown_rule_accepts_clean_text(text: str) -> None:
    assert not violations_for_any_split(RULE, text)


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
def test_markdown_rule_reports_broken_text(text: str, message: str, at: int) -> None:
    assert [(found.message, found.at) for found in violations_for_any_split(RULE, text)] == [(message, at)]


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
def test_markdown_rule_reports_broken_text_after_long_text(text: str, message: str, at: int) -> None:
    lead = "Prose, `code`.\n\n- item\n\n```\n**x\n```\n\n"
    assert [(found.message, found.at) for found in violations_for_any_split(RULE, lead + text)] == [
        (message, len(lead) + at)
    ]


def test_markdown_severity_applies_to_open_fences_only() -> None:
    strict = Guardrails.markdown_rule(severity="error")
    assert [found.severity for found in violations(strict, "1. a\n3. b\n```\n")] == [Severity.WARNING, Severity.ERROR]
    assert [found.severity for found in violations(RULE, "```\n")] == [Severity.WARNING]


def test_markdown_rule_reports_each_kind_once_at_its_line_end() -> None:
    check = RULE.check()
    assert not check.feed("1. a\n3. b")
    assert len(check.feed("\n")) == 1
    assert not check.feed("5. c\n9. d\n")


def test_markdown_rule_is_linear_for_ticks() -> None:
    text = " ".join("`" * (number % 60 + 1) for number in range(4_000))
    assert violations(RULE, text)[0].message == "the answer ends inside a code span"
    assert not violations(RULE, " " * 200_000 + "x", "\n", "-" * 200_000, "|" * 1000 + "\n", "- " * 100_000 + "\n")


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
def test_markdown_rule_ignores_chunk_boundaries(parts: list[str], end: str, where: list[int]) -> None:
    text = end.join(parts)
    assert violations(RULE, *split(text, where)) == violations(RULE, text)

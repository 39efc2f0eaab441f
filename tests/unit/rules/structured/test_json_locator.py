"""The search for JSON in an answer. Recorded answers have no flaws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import needs_traffic
from structured_kit import answers, pieces, whole

from l0.rules.structured.json_locator import Flaw, JsonLocator, JsonSpan


def find(*parts: str) -> tuple[list[JsonSpan], Flaw | None]:
    found: list[JsonSpan] = []
    finder = JsonLocator(found.append)
    flaw = None
    for part in parts:
        flaw = flaw or finder.feed(part)
    return found, flaw or finder.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prose", []),
        ('{"a":1}', ['{"a":1}']),
        ('{"a":1}\n[2]\n', ['{"a":1}', "[2]"]),
        ('Here: {"a":[1]}, and {"b":2}', ['{"a":[1]}']),
        ('Here:\n{"a":1}\nThen:\n{"b":2}', ['{"a":1}', '{"b":2}']),
        ('```json\n{"a":1}\n\n"b" 3\n```\n[4]', ['{"a":1}', '"b"', "3", "[4]"]),
        ('```\n{"a":1}\n```', ['{"a":1}']),
        ('1. ```json\n   {"a":1}\n   ```\n2. {"b":2}', ['{"a":1}', '{"b":2}']),
        ("```\nnot [1]\n[2]\n```", []),
        ('```python\n{"a":1}\n```\n{"b":2}', ['{"b":2}']),
        ('~~~~json\n["```"]\n~~~~', ['["```"]']),
        ('`{"a":1}` and\n`` ` {"a"``\n{"b":2}', ['{"b":2}']),
        ('{name} is:\n{"a":1}', ['{"a":1}']),
        ("[x] done\n[1] see", ["[1]"]),
    ],
)
def test_json_values_are_found(text: str, expected: list[str]) -> None:
    found, flaw = find(text)
    assert flaw is None
    assert [text[value.start : value.end].rstrip() for value in found] == expected


@pytest.mark.parametrize(
    ("text", "start", "firm"),
    [
        ('Here: {"a":1,}', 6, True),
        ('Here: {"a":1', 6, True),
        ("[1, 2", 0, False),
        ("{'a': 1}", 0, False),
        ('```json\n{"a"\n```', 8, True),
    ],
)
def test_broken_json_value_has_a_start_and_no_end(text: str, start: int, firm: bool) -> None:
    found, flaw = find(text)
    assert flaw is not None
    assert found == [JsonSpan(start=start, end=None, firm=firm)]


def test_long_key_is_read_to_its_end() -> None:
    key = "k" * 1_000
    for text in (f'So: {{"{key}": 1', f'So: {{"{key}": 1,}}', f'So:\n{{\n\n{" " * 500}"{key}" : [}}'):
        found, flaw = find(text)
        assert flaw is not None
        assert found == [JsonSpan(start=text.index("{"), end=None, firm=True)]
        assert find(*text) == (found, flaw)


@needs_traffic
def test_recorded_answers_have_no_json_flaw() -> None:
    assert len(answers()) > 100
    assert [text for text in answers() if find(text)[1] is not None] == []


PARTS = ['{"a": [1]}', '{"b": 2', "prose. ", "\n", "```json\n", "```", "`", "[1]", " : ", "x "]


@given(st.lists(st.sampled_from(PARTS)).map("".join), st.lists(st.integers(0, 60), max_size=6))
def test_json_search_ignores_chunk_boundaries(text: str, cuts: list[int]) -> None:
    result = find(text)
    assert find(*pieces(text, cuts)) == result
    assert all(value.end is None or whole(text[value.start : value.end]) for value in result[0])

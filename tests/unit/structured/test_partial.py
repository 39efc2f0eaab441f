"""Partial values grow with the text, end as the whole value, and cost a bounded number of parses."""

from __future__ import annotations

import json
from typing import Any

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import DOCUMENTS
from structured_kit import pieces

from l0.structured.partial import PartialValue


def values(*parts: str, strings: bool = True) -> list[Any]:
    partial = PartialValue(strings=strings)
    seen = [partial.value for part in parts if partial.feed(part)]
    if partial.finish():
        seen.append(partial.value)
    return seen


def test_a_value_is_there_as_far_as_it_has_come() -> None:
    assert values('{"a"', ': "he', "llo", '", "b": [1', ", 2", "]}") == [
        {},
        {"a": "he"},
        {"a": "hello"},
        {"a": "hello", "b": [1]},
        {"a": "hello", "b": [1, 2]},
    ]


def test_strings_may_be_kept_back_until_they_are_whole() -> None:
    assert values('{"a": "he', "llo", '"', "}", strings=False) == [{}, {"a": "hello"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": 1}\n```\n', {"a": 1}),
        (" \n[1, 2]\n", [1, 2]),
        ('{"a": 1} and more', {"a": 1}),
        ('{"a": 1, b}', {"a": 1}),
        ("prose", None),
        ("", None),
    ],
)
def test_what_stands_around_does_not_matter(text: str, value: object) -> None:
    assert (values(*text) or [None])[-1] == value


@given(st.sampled_from(DOCUMENTS), st.lists(st.integers(0, 90), max_size=12))
def test_however_it_is_cut_the_last_value_is_the_whole(text: str, cuts: list[int]) -> None:
    assert values(*pieces(text, cuts))[-1] == json.loads(text)


@pytest.mark.parametrize("tokens", [1_000, 20_000])
def test_all_parses_together_cost_a_few_parses_of_the_whole(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    parsed = 0
    real = jiter.from_json

    def counting(data: bytes, **how: Any) -> Any:
        nonlocal parsed
        parsed += len(data)
        return real(data, **how)

    monkeypatch.setattr(jiter, "from_json", counting)
    parts = ['["', *("word " for _ in range(tokens)), '"]']
    assert values(*parts)[-1] == ["word " * tokens]
    length = 5 * tokens
    assert parsed <= 2_048 * 2_048 + 18 * (length + 2_048)

"""Partial values grow with the text, end as the complete value, and cost a bounded number of parses."""

from __future__ import annotations

import json
from typing import Any

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import DOCUMENTS
from structured_kit import pieces

from l0.rules.structured.partial import PartialValue


def values(*parts: str, strings: bool = True) -> list[Any]:
    partial = PartialValue(strings=strings)
    seen = [partial.value for part in parts if partial.feed(part)]
    if partial.finish():
        seen.append(partial.value)
    return seen


def test_partial_value_grows_with_the_text() -> None:
    assert values('{"a"', ': "he', "llo", '", "b": [1', ", 2", "]}") == [
        {},
        {"a": "he"},
        {"a": "hello"},
        {"a": "hello", "b": [1]},
        {"a": "hello", "b": [1, 2]},
    ]


def test_partial_value_can_exclude_open_strings() -> None:
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
def test_partial_value_ignores_surrounding_text(text: str, value: object) -> None:
    assert (values(*text) or [None])[-1] == value


@given(st.sampled_from(DOCUMENTS), st.lists(st.integers(0, 90), max_size=12))
def test_last_partial_value_is_complete_for_any_chunk_boundaries(text: str, cuts: list[int]) -> None:
    assert values(*pieces(text, cuts))[-1] == json.loads(text)


@pytest.mark.parametrize("tokens", [1_000, 20_000])
def test_partial_parses_cost_a_bounded_number_of_full_parses(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
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

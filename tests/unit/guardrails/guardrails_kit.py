"""What a rule says of a text: cut in one way, or in many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import strategies as st

from l0.values.rules import Ending, Rule, Violation


def said(rule: Rule, *parts: str, other: bool = False) -> list[Violation]:
    """Everything that a rule says of one answer that comes in these parts."""
    check = rule.check()
    found = [violation for part in parts for violation in check.feed(part)]
    return [*found, *check.finish(Ending(other=other))]


def cut(text: str, places: Iterable[int]) -> list[str]:
    """A text in parts. A place that is named twice gives an empty part."""
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[one:other] for one, other in pairwise(borders)]


def however_cut(rule: Rule, text: str, *, other: bool = False) -> list[Violation]:
    """What a rule says of a text: whole, sign by sign, and in parts of several sizes; it must be the same."""
    whole = said(rule, text, other=other)
    for size in (1, 2, 3, 7, 20, 64, 150):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        assert said(rule, *parts, other=other) == whole, f"in parts of {size}"
    assert all(0 <= violation.at <= len(text) for violation in whole)
    return whole


def messages(found: Iterable[Violation]) -> list[str]:
    """What was said, without the places."""
    return [violation.message for violation in found]


places = st.lists(st.integers(0, 5_000), max_size=12)
"""Where to cut a text, for `cut`."""

"""Run a rule on a text, split in one way or in many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import strategies as st

from l0.model.rule import Ending, Rule, Violation


def violations(rule: Rule, *parts: str, other: bool = False) -> list[Violation]:
    """Return all violations of one answer that arrives in these parts."""
    check = rule.check()
    found = [violation for part in parts for violation in check.feed(part)]
    return [*found, *check.finish(Ending(has_other_content=other))]


def split(text: str, places: Iterable[int]) -> list[str]:
    """Return a text in parts. A place that is named twice gives an empty part."""
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[one:other] for one, other in pairwise(borders)]


def violations_for_any_split(rule: Rule, text: str, *, other: bool = False) -> list[Violation]:
    """Return the violations of a text. Assert that they do not depend on how the text is split."""
    whole = violations(rule, text, other=other)
    for size in (1, 2, 3, 7, 20, 64, 150):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        assert violations(rule, *parts, other=other) == whole, f"in parts of {size}"
    assert all(0 <= violation.at <= len(text) for violation in whole)
    return whole


def messages(found: Iterable[Violation]) -> list[str]:
    """Return the messages of violations."""
    return [violation.message for violation in found]


places = st.lists(st.integers(0, 5_000), max_size=12)
"""Places to split a text at, for `split`."""

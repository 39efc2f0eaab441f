"""Patterns within a time budget: which ones are timed, their meaning, and the end of the budget."""

from __future__ import annotations

import logging
import re
import sys
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.rules import bounded_regex as room
from l0.rules.bounded_regex import OverrunError, TimeBudget, bounded, can_take_long

EVIL = re.compile(r"(?:a|aa)+$")
BAIT = "a" * 80 + "!"
"""On this `EVIL` would run for years."""


@pytest.mark.parametrize(
    ("pattern", "window", "whole"),
    [
        (r"colou?r", False, False),
        (r"\d{3}-\d{4}", False, False),
        (r"foo(?!bar)", False, False),
        (r"a.*b", False, True),
        (r"\s+$", False, True),
        (r"[ab]*", False, True),
        (r"(?>a+)b", False, True),
        (r"(?:a{1,3}){1,3}", False, True),
        (r"a*a*b", True, True),
        (r"(a+)+$", True, True),
        (r"(?:a|aa)+$", True, True),
        (r"(?:a|b?c){1,60}", True, True),
        (r"(?=(?:a|aa)+$)a", True, True),
        (r"(x)?(?(1)(?:a|aa)+|b)$", True, True),
    ],
)
def test_slow_patterns_are_recognized(pattern: str, window: bool, whole: bool) -> None:
    compiled = re.compile(pattern)
    assert (can_take_long(compiled, 1_300), can_take_long(compiled, inf)) == (window, whole)


@pytest.mark.parametrize("pattern", [r"(?:a|aa)+$", r"(?:a|aa)+[^a!]", r"((?:a|aa)+)\1\d", r"(?:a|aa)+(?!.)"])
def test_timed_search_stops_when_its_budget_is_spent(pattern: str) -> None:
    search = bounded(re.compile(pattern), inf, "guardrails")
    budget = TimeBudget(0.02)
    with pytest.raises(OverrunError, match="longer than its budget of 20 ms"):
        search.search(BAIT, budget)
    with pytest.raises(OverrunError):  # the budget applies to all searches of a check
        search.match("b", budget, 0, 1)


MEANT = [
    r"(?:x{e})+y?",
    r"(?:[x[:alpha:]]|\w)+\]",
    r"(?:{name}|{})+",
    r"(?:a{,2}|aa)*b",
    r"(?:\w|\w\w)+@",
    r"(?i)(?:straße|s)+",
    r"(?m)^(?:- |-)*x?$",
    r"(?s)(?:<.*?>)+",
    r"(?x) (?: a | {b} )* \# c",
    r"(?P<q>['\"]).*?.*?(?P=q)",
    r"(?:\s|\b\d)+$",
    r"(?:\{|\[:)+",
]


@pytest.mark.parametrize("pattern", MEANT)
@settings(max_examples=60)
@given(
    text=st.lists(
        st.sampled_from(
            [*"ax{e}y[:lph]b@-<>'\"#1 \n", "{name}", "{}", "aab", "ß", "S", "\u017f", "\u00a0", "{b}", "#c"]
        )
    )
)
def test_timed_pattern_matches_like_re(pattern: str, text: list[str]) -> None:
    compiled = re.compile(pattern)
    timed = room._in_regex(compiled)
    mine, theirs = timed.search("".join(text)), compiled.search("".join(text))
    assert (mine and mine.span()) == (theirs and theirs.span())


def test_missing_regex_library_causes_one_warning_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "regex", None)
    room._in_regex.cache_clear()
    room._warn_once.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "l0"):
            searches = [bounded(re.compile(text), inf, "guardrails") for text in (EVIL.pattern, EVIL.pattern, r"a.*b")]
    finally:
        room._in_regex.cache_clear()
    assert [bool(search.search("caab", TimeBudget(0))) for search in searches] == [False, False, True]
    (record,) = caplog.records
    assert EVIL.pattern in record.getMessage()
    assert 'pip install "l0-otel[guardrails]"' in record.getMessage()

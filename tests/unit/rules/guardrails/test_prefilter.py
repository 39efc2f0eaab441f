"""The prefilter: both engines find the same literals, and no pattern that matches is excluded."""

import builtins
import re
from collections.abc import Callable

import pytest
from guardrails_kit import violations
from hypothesis import given
from hypothesis import strategies as st

from l0.rules.guardrails import bundled_patterns, prefilter
from l0.rules.guardrails.patterns import pattern_rule
from l0.rules.guardrails.prefilter import Prefilter, folded
from l0.rules.guardrails.regex_analysis import analyse

HELD = [("as an ai", "as a ai"), (), ("sorry",), ("or",), ("größe",), ("sorry, but",)]


def prefilters() -> list[Prefilter]:
    return [Prefilter(HELD), Prefilter(HELD, prefilter._in_python)]


@pytest.mark.parametrize(
    ("text", "exactly"),
    [
        ("", {1}),
        ("nothing", {1}),
        ("As an AI", {0, 1}),
        ("SORRY", {1, 2, 3}),
        ("sorry, but I", {1, 2, 3, 5}),
        ("ordinary", {1, 3}),
        ("Die GRÖSSE", {1}),
        ("Die GRÖßE", {1, 4}),
        ("\u017forry", {1, 2, 3}),
        ("as an a\u0130", {0, 1}),
    ],
)
def test_prefilter_candidates(text: str, exactly: set[int]) -> None:
    fast, plain = (set(each.candidates(text)) for each in prefilters())
    assert fast == exactly
    assert plain == exactly


@given(st.lists(st.sampled_from(["as an ", "a", "i", "AI", " ", "sor", "ry", ", but", "Größe", "\u017f"]), max_size=8))
def test_prefilter_engines_agree(pieces: list[str]) -> None:
    text = "".join(pieces)
    fast, plain = (set(each.candidates(text)) for each in prefilters())
    assert fast == plain
    assert fast == {number for number, held in enumerate(HELD) if not held or any(one in folded(text) for one in held)}


def test_prefilter_without_the_extra_finds_the_same_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = bundled_patterns.findings()
    fast = pattern_rule(findings, name="pattern")
    original: Callable[..., object] = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name == "ahocorasick_rs":
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    plain = pattern_rule(findings, name="pattern")
    text = "As an AI, I'm not sure. Lorem ipsum.\nUser: no <|im_end|> Ich bin mir nicht sicher, soweit ich weiß."
    assert violations(plain, text) == violations(fast, text)
    assert len(violations(plain, text)) == 5


def test_prefilter_always_returns_patterns_without_a_literal() -> None:
    known = [analyse(re.compile(pattern)).literals for pattern in (r"\d+", r"\w\w")]
    assert set(Prefilter(known).candidates("anything")) == {0, 1}


def test_prefilter_without_patterns_returns_no_candidates() -> None:
    assert not Prefilter([]).candidates("anything")

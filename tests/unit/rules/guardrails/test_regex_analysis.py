"""The analysis of a regular expression is true of everything that it matches."""

import importlib
import re
import sys
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.rules.guardrails.prefilter import folded
from l0.rules.guardrails.regex_analysis import PatternAnalysis, analyse


@pytest.mark.parametrize(
    ("pattern", "reach"),
    [
        (r"secret", 6),
        (r"\bsecret", 6),
        (r"\bsecret\b", 7),
        (r"secret$", 8),
        (r"secret\Z", 7),
        (r"a{2,5}b?", 6),
        (r"(?:ab|cde)f", 4),
        (r"[a-z]\d\W.", 4),
        (r"foo(?!barbaz)", 9),
        (r"foo(?=bar)b", 6),
        (r"(?<=abc)d", 1),
        (r"(?:ab\b){3}", 7),
        (r"(?:)", 0),
        (r"x{0}y", 1),
        (r"(?>ab)c", 3),
        (r"a*", inf),
        (r"a.+b", inf),
        (r"(?:ab){2,}", inf),
        (r"(a)\1", inf),
        (r"(a)?(?(1)b|c)", inf),
        (r"cat(?<=cat\b)", 4),
        (r"cat(?<!cat$)s", 5),
    ],
)
def test_regex_reach(pattern: str, reach: float) -> None:
    assert analyse(re.compile(pattern)).reach == reach


@pytest.mark.parametrize(
    ("pattern", "stable"),
    [
        (r"sk-\w{4,64}", True),
        (r"sk-\w{4,}", True),
        (r"\bsk-\w+?", True),
        (r"\bsk-\w+\b", False),
        (r"(?:\b|-)sk", True),
        (r"(?:\b|-)s?", False),
        (r"(?:a\b){2}", False),
        (r"(?:\ba){2}", True),
        (r"a$", False),
        (r"a\Z", False),
        (r"(?m)^a", True),
        (r"foo(?!bar)", False),
        (r"foo(?!bar)\w\w", False),
        (r"foo(?!bar)\w{3}", True),
        (r"foo(?!.*bar)\w{3}", False),
        (r"foo(?=bar)", True),
        (r"foo(?=bar\b)", False),
        (r"foo(?=bar\b)\w{4}", True),
        (r"(?<!my )secret", True),
        (r"cat(?<=\bcat)", True),
        (r"cat(?<=cat\b)", False),
        (r"cat(?<!cat\b)", False),
        (r"(?<=cat(?=s)).", True),
        (r"(?<=a\b)b", True),
        (r"(\w)\1", True),
        (r"(a)?(?(1)b|c)", False),
        (r"(?>ab)c", False),
        (r"a++b", False),
        (r"(?:a++)?b", False),
        (r"", True),
    ],
)
def test_regex_match_that_no_further_text_undoes(pattern: str, stable: bool) -> None:
    assert analyse(re.compile(pattern)).stable is stable


@pytest.mark.parametrize(
    ("pattern", "lookbehind", "can_be_undone"),
    [
        (r"a", 1, False),
        (r"(?<=abc)d", 4, False),
        (r"(?<!ab)d.*", 3, False),
        (r"d.*(?<!d\B)", 2, True),
        (r"a.*(?!b)", 1, True),
        (r"a.*(?=b)", 1, False),
        (r"a.*+b", 1, True),
    ],
)
def test_regex_lookbehind_and_undoable_matches(pattern: str, lookbehind: int, can_be_undone: bool) -> None:
    known = analyse(re.compile(pattern))
    assert (known.lookbehind, known.can_be_undone) == (lookbehind, can_be_undone)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"Secret", {"secret"}),
        (r"\bas an? ai\b", {"as a ai", "as an ai"}),
        (r"(?:red|green) apple", {"red apple", "green apple"}),
        (r"\d+ euros?", {" euro", " euros"}),
        (r"colou?r[sz]", {"colors", "colorz", "colours", "colourz"}),
        (r"(?:foo)+\d", {"foo"}),
        (r"a|", set()),
        (r"\d{4}-\d{2}", {"-"}),
        (r"\w+", set()),
        (r"(?:x|\d)", set()),
        (r"[a-z]oo", {"oo"}),
        (r"größe", {"größe"}),
        (r"λόγος", set()),
        (r"(?:abc)?", set()),
        (r"no (?!thing)pe", {"no pe"}),
    ],
)
def test_regex_literals(pattern: str, literals: set[str]) -> None:
    assert set(analyse(re.compile(pattern)).literals) == literals


pieces = st.recursive(
    st.sampled_from(
        ["a", "b", "ab", "S", "i", "k", "é", ".", r"\d", "[ab]", "[^a]", r"\b", "^", "$", r"\w", r"(?<=a\b)", "(?<!b$)"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"(?:{'|'.join(each)})"),
        st.tuples(inner, st.sampled_from(["?", "{2}", "{0,2}", "{1,3}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        inner.map(lambda each: f"(?={each})"),
        inner.map(lambda each: f"(?!{each})"),
    ),
    max_leaves=8,
)


@settings(max_examples=400)
@given(pieces, st.text("abSsik\u0131\u0130\u017f\u212aé1 \n", max_size=12), st.text("ab\n1 ", max_size=4))
def test_regex_analysis_is_true_of_all_matches(source: str, text: str, more: str) -> None:
    pattern = re.compile(source, re.IGNORECASE)
    known = analyse(pattern)
    match = pattern.search(text)
    if match and known.literals:
        assert any(literal in folded(match[0]) for literal in known.literals)
    for start in range(len(text)):
        if start + known.reach <= len(text):
            assert bool(pattern.match(text, start)) == bool(pattern.match(text + more, start))


def test_case_folding_covers_every_letter_that_re_equates() -> None:
    plain = [chr(code) for code in range(0x100)]
    pattern = re.compile("[" + re.escape("".join(plain)) + "]", re.IGNORECASE)
    others = [chr(code) for code in range(0x100, sys.maxunicode) if pattern.fullmatch(chr(code))]
    held = {letter: set(analyse(re.compile(re.escape(letter), re.IGNORECASE)).literals) for letter in plain}
    equal = {
        (letter, other) for other in others for letter in plain if re.fullmatch(re.escape(letter), other, re.IGNORECASE)
    }
    assert {("k", "\u212a"), ("s", "\u017f"), ("i", "\u0130"), ("i", "\u0131")} <= equal
    assert all(not held[letter] or folded(other) in held[letter] for letter, other in equal)


def test_regex_analysis_claims_nothing_without_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", gone)
    assert analyse(re.compile("secret")) == PatternAnalysis(reach=inf, lookbehind=inf, can_be_undone=True, literals=())

"""The stall rule: filler is reported; numbers never are."""

import pytest
from guardrails_kit import places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.filler import StallRule

RULE = StallRule()
WORDLESS, SAME = "the text goes on without a letter or digit", "the text repeats short units"

STALLS = {
    "spaces": (" " * 900, WORDLESS),
    "newlines": ("\n" * 900, WORDLESS),
    "json blanks": ('{"a": 1,' + "\n  " * 300, WORDLESS),
    "dots": ("Well" + "." * 900, WORDLESS),
    "dashes": ("-" * 900, WORDLESS),
    "punctuation": ("?!.,;: " * 100, WORDLESS),
    "box": ("\u2500" * 900, WORDLESS),
    "table rule": ("|---" * 200, WORDLESS),
    "one letter": ("a" * 900, SAME),
    "laughter": ("haha" * 200, SAME),
    "hm": ("hm, " * 200, SAME),
    "na": ("na na " * 150, SAME),
    "umlaut": ("ä" * 900, SAME),
    "emoji": ("😀" * 900, SAME),
    "chinese": ("好" * 900, SAME),
    "eight signs": ("abcdefgh" * 120, SAME),
}
CLEAN = {
    "empty": "",
    "word": "yes",
    "short dots": "Well" + "." * 380,
    "one digit": "1" * 5_000,
    "a third": "0." + "3" * 5_000,
    "zeros": "0, " * 900,
    "googol": "1" + "0" * 400,
    "ones in a list": "[1, 1, 1, 1]\n" * 90,
    "heading rule": "Title\n" + "=" * 300 + "\nText",
    "table": "| a | b |\n|" + "-" * 150 + "|" + "-" * 150 + "|\n| 1 | 2 |",
    "indent": "x\n" + (" " * 300 + "y\n") * 5,
    "short laughter": "ha" * 120 + " that is funny",
    "genes": "ACGTTGCAAT" * 90,
    "prose": "The quick brown fox jumps over the lazy dog. " * 40,
    "german": "Donaudampfschifffahrtsgesellschaftskapitän " * 30,
    "rests": ("." * 390 + "a") * 5,
}


@pytest.mark.parametrize("name", STALLS)
@pytest.mark.parametrize("lead", ["", "Here it is: ", "So. " * 40 + "Now"], ids=len)
def test_filler_is_reported(name: str, lead: str) -> None:
    text, message = STALLS[name]
    (found,) = violations_for_any_split(RULE, lead + text)
    assert found.message == message
    assert len(lead) + 500 <= found.at <= len(lead) + 760


@pytest.mark.parametrize("name", CLEAN)
def test_filler_rule_accepts_clean_text(name: str) -> None:
    assert not violations_for_any_split(RULE, CLEAN[name])


def test_filler_limit_is_exact_for_blanks() -> None:
    assert not violations_for_any_split(RULE, "a" + " " * 600 + "b")
    (found,) = violations_for_any_split(RULE, "a" + " " * 601 + "b")
    assert found.at == 601
    assert not violations(StallRule(limit=1000), "a" + " " * 1000)


def test_filler_rule_is_reported_within_its_span() -> None:
    check = RULE.check()
    reported = next(at for at in range(9_999) if check.feed(" "))
    assert 600 <= reported <= 600 + 64


@pytest.mark.parametrize("limit", [0, 127, -1, True, 400.0, "400"])
def test_invalid_filler_limits_are_rejected(limit: object) -> None:
    with pytest.raises(PolicyError, match=r"stall_rule\.limit"):
        Guardrails.stall_rule(limit)  # type: ignore[arg-type]


def test_filler_rule_severity() -> None:
    assert violations(Guardrails.stall_rule(severity="fatal"), " " * 900)[0].severity is Severity.FATAL


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "ha", ".", " ", "1", "-", "so ", "😀"]), st.integers(1, 500)), max_size=6),
    places,
)
def test_filler_rule_ignores_chunk_boundaries(runs: list[tuple[str, int]], where: list[int]) -> None:
    text = "".join(unit * times for unit, times in runs)
    assert violations(RULE, *split(text, where)) == violations(RULE, text)


def test_filler_check_keeps_at_most_one_block() -> None:
    check = RULE.check()
    for _ in range(500):
        check.feed("some text and more ")
        assert len(check._part) < 64

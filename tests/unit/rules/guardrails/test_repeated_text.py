"""The repetition rule: loops are reported; refrains, data and numbers are not."""

import random

import pytest
from guardrails_kit import places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.repeated_text import RepetitionCheck, RepetitionRule

RULE = RepetitionRule()
_RND = random.Random(7)
WORDS = ["".join(_RND.choices("abcdefghij", k=_RND.randrange(1, 9))) for _ in range(3_000)]
SONG = "We walk along the river, we sing along the shore, we never will be lonely, we never ask for more. "

LOOPS = {
    "one word": "the " * 60,
    "two words": "well then " * 40,
    "german": "Das ist eine gute Frage, und ich denke darüber nach. " * 8,
    "spanish": "No lo sé, pero puedo intentarlo otra vez. " * 10,
    "chinese": "我不知道该怎么说才好。" * 12,
    "japanese": "それはとても良い質問です。" * 12,
    "lines": "- check the logs\n" * 20,
    "code": "    result.append(value)\n" * 30,
    "json": '{"name": "Ann", "age": 5}, ' * 20,
    "a loop within": "ha ha ha ha ha ho " * 20,
    "a paragraph": " ".join(WORDS[:120]) * 1 + (" " + " ".join(WORDS[:120])) * 6,
    "seventeen words": (" ".join(WORDS[:17]) + " ") * 9,
    "emoji between": "so 😀 good 😀 " * 30,
    "one long word": "abcdefghij" * 200,
}
CLEAN = {
    "empty": "",
    "prose": " ".join(WORDS[:1500]),
    "refrain": (SONG + "Then came a day of rain. ") + SONG * 2 + "And so it ends.",
    "verses": "".join(
        f"Verse {number}. {' '.join(WORDS[number * 9 : number * 9 + 9])}. {SONG}" for number in range(40)
    ),
    "very": "It was very, very, very, very, very good.",
    "zeros": "0 " * 500,
    "nulls": "[null, null, null, true],\n" * 50,
    "yes and no": "| yes | no |\n" * 50,
    "bytes": "0x00, 0xff, " * 50,
    "one digit": "1" * 5_000,
    "a third": "0." + "3" * 5_000,
    "matrix": "[0, 1, 0, 1]\n" * 80,
    "rows": "".join(f"| {number} | yes | no | {number * 7} |\n" for number in range(200)),
    "separators": "----------\n" * 100,
    "objects": "".join(f'{{"id": {number}, "ok": true}},\n' for number in range(200)),
    "list": "".join(f"{number}. Open the door number {number}.\n" for number in range(60)),
    "three times": "I will not be late again. " * 4,
    "counting": " ".join(str(number) for number in range(900)),
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("lead", ["", "Here is what I found. ", " ".join(WORDS[2000:2700]) + " "], ids=len)
def test_loops_are_reported(name: str, lead: str) -> None:
    (found,) = violations_for_any_split(RULE, lead + LOOPS[name])
    assert found.message == "a passage is repeated too often in a row"
    assert found.at > len(lead)


@pytest.mark.parametrize("name", CLEAN)
def test_repetition_rule_accepts_clean_text(name: str) -> None:
    assert not violations_for_any_split(RULE, CLEAN[name])


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 16, 17, 34, 51, 100, 400, 900, 2_000])
def test_repetition_is_reported_soon_after_the_limit(period: int) -> None:
    lead, passage = " ".join(WORDS[2000:2123]) + " ", " ".join(WORDS[:period]) + " "
    times = max(9, 160 // period)
    (found,) = violations(RULE, lead + passage * times)
    allowed = max(4 * period, 30)
    words_before = len((lead + passage * times)[: found.at].split()) - 123
    assert allowed <= words_before <= allowed + 2 * 17 + period


@pytest.mark.parametrize("period", [10, 20, 40, 100])
def test_repetition_allows_exactly_its_times(period: int) -> None:
    passage = " ".join(WORDS[:period]) + " "
    assert not violations(RULE, passage * 4)
    (found,) = violations(RULE, passage * 5)
    assert found.at == len(passage * 4)


def test_repetition_times_are_configurable() -> None:
    text = SONG * 9
    assert violations(Guardrails.repetition_rule(2), text)[0].at < violations(Guardrails.repetition_rule(6), text)[0].at
    assert not violations(Guardrails.repetition_rule(20), text)
    assert violations(Guardrails.repetition_rule(severity="warning"), text)[0].severity is Severity.WARNING


@pytest.mark.parametrize("times", [1, 0, -1, True, 2.5, "3"])
def test_invalid_repetition_times_are_rejected(times: object) -> None:
    with pytest.raises(PolicyError, match=r"repetition_rule\.times"):
        Guardrails.repetition_rule(times)  # type: ignore[arg-type]


def test_repetition_rule_is_reported_within_its_span() -> None:
    text = SONG * 9
    (whole,) = violations(RULE, text)
    check = RULE.check()
    reported = next(at for at, letter in enumerate(text) if check.feed(letter))
    assert RULE.span is not None
    assert whole.at <= reported <= whole.at + RULE.span


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([*WORDS[:6], "我", "é1", "12"]), st.integers(1, 40)), max_size=8),
    st.sampled_from([" ", ", ", "\n"]),
    places,
)
def test_repetition_rule_ignores_chunk_boundaries(runs: list[tuple[str, int]], gap: str, where: list[int]) -> None:
    text = gap.join(word for word, times in runs for _ in range(times)) * 3
    assert violations(RULE, *split(text, where)) == violations(RULE, text)


def test_repetition_in_long_data_ignores_chunk_boundaries() -> None:
    text = " ".join(WORDS[:300]) + " 0" * 20_000 + " " + " ".join(WORDS[:300]) * 2 + " 1 2" * 9_000 + " well then" * 40
    (whole,) = violations(RULE, text)
    assert violations(RULE, *[text[at : at + 777] for at in range(0, len(text), 777)]) == [whole]
    assert whole.at > text.index("well then")


def test_repeated_data_is_recognized_once_per_run(monkeypatch: pytest.MonkeyPatch) -> None:
    is_loop, asked = RepetitionCheck._is_loop, []
    monkeypatch.setattr(RepetitionCheck, "_is_loop", lambda check: asked.append(is_loop(check)) or asked[-1])
    assert not violations(RULE, *[" ".join(map(str, range(300))) + "\n"] * 20)
    assert asked == [False]


def test_repetition_of_overlong_passages_is_not_detected() -> None:
    passage = " ".join(f"{word}{number}" for number in range(20) for word in WORDS[:300]) + " "
    assert not violations(RULE, *[passage] * 5)
    assert violations(RULE, *[passage] * 5, SONG * 9)


def test_repetition_memory_is_bounded() -> None:
    check = RULE.check()
    assert isinstance(check, RepetitionCheck)
    for number in range(60_000):
        check.feed(f"word{number} ")
        assert len(check._words) < 9_000
    assert len(check._seen) < 600

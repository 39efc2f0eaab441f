"""The pattern rule: matches across any chunk boundary are reported once each, at a cost of O(new text)."""

import re
import warnings
from dataclasses import replace

import pytest
from guardrails_kit import messages, places, split, violations, violations_for_any_split
from hypothesis import example, given, settings
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity
from l0.rules.bounded_regex import OverrunError, TimeBudget
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.patterns import PatternCheck, PatternRule


def rule(*patterns: re.Pattern[str] | str, span: int | None = 256) -> PatternRule:
    made = Guardrails.pattern_rule(patterns, "found", span=span)
    assert isinstance(made, PatternRule)
    return made


@pytest.mark.parametrize(
    ("pattern", "text", "at"),
    [
        ("secret", "a Secret thing", 2),
        ("secret", "secre t", None),
        ("a.c", "abc", None),
        ("a.c", "a.c", 0),
        ("$100", "it costs $100 or so", 9),
        ("über", "ÜBER alles", 0),
        (re.compile("Secret"), "secret", None),
        (re.compile("(?i)secret"), "SECRET", 0),
        (re.compile(r"\bsecret\b"), "secretly", None),
        (re.compile(r"\bsecret\b"), "my secret", 3),
        (re.compile(r"\bsecret\b"), "the secret.", 4),
        (re.compile(r"^secret"), "a\nsecret", None),
        (re.compile(r"^secret", re.MULTILINE), "a\nsecret", 2),
        (re.compile(r"secret$"), "my secret", 3),
        (re.compile(r"secret$"), "my secret is", None),
        (re.compile(r"secret$"), "my secret\n", 3),
        (re.compile(r"secret$"), "my secret\nis", None),
        (re.compile(r"secret\Z"), "my secret\n", None),
        (re.compile(r"foo(?!bar)"), "foobar", None),
        (re.compile(r"foo(?!bar)"), "foobar foob", 7),
        (re.compile(r"(?<=my )secret"), "my secret", 3),
        (re.compile(r"(?<!my )secret"), "my secret", None),
        (re.compile(r"\d{3}-\d{4}"), "call 555-1234 now", 5),
        (re.compile(r"\d{3}-\d{4}"), "call 55-1234 now", None),
        (re.compile(r"a+b"), "xaaaab", 1),
        (re.compile(r"a.*b"), "xxaxxxb", 2),
        (re.compile(r"a.*b"), "xxaxxx\nb", None),
        (re.compile(r"(?s)a.*b"), "xxaxxx\nb", 2),
        (re.compile(r"(\w)\1\1"), "aab bbb", 4),
        (re.compile(r"password:\s*\S+"), "the password: hunter2", 4),
        (re.compile(r"x(?!.*y)"), "x and y", None),
        (re.compile(r"x(?!.*y)"), "x and y and x", 12),
        (re.compile(r"thanks.*$"), "thanks for all\nthat", None),
        (re.compile(r"thanks.*$"), "that\nthanks for all", 5),
        (re.compile("\u017f", re.IGNORECASE), "S", 0),
        (re.compile("k", re.IGNORECASE), "\u212a", 0),
    ],
)
def test_pattern_matches(pattern: re.Pattern[str] | str, text: str, at: int | None) -> None:
    found = violations_for_any_split(rule(pattern), text)
    assert [violation.at for violation in found] == ([] if at is None else [at])
    if "^" not in str(pattern):
        lead = "- " * 300 + "\n"
        found = violations_for_any_split(rule(pattern), lead + text)
        assert [violation.at for violation in found] == ([] if at is None else [len(lead) + at])


def test_pattern_match_is_reported_as_soon_as_decided() -> None:
    check = rule("secret", re.compile(r"\bpin\b")).check()
    assert not check.feed("my secre")
    assert messages(check.feed("t")) == ["found"]
    check = rule(re.compile(r"\bpin\b")).check()
    assert not check.feed("a pin")
    assert check.feed("ned note: a pin") == []
    assert [violation.at for violation in check.feed(".")] == [17]


def test_pattern_messages_are_reported_once_in_text_order() -> None:
    rules = Guardrails.pattern_rule(["beta", "alpha"], "greek")
    assert [violation.at for violation in violations_for_any_split(rules, "alpha beta alpha")] == [0]


def test_pattern_rule_uses_severity_message_and_name_of_the_user() -> None:
    made = Guardrails.pattern_rule("x", "no x", severity="fatal", name="letters")
    (violation,) = violations(made, "xx")
    assert (violation.rule, violation.message, violation.severity) == ("letters", "no x", Severity.FATAL)
    assert (made.name, made.severity) == ("letters", Severity.FATAL)


@pytest.mark.parametrize(
    ("patterns", "span", "expected"),
    [
        (["secret"], 256, 6),
        (["ab", re.compile(r"\babc\b")], 256, 4),
        ([re.compile("a.*b")], 256, 256),
        ([re.compile("a.*b")], 50, 50),
        ([re.compile("a.*b")], None, None),
        ([re.compile("a(?!.*b)")], 256, None),
        (["x", re.compile("a(?!.*b)")], 256, None),
    ],
)
def test_pattern_span(patterns: list[re.Pattern[str] | str], span: int | None, expected: int | None) -> None:
    assert rule(*patterns, span=span).span == expected


def test_only_patterns_that_need_the_complete_text_wait() -> None:
    check = rule("soon", re.compile("late(?!.*r)")).check()
    assert messages(check.feed("late and soon ")) == ["found"]
    assert not check.finish(Ending())
    found = violations_for_any_split(rule(re.compile("late(?!.*r)")), "late, and so on")
    assert [violation.at for violation in found] == [0]


def test_unbounded_pattern_matches_within_its_span() -> None:
    limited = rule(re.compile("(?s)a.*b"), span=20)
    assert violations_for_any_split(limited, "a" + "-" * 18 + "b")
    assert not violations_for_any_split(limited, "a" + "-" * 19 + "b")
    assert [violation.at for violation in violations_for_any_split(limited, "a" + "-" * 19 + "a-b" + "-" * 90)] == [20]


@pytest.mark.parametrize("wrong", [None, "", 5, [""], [], [b"x"], [re.compile(b"x")], [None], re.compile("")])
def test_invalid_patterns_are_rejected(wrong: object) -> None:
    if wrong is None:
        assert Guardrails.pattern_rule(wrong).name == "pattern"
        return
    with pytest.raises(PolicyError, match=r"pattern_rule\.patterns"):
        Guardrails.pattern_rule(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", [{"span": 0}, {"span": True}, {"severity": "bad"}, {"message": ""}, {"name": ""}])
def test_invalid_pattern_rule_arguments_are_rejected(field: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match=next(iter(field))):
        Guardrails.pattern_rule("x", **field)  # type: ignore[arg-type]


PATTERNS = (
    re.compile(r"ab{1,3}\b"),
    re.compile(r"\bb+"),
    re.compile(r"^a", re.MULTILINE),
    re.compile(r"b$"),
    re.compile(r"(?<=b)a(?!b)"),
    re.compile(r"a[^a]{0,4}c"),
    re.compile(r"(?:aa|bb)c", re.IGNORECASE),
)


@settings(max_examples=300)
@given(st.text("abcB \n", max_size=60), places)
@example("aab\nb c", [1, 2, 3])
def test_pattern_rule_ignores_chunk_boundaries(text: str, where: list[int]) -> None:
    for pattern in PATTERNS:
        found = violations(rule(pattern), *split(text, where))
        match = pattern.search(text)
        assert [violation.at for violation in found] == ([match.start()] if match else []), pattern.pattern


@settings(max_examples=100)
@given(st.text("abcB \n", max_size=60), places)
def test_combined_patterns_match_like_single_patterns(text: str, where: list[int]) -> None:
    parts = split(text, where)
    alone = [violations(rule(pattern), *parts) for pattern in PATTERNS]
    together = violations(rule(*PATTERNS), *parts)
    assert bool(together) == any(alone)
    assert violations(rule(*PATTERNS), text) == together


@settings(max_examples=100)
@given(st.text("abcB \n", max_size=60))
def test_pattern_match_is_decided_within_the_span(text: str) -> None:
    for pattern in PATTERNS:
        made = rule(pattern)
        check = made.check()
        for length, letter in enumerate(text, 1):
            assert made.span is not None
            decided = [violation.at + made.span for violation in check.feed(letter)]
            assert all(at >= length if made.streamed[0].stable else at == length for at in decided)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("sk-[a-z]{4,64}", "key sk-abcd"),
        ("sk-[a-z]{4,}", "key sk-abcd"),
        (r"\bsk-[a-z]{4,}", "key sk-abcd"),
        (r"sk-(?!test)[a-z]{4,}", "key sk-abcd"),
        ("sk-(?:proj-)?[a-z]{4,}", "key sk-abcd"),
        (r"(\w)\1+", "see"),
        ("secret(?= key)", "a secret key"),
        ("a.{0,200}b", "aab"),
    ],
)
def test_match_that_can_only_grow_is_reported_at_once(pattern: str, text: str) -> None:
    made = rule(re.compile(pattern))
    check = made.check()
    assert not check.feed(text[:-1])
    (found,) = check.feed(text[-1])
    assert found.passage == (re.search(pattern, text).start(), len(text))  # type: ignore[union-attr]
    assert violations_for_any_split(made, text + text) == [found]


@pytest.mark.parametrize(
    ("pattern", "text", "rest"),
    [
        (r"sk-[a-z]{4,8}\b", "sk-abcd", "1"),
        (r"sk-[a-z]{8}(?!-test)", "sk-abcdefgh", "-test"),
        ("sk-[a-z]{4,8}$", "sk-abcd", "1"),
        ("(?>sk|sk-a)(?!y)", "sk", "y"),
        ("s[ab]?+(?!b)", "sa", "b"),
        (r"cat(?<=\bcat\b)", "cat", "s"),
        ("cat(?<!cats)(?<=cat(?!s))", "cat", "s"),
    ],
)
def test_match_that_more_text_can_undo_is_not_reported_early(pattern: str, text: str, rest: str) -> None:
    assert re.search(pattern, text)
    assert not violations_for_any_split(rule(re.compile(pattern)), text + rest)


def test_match_that_needs_the_next_character_is_reported() -> None:
    assert violations_for_any_split(rule(re.compile(r"cat(?<!cat\b)")), "a cat, cats")


@settings(max_examples=200)
@given(st.text("abc", max_size=40), places)
@example("abcabc", [1, 3])
def test_first_complete_match_does_not_depend_on_chunk_boundaries(text: str, where: list[int]) -> None:
    for pattern in ("abcab|ca", "a.{0,9}b|c{2,}", "(?:a|ab)+c", "b+?a*"):
        made = rule(re.compile(pattern))
        first = next((text[:end] for end in range(len(text) + 1) if re.search(pattern, text[:end])), None)
        match = None if first is None else re.search(pattern, first)
        expected = [] if first is None or match is None else [(match.start(), len(first))]
        assert [violation.passage for violation in violations(made, *split(text, where))] == expected


def test_match_is_reported_even_if_no_time_is_left_to_find_the_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    check = rule(re.compile("ab+")).check()
    pattern = check._rule.streamed[0]
    searches = []

    class Slow:
        def search(self, text: str, budget: TimeBudget, start: int = 0) -> re.Match[str] | None:
            searches.append(text)
            if len(searches) > 1:
                raise OverrunError(budget.seconds)
            return re.compile("ab+").search(text, start)

    monkeypatch.setattr(check, "_rule", replace(check._rule, streamed=(replace(pattern, search=Slow()),)))
    assert [violation.passage for violation in check.feed("xabbb")] == [(1, 5)]


class Counted:
    """A prefilter that counts the characters it is shown."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, text: str) -> tuple[int, ...]:
        self.seen += len(text)
        return ()


@pytest.mark.parametrize("size", [1, 20, 5_000, 400_000])
def test_pattern_search_work_is_linear(size: int) -> None:
    made = rule("secret", re.compile(r"\d{3}-\d{4}"))
    work = []
    for length in (20_000, 200_000):
        check, counted = PatternCheck(made), Counted()
        check._candidates = counted
        for at in range(0, length, size):
            check.feed("x" * min(size, length - at))
        check.finish(Ending())
        work.append(counted.seen / length)
        assert len(check._kept) <= 16
    assert work[1] <= work[0] * 1.01
    assert work[1] <= 1 + 20 / min(size, 1024)


def test_slow_pattern_cost_is_bounded_by_the_slice() -> None:
    slow = rule(re.compile(r"(?:x+x+)+y"), span=16)
    pieces = ["x" * 12 + "\n"] * 200
    assert not violations(slow, *pieces)


EVIL = re.compile(r"(?:a|aa)+$")
BAIT = "a" * 80 + "!"
"""On this `EVIL` would run for years."""


@pytest.mark.parametrize("span", [256, None])
@pytest.mark.parametrize("prefix", ["", "word " * 600])
def test_slow_pattern_stops_the_check(span: int | None, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.rules.guardrails.patterns.SEARCH_SECONDS", 0.02)
    check = rule(EVIL, span=span).check()
    with pytest.raises(OverrunError, match="budget of 20 ms"):
        check.feed(prefix + BAIT)
        check.finish(Ending())


@pytest.mark.parametrize("engine", ["re", "regex"])
def test_pattern_engines_agree(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.rules.bounded_regex._MAX_STEPS", 0 if engine == "regex" else 10**30)
    text = "foobar, my secret: xabbbc, foo"
    patterns = {r"[ab]+c\b": 20, r"(?<=my )\w+:": 11, r"foo(?!bar)": 27, r"o+$": 28}
    found = {each: violations_for_any_split(rule(re.compile(each), span=64), text) for each in patterns}
    assert {each: violations_found[0].at for each, violations_found in found.items()} == patterns


@pytest.mark.parametrize(
    "text",
    [
        r"sk-[A-Za-z0-9]{16}",
        r"sk-[a-z]",
        r"key[^ ]",
        r"[abc]+",
        r"\d\d",
        r"\bsecret",
        r"a{3}",
        r"a{3,}",
        r"(ab){1,2}",
        r"secret.*end",
        r"x.+",
        r"password|secret",
        r"(?i)secret",
        r"^secret",
        r"(one|two)",
    ],
)
def test_text_that_looks_like_a_regular_expression_warns_at_the_line_of_the_caller(text: str) -> None:
    with pytest.warns(RuntimeWarning, match=r"^pattern_rule\.patterns: .* is literal text; .*re\.compile") as caught:
        made = rule(text)
    assert caught[0].filename == __file__
    assert not violations(made, "sk-ABCDEFGHIJKLMNOP password 11 aaa")
    assert violations(made, f"it is {text}.")


@pytest.mark.parametrize(
    "text",
    [
        "internal only",
        "[INST]",
        "<|im_start|>",
        "[TODO: add]",
        "{{name}}",
        "{name}",
        "$100",
        "a.c",
        "C++",
        "why?",
        "**",
    ],
)
def test_text_with_signs_but_no_regular_expression_does_not_warn(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert violations(rule(text), f"it is {text}.")
        rule(re.compile(r"sk-[a-z]{3}"))

"""The rules for empty answers and lengths, and rules made from functions."""

from functools import partial

import pytest
from guardrails_kit import messages, places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.custom_rule import FunctionRule, TextFunction
from l0.rules.guardrails.length import LengthRule
from l0.rules.guardrails.zero_output import ZeroOutputRule

EMPTY = ("", " ", "\n\n", "\t \r\n", "\u00a0", "\u200b\u200b", "\ufeff", "\u3000\n", "\u2060", "\u00ad")
FULL = ("a", " a", ".", "0", "é", "😀", "{}", "\n-", "\u200bx", "我", "null")


@pytest.mark.parametrize("text", EMPTY)
def test_zero_output_rule_reports_invisible_text(text: str) -> None:
    (found,) = violations_for_any_split(ZeroOutputRule(), text)
    assert (found.message, found.at, found.severity) == ("the answer is empty", 0, Severity.ERROR)


@pytest.mark.parametrize("text", FULL)
def test_zero_output_rule_accepts_visible_text(text: str) -> None:
    assert not violations_for_any_split(ZeroOutputRule(), text)


@pytest.mark.parametrize("text", EMPTY)
def test_zero_output_rule_accepts_tool_calls(text: str) -> None:
    assert not violations_for_any_split(ZeroOutputRule(), text, other=True)


@pytest.mark.parametrize(
    ("minimum", "maximum", "text", "message", "at"),
    [
        (None, 5, "12345", None, 0),
        (None, 5, "123456", "longer than 5 characters", 5),
        (None, 5, "1234567890", "longer than 5 characters", 5),
        (None, 1, "", None, 0),
        (3, None, "123", None, 0),
        (3, None, "12", "shorter than 3 characters", 2),
        (3, None, "", "shorter than 3 characters", 0),
        (3, 4, "123", None, 0),
        (3, 3, "1234", "longer than 3 characters", 3),
        (1, None, "é", None, 0),
        (2, None, "😀", "shorter than 2 characters", 1),
    ],
)
def test_length_rule(minimum: int | None, maximum: int | None, text: str, message: str | None, at: int) -> None:
    found = violations_for_any_split(Guardrails.length_rule(minimum, maximum), text)
    assert [(one.message, one.at) for one in found] == ([] if message is None else [(message, at)])


def test_length_rule_reports_excess_at_once_and_shortness_at_the_end() -> None:
    assert LengthRule(maximum=5).span == 0
    assert LengthRule(minimum=5).span is None
    check = LengthRule(maximum=5).check()
    assert not check.feed("12345")
    assert len(check.feed("6")) == 1
    assert not check.feed("7")
    assert not check.finish(Ending())


def test_length_rule_accepts_tool_calls_without_text() -> None:
    assert not violations(LengthRule(minimum=5), other=True)
    assert violations(LengthRule(minimum=5), "abc", other=True)


@pytest.mark.parametrize(("minimum", "maximum"), [(None, None), (0, None), (None, 0), (-1, None), (True, None), (5, 4)])
def test_invalid_lengths_are_rejected(minimum: int | None, maximum: int | None) -> None:
    with pytest.raises(PolicyError, match="length_rule"):
        Guardrails.length_rule(minimum, maximum)


def shouts(text: str) -> str | None:
    return "it shouts" if text.isupper() else None


def has_x(text: str) -> bool:
    return "xx" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("HELLO", ["it shouts"]), ("Hello", []), ("", []), ("HELLO there", []), ("A" * 500, ["it shouts"])],
)
def test_custom_function_on_the_complete_answer(text: str, expected: list[str]) -> None:
    rule = Guardrails.rule(shouts, name="shouting", severity="warning")
    found = violations_for_any_split(rule, text)
    assert messages(found) == expected
    assert all((one.rule, one.severity, one.at) == ("shouting", Severity.WARNING, 0) for one in found)


class Shouting:
    """A rule of the user as an object."""

    def __call__(self, text: str) -> str | None:
        return shouts(text)

    def check(self, text: str) -> str | None:
        return "it shouts" if text.isupper() else None


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (shouts, "it shouts"),
        (lambda text: text.isupper() and "it shouts", "it shouts"),
        (Shouting().check, "it shouts"),
        (Shouting(), "the rule found a problem"),
        (partial(shouts), "the rule found a problem"),
        (lambda text: f"it shouts {text}", "the rule found a problem"),
        (lambda text: text, "the rule found a problem"),
        (lambda text: True, "the rule found a problem"),
    ],
)
def test_only_a_message_that_is_a_literal_of_the_function_is_shown(function: TextFunction, plain: str) -> None:
    (found,) = violations(Guardrails.rule(function), "HELLO")
    assert found.plain == plain
    shown = f"message={found.message!r}" if found.message == plain else f"plain={plain!r}"
    assert repr(found).startswith(f"Violation(rule='custom', {shown}, severity=")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", None),
        ("xx", 0),
        ("a" * 9 + "xx", 5),
        ("a" * 10 + "xx", 5),
        ("a" * 40 + "xx" + "a" * 40 + "xx", 35),
        ("a" * 41 + "xx", 35),
        ("ax" * 30, None),
        ("a" * 100 + "x", None),
    ],
)
def test_custom_function_on_parts(text: str, at: int | None) -> None:
    found = violations_for_any_split(Guardrails.rule(has_x, span=10), text)
    assert [(one.message, one.at) for one in found] == ([] if at is None else [("the rule found a problem", at)])


@settings(max_examples=200)
@given(st.text("ax", max_size=80), st.integers(2, 12), places)
def test_custom_function_parts_ignore_chunk_boundaries(text: str, span: int, where: list[int]) -> None:
    parts_seen: list[list[str]] = []

    def note(part: str, into: list[str]) -> None:
        into.append(part)

    for parts in ([text], split(text, where)):
        parts_seen.append([])
        assert not violations(FunctionRule(function=partial(note, into=parts_seen[-1]), span=span), *parts)
    assert parts_seen[0] == parts_seen[1]
    assert all(len(part) <= span for part in parts_seen[0])
    pieces = {text[at : at + span // 2] for at in range(len(text) - span // 2 + 1)}
    assert all(any(piece in part for part in parts_seen[0]) for piece in pieces)
    assert sum(map(len, parts_seen[0])) <= 3 * len(text) + span


async def later(text: str) -> bool:
    return not text


class Later:
    async def __call__(self, text: str) -> bool:
        return not text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("function", 5),
        ("function", later),
        ("function", Later()),
        ("name", ""),
        ("span", 1),
        ("span", True),
        ("severity", "x"),
    ],
)
def test_invalid_custom_rule_arguments_are_rejected(field: str, value: object) -> None:
    given: dict[str, object] = {"function": has_x, field: value}
    with pytest.raises(PolicyError, match=field):
        Guardrails.rule(**given)  # type: ignore[arg-type]

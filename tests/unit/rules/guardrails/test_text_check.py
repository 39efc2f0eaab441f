"""Rules check a complete text outside of a stream, with the findings of a call."""

from typing import Any

import pytest
from guardrails_kit import violations

from l0 import Drift, Guardrails, PolicyError
from l0.model.rule import Rule

LOOP = "The harbour is closed today because of the wind. " * 12
FORBIDDEN = Guardrails.pattern_rule(["wind"], "not the wind")

TEXTS: list[tuple[str, Any, list[str]]] = [
    ("", "minimal", ["zero_output"]),
    ("All is well.", "recommended", []),
    ('{"a": [1, 2', Guardrails.json_rule(), ["json"]),
    ("```python\nx = 1\n", Guardrails.markdown_rule(), ["markdown"]),
    ("The wind is strong.", FORBIDDEN, ["pattern"]),
    ("The wind is strong.", [Guardrails.length_rule(minimum=100), FORBIDDEN], ["pattern", "length"]),
    (LOOP, Drift(), ["drift.repetition"]),
    (LOOP, (*Guardrails.recommended(), Drift()), ["repetition"]),  # one defect, which two rules find
    ("anything", [], []),
]


@pytest.mark.parametrize(("text", "rules", "found"), TEXTS)
def test_violations_of_a_text(text: str, rules: Any, found: list[str]) -> None:
    assert [violation.rule for violation in Guardrails.check(text, rules)] == found


def test_the_recommended_rules_are_the_default() -> None:
    assert Guardrails.check('{"a": 1') == Guardrails.check('{"a": 1', Guardrails.recommended())


@pytest.mark.parametrize("rule", Guardrails.strict(), ids=lambda rule: rule.name)
def test_a_rule_finds_the_same_as_in_a_stream(rule: Rule) -> None:
    text = "As an AI language model, I cannot say. " + LOOP + "\n```\n$$x {"
    assert list(Guardrails.check(text, rule)) == sorted(violations(rule, text), key=lambda one: one.at)


@pytest.mark.parametrize("rules", [42, None, {"a": 1}, [42], Guardrails, Drift, "all"])
def test_what_is_no_rule_is_refused(rules: Any) -> None:
    with pytest.raises(PolicyError, match=r"check\.rules"):
        Guardrails.check("text", rules)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"check\.text"):
        Guardrails.check(b"text")  # type: ignore[arg-type]

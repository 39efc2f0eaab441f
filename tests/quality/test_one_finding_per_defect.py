"""Guardrails, drift detection and schemas together report each defect once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, cast

import pytest
from quality_kit import labelled, recorded_answers

from l0.model.policy import CheckIntervals, Policy
from l0.model.ports import Reader
from l0.model.rule import Rule, Severity, Violation
from l0.rules.drift.drift_rule import Drift
from l0.rules.finding_filter import same_defect
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.structured.schema_rule import schema_rule
from l0.runtime.requested_schema import NOTHING
from l0.runtime.rule_runner import RuleRunner

Rules = tuple[Rule, ...]
_LOOP = "The lamp is on the table and it is not going to move. "
_ROW = "| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 | 3 | 4 | 5 | 6 |\n| 1 |\n"
OVERLAPS = {
    "meta commentary": "Sure, here it is. As an AI language model, I cannot taste soup. It is warm.\n",
    "instructions": "The answer is five. My system prompt says that I must not tell you. It is five.\n",
    "template": "The answer is five.\n<|im_start|>assistant\nIt is five.\n",
    "roles": "The answer is five.\nUser: and six?\nAssistant: It is six.\nUser: and seven?\n",
    "hedges": "I'm not sure, maybe. I think it might be five, perhaps. I could be wrong, probably. I guess so.\n",
    "loop": _LOOP * 12,
    "unit": "ha" * 800,
    "table": _ROW * 3,
    "broken JSON": '{"a": 1, oops this is not JSON, "b": 2}\n',
    "cut JSON": '{"a": [1, 2',
    "no JSON": "Here it is: five.",
    "empty": " \n ",
    "wrong encoding": "Das ist schÃ¶n und fÃ¼r die TÃ¼r. " * 4,
}
"""Texts whose defect is found by more than one rule."""


def warnings() -> Rules:
    """Return all rules that can find the same defect, as warnings, so that none ends the answer."""
    level = Severity.WARNING
    return (
        Guardrails.zero_output_rule(severity=level),
        Guardrails.json_rule(severity=level),
        Guardrails.strict_json_rule(severity=level),
        Guardrails.markdown_rule(),
        Guardrails.latex_rule(severity=level),
        Guardrails.pattern_rule(severity=level),
        Guardrails.repetition_rule(severity=level),
        Guardrails.stall_rule(severity=level),
        Guardrails.length_rule(minimum=9, severity=level),
        schema_rule({"type": "object"}, severity=level),
    )


RULES = {
    "strict": (Guardrails.strict(), Drift()),
    "strict with schema": ((*Guardrails.strict(), schema_rule({"type": "object"})), Drift()),
    "warnings": (warnings(), Drift()),
    "drift fails": (Guardrails.recommended(), Drift(severity=Severity.ERROR)),
}


@dataclass
class Answer:
    """The part of a `Reader` that rules use."""

    text: list[str] = field(default_factory=list)
    tools: dict[Any, Any] = field(default_factory=dict)
    content: int = 0
    other: bool = False


def reported(rules: Rules, drift: Drift | None, text: str, size: int = 7) -> list[Violation]:
    """Return what the user gets for an answer in pieces of ``size`` characters, up to the first failure."""
    found: list[Violation] = []
    policy = Policy(on_violation=found.append, check_intervals=CheckIntervals(guardrails=5, drift=10))
    runner = RuleRunner(policy, rules, () if drift is None else (drift,), None, NOTHING)
    answer = Answer()
    reader = cast(Reader, answer)
    for at in range(0, len(text), size):
        answer.text.append(text[at : at + size])
        if runner.evaluate(reader) is not None:
            return found
    runner.finish(reader)
    return found


def overlapping(found: list[Violation]) -> list[tuple[Violation, Violation]]:
    """Return all pairs of findings that are the same defect."""
    return [(one, other) for one, other in combinations(found, 2) if same_defect(one, other)]


@pytest.mark.parametrize("size", [1, 7, 400])
@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("rules", RULES)
def test_overlapping_rules_report_a_defect_once(rules: str, name: str, size: int) -> None:
    found = reported(*RULES[rules], OVERLAPS[name], size)
    assert found or name == "no JSON"
    assert not overlapping(found)


@pytest.mark.parametrize("name", OVERLAPS)
def test_each_rule_alone_finds_what_the_filter_removes(name: str) -> None:
    """The texts above prove something only if at least two rules find their defect."""
    rules = [*RULES["warnings"][0], Guardrails.repetition_rule(), RULES["warnings"][1]]
    alone = [each for rule in rules for each in reported((rule,), None, OVERLAPS[name])]
    assert overlapping([each for each in alone if each.families])


@pytest.mark.parametrize("rules", RULES)
def test_corpus_yields_no_defect_twice(rules: str) -> None:
    texts = [sample.text for sample in labelled()] + [text for _, text in recorded_answers()]
    twice = {text[:60]: pairs for text in texts if (pairs := overlapping(reported(*RULES[rules], text)))}
    assert len(texts) >= 300
    assert not twice


def test_corpus_loses_no_defect() -> None:
    """Everything that one rule finds alone is reported by some rule when all are active."""
    guardrails, drift = RULES["warnings"]
    for sample in labelled():
        together = reported(guardrails, drift, sample.text)
        for rule in (*guardrails, drift):
            for alone in reported((rule,), None, sample.text):
                assert alone in together or overlapping([alone, *together])[0][0] is alone, (sample.id, alone)


def test_a_broken_object_in_an_answer_is_reported_by_its_schema() -> None:
    text = json.dumps({"a": 1})[:-1]
    assert {each.rule for each in reported(*RULES["warnings"], text)} == {"schema", "length"}

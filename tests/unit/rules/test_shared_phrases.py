"""Phrases that guardrails and drift detection share are written once, and both find them."""

from __future__ import annotations

import pytest

from l0.model.rule import Ending, Rule
from l0.rules.drift import hedging, meta_commentary
from l0.rules.drift.drift_rule import Drift
from l0.rules.drift.phrases import Phrases
from l0.rules.guardrails import bundled_patterns
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.shared_phrases import ASSISTANT_ROLES, NO_OPINIONS, SELF_REFERENCE, USER_ROLES

SENTENCES = {
    "artificial": "I am just an artificial intelligence, so I cannot taste it.",
    "model": "As a large language model, I cannot taste it.",
    "training": "That is not part of my training data.",
    "trainingsdaten": "Das steht nicht in meinen Trainingsdaten.",
    "wissensstand": "Nach meinem Wissensstand gilt das noch.",
    "entrenamiento": "Eso no aparece en mis datos de entrenamiento.",
    "opinions": "I don\u2019t have any personal opinions about that.",
}


def found(rule: Rule, sentence: str) -> set[str]:
    check = rule.check()
    text = f"The soup is warm. {sentence} The bread is old."
    return {family for each in (*check.feed(text), *check.finish(Ending())) for family in each.families}


def test_every_shared_phrase_has_a_sentence() -> None:
    assert set(SENTENCES) == {*SELF_REFERENCE, "opinions"}


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES)
@pytest.mark.parametrize("rule", [Guardrails.pattern_rule(), Drift()], ids=["pattern", "drift"])
def test_both_rules_find_a_shared_phrase(rule: Rule, sentence: str) -> None:
    assert "meta_commentary" in found(rule, sentence)


@pytest.mark.parametrize("role", [*USER_ROLES, *ASSISTANT_ROLES])
def test_both_rules_find_the_roles_of_a_conversation(role: str) -> None:
    text = f"\n{role.title()}: and six?\n{'User' if role in ASSISTANT_ROLES else 'AI'}: It is six.\n"
    assert "format" in found(Guardrails.pattern_rule(), text)
    assert "format" in found(Drift(), text)


def test_no_phrase_is_written_in_both_lists() -> None:
    lexicons = [
        each for room in (hedging, meta_commentary) for each in vars(room).values() if isinstance(each, Phrases)
    ]
    assert len(lexicons) == 3
    drift = {pattern.pattern for each in lexicons for pattern in each._patterns.values()}
    bundled = {pattern for family in bundled_patterns.FAMILIES for pattern in family.patterns}
    assert drift & bundled == {*SELF_REFERENCE.values(), NO_OPINIONS}

"""The findings of the guardrails' patterns and of their repetition rule on labelled texts, for types that overlap.

They are made for less: set phrases that hardly ever mean anything else, anywhere in an answer.
"""

from __future__ import annotations

from collections import Counter

import pytest
from quality_kit import labelled

from l0.model.rule import Ending
from l0.rules.guardrails.catalogue import Guardrails

TOLD_AS = {"meta_commentary": "meta commentary", "hedging": "hedging", "repetition": "a passage is repeated"}
"""The beginning of the message of a violation, by the label of a text."""
MIN_PRECISION, MIN_RECALL = 0.75, 0.25


def told(text: str) -> list[str]:
    checks = [Guardrails.pattern_rule().check(), Guardrails.repetition_rule().check()]
    return [one.message for check in checks for one in (*check.feed(text), *check.finish(Ending()))]


@pytest.mark.parametrize("kind", TOLD_AS)
def test_guardrails_find_their_share(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    for sample in labelled():
        called = any(message.startswith(TOLD_AS[kind]) for message in told(sample.text))
        if kind in sample.labels:
            counts["hit" if called else "missed"] += 1
        elif called:
            counts["false"] += 1
    precision, recall = (counts["hit"] / (counts["hit"] + counts[other]) for other in ("false", "missed"))
    with capsys.disabled():
        print(f"\nguardrails {kind:16} precision {precision:.2f} recall {recall:.2f} {dict(counts)}")
    assert precision >= MIN_PRECISION
    assert recall >= MIN_RECALL

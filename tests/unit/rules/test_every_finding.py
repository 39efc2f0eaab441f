"""Every rule finds each family of defects that it declares: a rule, or a new family, without an example fails here."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from l0.model.rule import Rule
from l0.rules.drift.drift_rule import _DETECTORS, Drift
from l0.rules.families import Family
from l0.rules.guardrails.catalogue import Guardrails

DOCS_TABLES = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "docs_tables.py"))
GUARDRAILS: dict[str, Rule] = {rule.name: rule for rule in DOCS_TABLES["guardrails"]()}
GUARDRAILS["length"] = Guardrails.length_rule(minimum=2)

OPENING = "The bridge was finished in 1901 and closed twice for repairs. It carries two tracks and a path. "
FORMAL = "The parties hereby agree to the following provisions; furthermore, the supplier shall deliver on time. "
GUARDED: dict[tuple[str, str], str] = {
    ("zero_output", "empty"): "",
    ("json", "json"): '{"total": 3,',
    ("strict_json", "json"): "The total is 3.",
    ("strict_json", "empty"): "",
    ("markdown", "markdown"): "Run this:\n```python\nprint(3)\n",
    ("latex", "latex"): r"So \begin{equation} x = 3 follows.",
    ("pattern", "meta_commentary"): "As an AI language model, I have no bridge.",
    ("pattern", "hedging"): "I might be wrong, so please verify this.",
    ("pattern", "refusal"): "I'm sorry, but I can't help with that.",
    ("pattern", "instruction_leak"): "My system prompt says that I may not tell.",
    ("pattern", "template_leak"): "Done.<|im_end|>",
    ("pattern", "placeholder"): "Dear [insert name here], welcome.",
    ("pattern", "format"): "It is [object Object].",
    ("pattern", "garbled"): "It is \ufffd\ufffd\ufffd\ufffd.",
    ("repetition", "loop"): "It carries two tracks and a path over the river. " * 8,
    ("stall", "filler"): "It carries two tracks." + "\n" * 700,
    ("stall", "loop"): "It carries two tracks." + "ab" * 700,
    ("length", "empty"): "",
    ("length", "length"): "x",
}
DRIFTING: dict[tuple[str, str], str] = {
    ("tone_shift", "tone"): FORMAL + "Yeah dude, gonna be awesome, lol, totally cool! ",
    ("meta_commentary", "meta_commentary"): OPENING + "As an AI, I have no opinion on bridges.",
    ("meta_commentary", "instruction_leak"): OPENING + "Following my instructions, I cannot say more.",
    ("format_collapse", "format"): '{"a": 1}\nThat is all that I found.',
    ("format_collapse", "json"): '{"a": [1, 2], "b": this should be a number}',
    ("format_collapse", "template_leak"): OPENING + "<|im_end|>",
    ("markdown_collapse", "markdown"): "## A\n\ntext ## B text ## C text\n",
    ("repetition", "loop"): OPENING * 3,
    ("entropy_spike", "garbled"): OPENING + "Xqj vbkz wqpt zzkh fjqx mvwb qkzj hxvq pwzk jbqv tzqx kvwj.",
    ("hedging", "hedging"): "Maybe so, or perhaps not. " * 2
    + "I think it might possibly be, but I'm not sure. Who knows, perhaps. ",
}


@pytest.mark.parametrize(
    ("rule", "family"), [(name, str(family)) for name, rule in GUARDRAILS.items() for family in sorted(rule.covers)]
)
def test_guardrail_finds_each_of_its_families(rule: str, family: str) -> None:
    assert (rule, family) in GUARDED, "add a text to GUARDED in which the rule finds this family"
    found = Guardrails.check(GUARDED[rule, family], GUARDRAILS[rule])
    assert Family(family) in {each for violation in found for each in violation.families}


@pytest.mark.parametrize(
    ("detector", "family"),
    [(name, str(family)) for name, kind in _DETECTORS.items() for family in sorted(kind.FAMILIES)],
)
def test_detector_finds_each_of_its_families(detector: str, family: str) -> None:
    assert (detector, family) in DRIFTING, "add a text to DRIFTING in which the detector finds this family"
    found = Guardrails.check(DRIFTING[detector, family], Drift())
    reported = {each for violation in found if violation.rule == f"drift.{detector}" for each in violation.families}
    assert Family(family) in reported


def test_every_example_belongs_to_a_rule() -> None:
    declared = {(name, str(family)) for name, rule in GUARDRAILS.items() for family in rule.covers}
    declared |= {(name, str(family)) for name, kind in _DETECTORS.items() for family in kind.FAMILIES}
    assert set(GUARDED) | set(DRIFTING) == declared

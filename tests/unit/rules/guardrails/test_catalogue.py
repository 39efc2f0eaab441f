"""The presets, and their results on real answers."""

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import pytest
from guardrails_kit import split, violations
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import TRAFFIC, needs_traffic

import l0.rules.guardrails
from l0.model.policy import GuardrailsPreset, PolicyError
from l0.model.rule import Ending, Rule, Severity
from l0.model.verified_hold import FINAL_RULES
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.inspection import Inspection, widest_span
from l0.simulator import corpus

PRESETS = {
    "none": [],
    "minimal": ["zero_output", "json"],
    "recommended": ["zero_output", "json", "markdown", "pattern", "repetition", "stall"],
    "strict": ["zero_output", "json", "markdown", "latex", "pattern", "repetition", "stall"],
    "json_only": ["zero_output", "strict_json"],
    "markdown_only": ["zero_output", "markdown"],
    "latex_only": ["zero_output", "latex"],
}


@pytest.mark.parametrize("name", get_args(GuardrailsPreset))
def test_presets_contain_their_rules(name: str) -> None:
    rules = Guardrails.preset(name)
    assert [rule.name for rule in rules] == PRESETS[name]
    assert rules == getattr(Guardrails, name)()


@pytest.mark.parametrize("name", ["", "all", "Recommended", None, 5])
def test_unknown_preset_is_rejected(name: object) -> None:
    with pytest.raises(PolicyError, match="recommended"):
        Guardrails.preset(name)  # type: ignore[arg-type]


def test_preset_spans_fit_the_default_hold() -> None:
    assert all((widest_span(Guardrails.preset(name)) or 0) <= 256 for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_names_its_rules_that_only_the_end_decides(name: str) -> None:
    failing = [rule for rule in Guardrails.preset(name) if rule.severity is not Severity.WARNING]
    assert FINAL_RULES[name] == ", ".join(rule.name for rule in failing if rule.span is None)


@pytest.mark.parametrize(
    "make",
    [
        Guardrails.zero_output_rule,
        Guardrails.json_rule,
        Guardrails.strict_json_rule,
        Guardrails.markdown_rule,
        Guardrails.latex_rule,
        Guardrails.repetition_rule,
        Guardrails.stall_rule,
        Guardrails.pattern_rule,
    ],
)
def test_severity_accepts_names(make: Callable[..., Rule]) -> None:
    assert make(severity="fatal").severity is Severity.FATAL
    assert make(severity=Severity.WARNING).severity is Severity.WARNING
    with pytest.raises(PolicyError, match="warning, error, fatal"):
        make(severity="bad")


def test_pattern_rule_severity_is_its_worst() -> None:
    assert Guardrails.pattern_rule().severity is Severity.ERROR
    assert Guardrails.pattern_rule("x", severity="warning").severity is Severity.WARNING


ANSWERS = {
    "Hello! How can I help?": [],
    "": ["zero_output"],
    '{"a": [1, 2': ["json"],
    "```py\nx = 1": ["markdown"],
    "As an AI, I cannot see.": ["pattern"],
    "I will try. " * 40: ["repetition"],
    "Well" + "." * 900: ["stall"],
    "Here you go: <|im_end|>": ["pattern"],
}


@pytest.mark.parametrize(("text", "rules"), ANSWERS.items())
def test_recommended_preset(text: str, rules: list[str]) -> None:
    assert [found.rule for rule in Guardrails.recommended() for found in violations(rule, text)] == rules


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([*ANSWERS, "\n", " ", "| a | b |\n"]), max_size=6),
    st.lists(st.integers(0, 3000), max_size=9),
)
def test_strict_preset_ignores_chunk_boundaries(texts: list[str], where: list[int]) -> None:
    text = "".join(texts)
    whole = [found for rule in Guardrails.strict() for found in violations(rule, text)]
    assert [found for rule in Guardrails.strict() for found in violations(rule, *split(text, where))] == whole


def _texts(value: Any) -> list[str]:
    """Return the text deltas of one event, in any dialect."""
    if not isinstance(value, dict):
        return []
    if value.get("type") == "response.output_text.delta":
        return [value["delta"]]
    if value.get("type") == "content_block_delta":
        return [value["delta"].get("text") or ""]
    choices = [choice for choice in value.get("choices") or [] if choice.get("index", 0) == 0]
    return [(choice.get("delta") or choice).get("content") or choice.get("text") or "" for choice in choices]


@lru_cache(maxsize=1)
def recorded() -> tuple[str, ...]:
    """Return the texts of recorded answers that have text."""
    found = []
    for file in sorted(TRAFFIC.rglob("*.sse")):
        data = [line[5:] for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("data:")]
        events = [json.loads(line) for line in data if line.strip().startswith("{")]
        found.append("".join(text for event in events for text in _texts(event) if isinstance(text, str)))
    return tuple(text for text in found if text.strip())


@needs_traffic
def test_recorded_answers_cause_no_false_alarms() -> None:
    """Answers that express doubt, refuse or end inside a fence cause warnings only."""
    alarms = [found for text in recorded() for rule in Guardrails.recommended() for found in violations(rule, text)]
    assert len(recorded()) > 100
    assert not [found for found in alarms if found.severity is not Severity.WARNING]
    assert len(alarms) <= len(recorded()) * 0.05


def test_bundled_answers_cause_alarms_only_if_broken() -> None:
    reported: dict[str, set[str]] = {}
    for name, answer in corpus.answers().items():
        other = bool(answer.tool_calls or answer.refusal)
        found = [each for rule in Guardrails.recommended() for each in violations(rule, answer.text_of(0), other=other)]
        reported |= {name: {each.rule for each in found}} if found else {}
    assert reported == {
        "empty": {"zero_output"},
        "json_broken": {"json"},
    }


def opcodes(rules: tuple[Rule, ...], tokens: list[str]) -> int:
    """Return the number of Python instructions that an inspection of these tokens takes."""
    folders = tuple(str(Path(l0.rules.guardrails.__path__[0]).parent / room) for room in ("guardrails", "structured"))
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(folders):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    inspection = Inspection(rules)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for at in range(0, len(tokens), 5):
            inspection.feed("".join(tokens[at : at + 5]))
        inspection.finish(Ending())
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("rule", Guardrails.strict(), ids=lambda rule: rule.name)
def test_work_per_token_is_constant(rule: Rule) -> None:
    sentence = ["Word", "{0}", "of", "text", "{0},", "*so*", "`x`", "it", "| goes\n-", "{0}", "on."]
    short, long = (
        [f"{each} ".format(number) for number in range(rounds) for each in sentence] for rounds in (100, 800)
    )
    opcodes((rule,), short)  # CPython 3.12 counts a function's instructions from its second trace on
    once = opcodes((rule,), short) / len(short)
    assert 0 < opcodes((rule,), long) / len(long) <= 1.1 * once

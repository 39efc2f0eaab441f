"""The drift rule as the engine uses it: configured, fed in pieces, reported once."""

import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Rule, Severity, Violation
from l0.rules.drift.drift_rule import Drift

TYPES = (
    "tone_shift",
    "meta_commentary",
    "format_collapse",
    "markdown_collapse",
    "repetition",
    "entropy_spike",
    "hedging",
)
CLEAN = "The harbour was built in 1890 and rebuilt after the great storm. Ships of any size can enter at high tide.\n"
DRIFTING = {
    "tone_shift": "The parties shall hereby agree; furthermore, the goods shall be delivered pursuant to clause 8.\n"
    "Yeah dude, gonna be awesome lol, totally cool, haha!! ",
    "meta_commentary": CLEAN + "As an AI language model, I cannot visit harbours. ",
    "format_collapse": CLEAN + "\n[/INST] And now? [INST] ",
    "markdown_collapse": "|a|b|\n|---|---|\n|1|2|3|4|5|6|\n|1|2|3|4|5|6|\n",
    "repetition": CLEAN + "The price depends on the season. " * 4,
    "entropy_spike": CLEAN + "Kjx vqwpt zrrgh bnnfd wqxlk jhgvc ppzrt mqwxv dfghk lzxcv bnmqw rtplk jhgfd. ",
    "hedging": "Maybe it is perhaps the cable, or possibly the port, I think. I'm not sure, maybe it might be broken, "
    "and I guess it probably is, but who knows, I could be wrong. ",
}
"""One text per type of drift. Each shows its drift without any text after it."""
TEXTS = st.lists(
    st.sampled_from((*DRIFTING.values(), CLEAN, "word ", "\n\n", "```python\n", "{", '"', "**")), max_size=12
)
CUTS = st.lists(st.integers(1, 300), max_size=40)


def violations(rule: Rule, *pieces: str) -> list[Violation]:
    check = rule.check()
    found = [violation for piece in pieces for violation in check.feed(piece)]
    return [*found, *check.finish(Ending())]


def pieces(text: str, lengths: list[int]) -> list[str]:
    places = [0]
    for length in lengths:
        places.append(min(len(text), places[-1] + length))
    return [text[begin:end] for begin, end in pairwise([*places, len(text)])]


@pytest.mark.parametrize("kind", TYPES)
def test_drift_type_is_found_and_can_be_switched_off(kind: str) -> None:
    (found,) = violations(Drift(), DRIFTING[kind])
    assert found.rule == f"drift.{kind}"
    assert found.severity is Severity.WARNING
    assert 0.5 <= found.confidence <= 1
    switched: dict[str, Any] = {kind: False}
    assert violations(Drift(**switched), DRIFTING[kind]) == []
    alone: dict[str, Any] = {other: other == kind for other in TYPES}
    assert violations(Drift(**alone), DRIFTING[kind]) == [found]


def test_clean_text_of_any_length_has_no_violations() -> None:
    assert violations(Drift(repetition=False), CLEAN * 200) == []


@given(TEXTS, CUTS)
def test_drift_does_not_depend_on_chunk_boundaries(fragments: list[str], lengths: list[int]) -> None:
    text = "".join(fragments)
    assert violations(Drift(), *pieces(text, lengths)) == violations(Drift(), text)


@settings(max_examples=30)
@given(TEXTS, st.sampled_from([100, 500]))
def test_drift_offsets_are_within_the_span(fragments: list[str], window: int) -> None:
    rule = Drift(window=window, min_confidence=0.3)
    check, text = rule.check(), "".join(fragments)
    for read, character in enumerate(text, 1):
        for violation in check.feed(character):
            assert 0 <= violation.at < read <= violation.at + rule.span
    for violation in check.finish(Ending()):
        assert 0 <= violation.at < len(text) <= violation.at + rule.span


def test_span_is_short_if_no_detector_uses_the_window() -> None:
    narrow = Drift(tone_shift=False, markdown_collapse=False, entropy_spike=False, hedging=False)
    assert narrow.span < Drift(window=100).span < Drift(window=900).span


def test_drift_type_is_reported_once() -> None:
    reported = [violation.rule for violation in violations(Drift(), *[DRIFTING["meta_commentary"]] * 5)]
    assert reported.count("drift.meta_commentary") == 1


def test_checks_of_two_answers_share_no_state() -> None:
    rule = Drift()
    one, other = rule.check(), rule.check()
    assert one.feed(DRIFTING["hedging"])
    assert not other.feed(CLEAN)
    assert violations(rule, DRIFTING["hedging"]) == violations(rule, DRIFTING["hedging"])


def test_min_confidence_and_severity_are_applied() -> None:
    assert violations(Drift(min_confidence=1.0), DRIFTING["meta_commentary"]) == []
    (found,) = violations(Drift(severity=Severity("error")), DRIFTING["meta_commentary"])
    assert found.severity is Severity.ERROR
    assert "AI" not in found.message, "messages never quote the answer"


def test_memory_does_not_grow_with_the_answer() -> None:
    check = Drift(min_confidence=1.0).check()
    sizes = []
    for number in range(3_000):
        check.feed(f"Sentence {number} has a colour of its own, maybe {number % 7}, lol, furthermore. **x\n")
        sizes.append(len(pickle.dumps(check)) if number % 500 == 0 else 0)
    assert max(sizes[1_000:]) < 1.2 * max(sizes[:1_000])
    assert max(sizes) < 40_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tone_shift", 1),
        ("window", 99),
        ("window", True),
        ("repeats", 1),
        ("hedges", 0),
        ("disorder", 1.5),
        ("disorder", float("nan")),
        ("min_confidence", "high"),
        ("severity", "loud"),
    ],
)
def test_policy_error_names_the_invalid_field(field: str, value: Any) -> None:
    with pytest.raises(PolicyError, match=f"Drift.{field}"):
        Drift(**{field: value})

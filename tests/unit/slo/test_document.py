"""The file of objectives: what is read, what is refused and where, and the way to OpenSLO and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.slo.burn import DAY
from l0.slo.document import ObjectivesError, parse, warnings, write
from l0.slo.objective import DEFAULTS, Indicator, Objective
from l0.slo.openslo import from_openslo, to_openslo

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda name: name != "masked")
PATTERNS = st.sampled_from(["*", "openai", "gpt-4o*", "1", "true", "#", "a: b", "null", "é"])


@st.composite
def objectives(draw) -> Objective:
    indicator = draw(st.sampled_from(Indicator))
    return Objective(
        name=draw(NAMES),
        indicator=indicator,
        target=draw(st.integers(1, 99_999)) / 100_000,
        threshold=draw(st.integers(1, 10**7)) / 1000 if indicator.timed else None,
        window=draw(st.integers(1, 30)) * DAY,
        min_events=draw(st.integers(1, 10**6)),
        provider=draw(PATTERNS),
        model=draw(PATTERNS),
    )


LISTS = st.lists(objectives(), min_size=1, max_size=5, unique_by=lambda one: one.name).map(tuple)


@given(LISTS)
@settings(max_examples=60)
def test_what_is_written_is_read_again(given):
    assert parse(write(given)) == given
    assert from_openslo(to_openslo(given)) == given


def test_the_defaults_are_a_short_file():
    assert parse(write()) == DEFAULTS
    assert len(write().splitlines()) < 30
    assert warnings(DEFAULTS) == []


def test_defaults_of_a_document_apply_to_every_objective():
    text = """
window: 7d
min_events: 50
objectives:
  a: {indicator: attempts.stall, target: 99.5 %}
  b: {indicator: delivered.first_chunk, target: 0.9, threshold: 500ms, window: 1d, model: "gpt-*"}
"""
    first, second = parse(text)
    assert first == Objective(name="a", indicator=Indicator.STALL, target=0.995, window=7 * DAY, min_events=50)
    assert second == Objective(
        name="b",
        indicator=Indicator.FIRST_CHUNK,
        target=0.9,
        threshold=0.5,
        window=DAY,
        min_events=50,
        model="gpt-*",
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file: got None, allowed: a mapping of objectives"),
        ("- a", 1, "the file: got ['a']"),
        ("objectives: [", 1, "expected the node content"),
        ("window: 30d", 1, "objectives: got None, allowed: a mapping of names"),
        (
            "window: 30\nobjectives:\n  a: {indicator: attempts.stall, target: 99%}",
            1,
            "window: got 30, allowed: a time",
        ),
        ("objectives:\n  a:\n    target: 99%", 2, "objectives.a.indicator: missing"),
        ("objectives:\n  a:\n    indicator: attempts.stall\n    target: 99", 4, "target: got 99.0, allowed: a share"),
        ("objectives:\n  a:\n    indicator: attempts.stall\n    target: x%", 4, "target: got 'x%'"),
        ("objectives:\n  a:\n    indicator: stall\n    target: 99%", 3, "indicator: got 'stall', allowed: one of"),
        ("objectives:\n  a: {indicator: attempts.stall, target: 99%}\n  a: {}", 3, "duplicate key a"),
        (
            "objectives:\n  a:\n    indicator: attempts.stall\n    traget: 99%",
            4,
            "no field 'traget', allowed: indicator",
        ),
        (
            "objectives:\n  a:\n\n    indicator: attempts.first_token\n    target: 99%",
            2,
            "threshold: got None, allowed",
        ),
        ("objectives:\n  a: 3", 2, "objectives.a: got 3, allowed: a mapping"),
        ("objectives:\n  A: {indicator: attempts.stall, target: 99%}", 2, "A.name: got 'A', allowed: lower-case"),
        ("objectives:\n  a: {indicator: attempts.stall, target: 99%}\n---\nb: 1", 4, "more than one document"),
    ],
)
def test_error_names_its_line(text, line, says):
    with pytest.raises(ObjectivesError) as caught:
        parse(text, "my.yaml")
    assert any(problem.startswith(f"my.yaml:{line}: ") and says in problem for problem in caught.value.problems), (
        caught.value.problems
    )


def test_all_errors_are_reported_in_the_order_of_the_file():
    text = "objectives:\n  a: {indicator: x, target: 99%}\n  b: {indicator: attempts.stall, target: 1}"
    with pytest.raises(ObjectivesError) as caught:
        parse(text)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["slo.yaml:2", "slo.yaml:3"]


def test_what_is_probably_not_meant_is_a_warning():
    found = warnings(parse("objectives:\n  a: {indicator: attempts.capacity, target: 80%}"))
    assert found[0].startswith("a: with a target of 80% the alert over 1h or 6h can never fire")
    assert "no objective for delivered calls" in found[1]


FOREIGN = """apiVersion: openslo/v1
kind: Service
metadata: {name: x}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: web
  annotations:
    l0/indicator: delivered.success
spec:
  service: x
  indicatorRef: some
  budgetingMethod: Occurrences
  timeWindow:
  - duration: 4w
    isRolling: true
  objectives:
  - target: 0.995
"""


def test_somebody_elses_file_needs_nothing_but_the_indicator():
    assert from_openslo(FOREIGN) == (Objective(name="web", indicator=Indicator.SUCCESS, target=0.995, window=28 * DAY),)


def test_a_target_in_per_cent_is_one_too():
    (read,) = from_openslo(FOREIGN.replace("target: 0.995", "targetPercent: 99.5"))
    assert read.target == 0.995


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ("Occurrences", "Timeslices", 14, "budgetingMethod: got 'Timeslices', allowed: 'Occurrences'"),
        ("isRolling: true", "isRolling: false", 17, "isRolling: got False, allowed: True"),
        ("openslo/v1\nkind: SLO", "openslo/v2\nkind: SLO", 5, "apiVersion"),
        ("4w", "month", 16, "duration: got 'month', allowed: a time"),
        ("4w", "1h", 16, "SLO.window: got 3600"),
        ("target: 0.995", "targetPercent: 200", 19, "SLO.target: got 2.0, allowed: a share"),
        ("  - target: 0.995", "  - target: 0.995\n  - target: 0.9", 18, "spec.objectives: got [{'target': 0.995}, "),
        ("0.995", "often", 19, "target: got 'often', allowed: a share"),
        ("l0/indicator", "other", 9, "indicator: got None, allowed: one of"),
        ("kind: SLO", "kind: SLI", 1, "no document of kind SLO"),
        ("name: web", "name: Web", 8, "SLO.name: got 'Web'"),
        ("objectives:\n  - target: 0.995", "objectives: []", 18, "target: got None, allowed: a share"),
    ],
)
def test_error_in_an_openslo_file_names_its_line(before, after, line, says):
    with pytest.raises(ObjectivesError) as caught:
        from_openslo(FOREIGN.replace(before, after), "o.yaml")
    assert any(problem.startswith(f"o.yaml:{line}: ") and says in problem for problem in caught.value.problems), (
        caught.value.problems
    )


def test_two_slos_of_one_name_are_refused():
    with pytest.raises(ObjectivesError, match="each name once"):
        from_openslo(FOREIGN + "---\n" + FOREIGN)

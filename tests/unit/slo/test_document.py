"""The file of objectives: reading it, the lines of its errors, and the conversion to OpenSLO and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.slo.burn import DAY
from l0.slo.document import ObjectivesError, parse, parse_with_lines, to_yaml, warnings_about
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
    assert parse(to_yaml(given)) == given
    assert from_openslo(to_openslo(given)) == given


def test_the_defaults_are_a_short_file():
    assert parse(to_yaml()) == DEFAULTS
    assert len(to_yaml().splitlines()) < 30
    assert warnings_about(DEFAULTS) == []


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
            "no field 'traget', did you mean target? allowed: indicator",
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


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ("antropic", ["did you mean anthropic?"]),
        ("qqq*", ["right only if provider_names"]),
        ("open*", []),
        ("llm.example.com", []),
        ("groq", []),
    ],
)
def test_a_provider_that_l0_does_not_know_is_a_warning(provider, says):
    objective = Objective(name="a", indicator=Indicator.SUCCESS, target=0.99, provider=provider)
    found = warnings_about([objective])
    assert len(found) == len(says)
    assert all(text in warning for text, warning in zip(says, found, strict=True))


def test_what_is_probably_not_meant_is_a_warning():
    found = warnings_about(parse("objectives:\n  a: {indicator: attempts.capacity, target: 80%}"))
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


GOOD = """window: 30d
min_events: 20
objectives:
  first-token:
    indicator: attempts.first_token
    target: 95%
    threshold: 2s
    model: gpt-4o*
  delivered:
    indicator: delivered.success
    target: 99.5%
"""
PLANTED = [  # the text that is replaced, its replacement, the line of the mistake, a part of the message
    ("window: 30d", "windwo: 30d", 1, "no field 'windwo', did you mean window?"),
    ("window: 30d", "window: 30", 1, "window: got 30, allowed: a time with its unit"),
    ("window: 30d", "window: 31d", 1, "window: got 2678400, allowed: whole days"),
    ("window: 30d", "window: 12h", 1, "window: got 43200, allowed: whole days"),
    ("window: 30d", "window: 0d", 1, "window: got 0, allowed: whole days"),
    ("min_events: 20", "min_events: many", 2, "min_events: got 'many', allowed: a whole number"),
    ("min_events: 20", "min_events: 1.5", 2, "min_events: got 1.5, allowed: a whole number"),
    ("min_events: 20", "window: 20d", 2, "duplicate key window, first in line 1"),
    ("objectives:", "objektives:", 3, "no field 'objektives', did you mean objectives?"),
    ("  first-token:", "  first_token:", 4, "name: got 'first_token', allowed: lower-case letters"),
    ("  first-token:", "  delivered:", 9, "duplicate key delivered, first in line 4"),
    ("    indicator: attempts.first_token", "    indicatr: attempts.first_token", 5, "did you mean indicator?"),
    ("    indicator: attempts.first_token", "    indicator: attempts.frist_token", 5, "got 'attempts.frist_token'"),
    ("    indicator: attempts.first_token", "    indicator: 5", 5, "indicator: got 5"),
    ("    indicator: attempts.first_token", "    indicator: attempts.stall", 7, "is not an indicator of time"),
    ("    target: 95%", "    target: 95", 6, "target: got 95.0, allowed: a share between 0 and 1"),
    ("    target: 95%", "    target: 101%", 6, "target: got 1.01, allowed: a share between 0 and 1"),
    ("    target: 95%", "    target: 100%", 6, "target: got 1.0, allowed: a share between 0 and 1"),
    ("    target: 95%", "    target: 99,5%", 6, "target: got '99,5%', allowed: a share such as"),
    ("    target: 95%", "    target: [95%]", 6, "target: got ['95%'], allowed: a share such as"),
    ("    threshold: 2s", "    threshold: 2", 7, "threshold: got 2, allowed: a time above 0 with its unit"),
    ("    threshold: 2s", "    threshold: 2sec", 7, "threshold: got '2sec', allowed: a time above 0 with its unit"),
    ("    threshold: 2s", "    threshold: 0s", 7, "threshold: got '0s', allowed: a time above 0"),
    ("    threshold: 2s", "    threshold: -2s", 7, "threshold: got '-2s', allowed: a time above 0 with its unit"),
    ("    threshold: 2s\n", "", 4, "threshold: got None, allowed: a time above 0 with its unit, such as"),
    ("    model: gpt-4o*", "    model: [gpt-4o]", 8, "model: got ['gpt-4o'], allowed: a name"),
    ("    model: gpt-4o*", "    models: gpt-4o*", 8, "no field 'models', did you mean model?"),
    ("    model: gpt-4o*", "    1: gpt-4o*", 8, "a key that is not text: 1"),
    ("  delivered:", "    delivered:", 9, "no field 'delivered', allowed: indicator"),
    ("    target: 99.5%", "  target: 99.5%", 11, "objectives.target: got '99.5%', allowed: a mapping"),
]


def replaced(text, old, new):
    assert text.count(old) == 1
    return text.replace(old, new)


def mistakes(text):
    with pytest.raises(ObjectivesError) as caught:
        parse(text, "my.yaml")
    return caught.value.problems


def test_planted_mistakes_are_in_a_valid_file():
    assert len(parse(GOOD)) == 2


@pytest.mark.parametrize(("old", "new", "line", "says"), PLANTED, ids=[f"{line} {new}" for _, new, line, _ in PLANTED])
def test_planted_mistake_is_found_in_its_line(old, new, line, says):
    found = mistakes(replaced(GOOD, f"{old}\n", f"{new}\n") if new else replaced(GOOD, old, new))
    assert any(problem.startswith(f"my.yaml:{line}: ") and says in problem for problem in found), found


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("    target: 95%", "     target: 95%", 6),
        ("    target: 95%", "\ttarget: 95%", 6),
        ("    model: gpt-4o*", '    model: "gpt-4o*', 8),
        ("    model: gpt-4o*", "    model: [gpt-4o*", 8),
        ("    model: gpt-4o*", "    model: {gpt-4o*", 8),
    ],
    ids=["indented more", "tab", "quote", "bracket", "brace"],
)
def test_text_that_is_not_yaml_is_reported_where_the_mistake_is(old, new, line):
    (problem,) = mistakes(replaced(GOOD, old, new))
    found = int(problem.split(":")[1])
    assert line <= found <= line + 1, problem


def test_seven_mistakes_at_once_are_all_found():
    text = GOOD
    for old, new in [
        ("window: 30d", "window: 30"),
        ("min_events: 20", "min_events: 0"),
        ("  first-token:", "  delivered:"),
        ("target: 95%", "target: 950%"),
        ("threshold: 2s", "threshold: 0s"),
        ("model: gpt-4o*", "modle: gpt-4o*"),
        ("delivered.success", "delivered.sucess"),
    ]:
        text = replaced(text, old, new)
    assert [int(problem.split(":")[1]) for problem in mistakes(text)] == [1, 2, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("target: 95%", "target: 0.95%", "my.yaml:4: first-token: the target means 0.95%; if you mean 95%, write that"),
        (
            "threshold: 2s",
            "threshold: 2d",
            "my.yaml:4: first-token: a threshold of 172800s is likely to be in the wrong",
        ),
        (
            "threshold: 2s",
            "threshold: 2ms",
            "my.yaml:4: first-token: a threshold of 0.002s is likely to be in the wrong",
        ),
        ("model: gpt-4o*", "model: gpt-4o.*", "my.yaml:4: first-token: model 'gpt-4o.*' is not a regular expression"),
    ],
)
def test_values_that_are_probably_not_meant_are_warnings_with_their_line(old, new, says):
    found = parse_with_lines(replaced(GOOD, old, new))
    texts = warnings_about([objective for objective, _ in found], [line for _, line in found], "my.yaml")
    assert any(text.startswith(says) for text in texts), texts


def test_two_objectives_that_measure_the_same_are_a_warning():
    text = GOOD + "  again:\n    indicator: delivered.success\n    target: 99%\n"
    found = parse_with_lines(text)
    assert warnings_about([one for one, _ in found], [line for _, line in found]) == [
        "slo.yaml:12: again: measures the same as delivered"
    ]

"""Malicious and faulty files of objectives: each mistake is reported with its line number."""

from __future__ import annotations

import pytest

from l0.slo.document import ObjectivesError, parse
from l0.slo.openslo import from_openslo
from l0.slo.yaml_lines import YamlError, load

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
"""Some 500 bytes that stand for more values than a machine can hold."""


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (LAUGHS, 5, "too many values"),
        ("a: 1\nb: &b\n  c: *b\n", 3, "an alias inside its own target"),
        ("a: &a [1, *a]\n", 1, "an alias inside its own target"),
        ("a:\n- &x [&y [*x]]\n", 2, "an alias inside its own target"),
        ("a: 1\nb: " + "[" * 10_000, 2, "nested too deeply"),
        ("a:\n  " + "{b: " * 60, 2, "nested too deeply"),
        ("".join(f"{' ' * n}a:\n" for n in range(80)), 50, "nested too deeply"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", 3, "merge keys"),
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate key a"),
        ("a: 1\n2: b\n", 2, "a key that is not text: 2"),
        ("a: 1\non: b\n", 2, "a key that is not text: True"),
        ("a: 1\n? [b]\n: c\n", 2, "a key that is not text"),
        ("a: 1\n? &k {b: 1}\n: *k\n", 2, "a key that is not text"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "the tag"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "could not determine a constructor"),
        ("a: 1\nb: !!set {x, y}\n", 2, "the tag"),
        ("a: 1\nb: !own {x: y}\n", 2, "the tag"),
        ("a: 1\nb: !!int x\n", 2, "not a value"),
        ("a: 1\nb: 2001-99-99\n", 2, "not a value"),
        ("a: 1\nb: " + "9" * 5_000 + "\n", 2, "not a value"),
        ("a: 1\nb: \x00\n", 2, "unacceptable character"),
        ("a: 1\nb: [\n", 3, "expected the node content"),
        ("# long\n" * 50_000, 1, "the file is too long"),
    ],
)
def test_invalid_yaml_is_reported_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError, match=message) as caught:
        load(text)
    assert caught.value.line == line
    for read in (parse, from_openslo):
        with pytest.raises(ObjectivesError) as refused:
            read(text, "my.yaml")
        assert any(problem.startswith(f"my.yaml:{line}: ") for problem in refused.value.problems)


def test_alias_is_resolved() -> None:
    text = """
objectives:
  a: &a
    indicator: attempts.stall
    target: &t 99%
  b: *a
  c: {indicator: attempts.stall, target: *t}
  d: {indicator: attempts.stall, target: *t, model: &m "gpt*"}
"""
    assert [(one.name, one.target, one.model) for one in parse(text)] == [
        ("a", 0.99, "*"),
        ("b", 0.99, "*"),
        ("c", 0.99, "*"),
        ("d", 0.99, "gpt*"),
    ]


def test_error_behind_an_alias_names_the_line_of_the_alias() -> None:
    text = "objectives:\n  a: {indicator: attempts.stall, target: &t 0.5}\n  b:\n    indicator: *t\n    target: 0.5\n"
    with pytest.raises(ObjectivesError) as refused:
        parse(text)
    assert [problem.partition(": got")[0] for problem in refused.value.problems] == [
        "slo.yaml:4: objectives.b.indicator"
    ]


PLANTED = """\
window: 31d
min_events: 0
objectives:
  Upper_Case:
    indicator: attempts.stall
    target: 99%
  a:
    indicator: attempts.stal
    target: 101%
  b:
    indicator: attempts.first_token
    target: 95
  c:
    indicator: attempts.stall
    target: 0.9
    threshold: 2s
  d:
    target: nonsense
    windo: 7d
    model: ""
  e:
  masked:  # a reserved name
    indicator: delivered.success
    target: -3%
    min_events: many
  f:
    indicator: delivered.success
    target: 0.9
"""


def test_every_error_of_a_file_names_its_own_line() -> None:
    with pytest.raises(ObjectivesError) as refused:
        parse(PLANTED)
    told = [problem.split(": ")[:2] for problem in refused.value.problems]
    assert [(int(place.partition(":")[2]), field) for place, field in told] == [
        (1, "window"),
        (2, "min_events"),
        (4, "objectives.Upper_Case.name"),
        (8, "objectives.a.indicator"),
        (9, "objectives.a.target"),
        (10, "objectives.b.threshold"),
        (12, "objectives.b.target"),
        (16, "objectives.c.threshold"),
        (17, "objectives.d.indicator"),
        (18, "objectives.d.target"),
        (19, "objectives.d"),
        (20, "objectives.d.model"),
        (21, "objectives.e"),
        (22, "objectives.masked.name"),
        (24, "objectives.masked.target"),
        (25, "objectives.masked.min_events"),
    ]

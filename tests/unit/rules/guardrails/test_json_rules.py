"""The JSON rules: accepted text, reported text, and independence of chunk boundaries."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation
from l0.rules.guardrails.json_rules import JsonRule, StrictJsonRule, json_rule, strict_json_rule


def check(rule: JsonRule | StrictJsonRule, *parts: str, other: bool = False) -> list[Violation]:
    one = rule.check()
    found = [violation for part in parts for violation in one.feed(part)]
    return [*found, *one.finish(Ending(has_other_content=other))]


WHOLE = [
    '["a","b","c"]',
    '[{"a":1},{"b":2}]',
    "[[1],[2]]",
    '{"url":"https://x"}',
    '{"s":"a,]"}',
    '{"code":"```python\\nx = {}\\n```"}',
    ' \n{"a": {"b": [1, 2, {"c": null}]}}\n',
    '{"a":1}\n{"b":2}',
    "[1] x [2] y",
    'Here it is: {"a":1}. Enjoy.',
    'Here it is:\n\n{"a": [1, 2]}\n\nEnjoy.',
    'Here it is:\n```json\n{"a":1}\n```\nEnjoy.',
    '```json\n{"a":1}\n{"b":2}\n```',
    "~~~json\n[1,\n2]\n~~~\n",
    "````json\n[1]\n````",
    '```\n{"a":1}\n```',
    '```json\n"a string"\n```',
    "```json\n```",
]
PROSE = [
    "",
    "plain prose",
    "[1] Smith et al. say so.",
    "[0, 1) is an interval",
    "[1, see page 5]",
    "[Note] this is prose",
    "{name} is a placeholder, {{ this }} as well",
    "- [ ] to do\n- [x] done",
    "See [link](url) and {name}.\n[1]: https://x",
    "[1:3] is a slice; x[0] is an item",
    "Sets: {1, 2}.\n{a, b}",
    'The set is: {"a", "b"}',
    'Use `{"a": ...}` or ``{"a": [`` for it',
    '```python\nx = {"a": [1}\n```\n',
    '```python\nx = """\n  ``` {"a":\n"""\n',
    "```\n$ ls {a,b}\n[oops\n```",
    "\\frac{a}{b} and \\[x\\]",
    "function f() {\n  return [1, 2\n}",
    "a {",
]
EXAMPLES = [
    'Put it there:\n\n```json\n{\n  "port": 80, // of the server\n  "hosts": []\n}\n```\nThen start it.',
    'It looks so:\n```json\n{"items": [{"id": 1}, ...]}\n```',
    'It looks so:\n```json\n{\n  "items": [1, 2],\n  …\n}\n```\nEnjoy.',
    'It looks so:\n```json\n// settings.json\n{"a": 1}\n```',
    'It looks so:\n```json\n{"a": /* a number */ 1}\n```',
    'It looks so:\n```json\n{"a": 1} # the first\n```',
    'It looks so:\n```json\n{"key": <your key>, "b": [}\n```',
    'Add these:\n```json\n"scripts": {"test": "x"},\n"private": true\n```',
    'The shape is {"a": 1, ...} each time.',
    "A type:\n```\n{ name: string, age: number }\n```",
    "It prints:\n```\n{'a': 1, 'b': [2]}\n```",
    "It prints:\n```\n[1, 2, ...]\n```",
    '```json\n{"a":1}\n```\nOr with a name:\n```json\n{"a": <b>}\n```',
]
"""Examples that a text shows to its readers, and that no program parses."""
BROKEN = [
    ('{"a":[{"b":1}', "the answer ends before its JSON is complete", 13),
    ("[", "the answer ends before its JSON is complete", 1),
    ('{"a":"open', "the answer ends before its JSON is complete", 10),
    ('{"a":1}}', "a closing bracket that does not match", 7),
    ("[1]\n]", "a closing bracket that does not match", 4),
    ("[}", "a value or ] was expected", 1),
    ("[1,2,]", "a value was expected", 5),
    ('{"a":1,}', "a key in double quotes was expected", 7),
    ('{"a" 1}', "a colon was expected", 5),
    ('{"a": 1 "b": 2}', "a comma or a closing bracket was expected", 8),
    ('{"a":NaN}', "a value was expected", 5),
    ("{'a': 1}", "a key in double quotes or } was expected", 1),
    ('{// c\n"a": 1}', "a key in double quotes or } was expected", 1),
    ("{name: 1}", "a key in double quotes or } was expected", 5),
    ('Here it is:\n{"a":1', "the answer ends before its JSON is complete", 18),
    ('Here it is: {"a":1,}', "a key in double quotes was expected", 19),
    ("**Result:** [1, 2, 3", "the answer ends before its JSON is complete", 20),
    ('```json\n{"a":1\n```', "a comma or a closing bracket was expected", 15),
    ('```json\n{"a":', "the answer ends before its JSON is complete", 13),
    ("```json\nnot JSON\n```", "an invalid literal", 9),
    ('```json\n{"a":1},\n{"b":2}\n```', "a value was expected", 15),
    ('```\n{"a":[1}\n```', "a closing bracket that does not match", 11),
    ("```\n[1, 2\n```", "a comma or a closing bracket was expected", 10),
    ('```json\n{"a": 1, // one\n"b": 2}\n```', "a key in double quotes was expected", 17),
    ('```json\n"a": 1\n```', "a value was expected", 11),
    ("{'a': 1, ...}", "a key in double quotes or } was expected", 1),
    ('{"a": 1, ...}', "a key in double quotes was expected", 9),
    ('So:\n```json\n{"a": 1,}\n```', "a key in double quotes was expected", 20),
    ('So:\n```\n{"a": 1,}\n```', "a key in double quotes was expected", 16),
    ('So:\n```json\n{"a": .5}\n```', "a value was expected", 18),
    ('So:\n```json\n{"a": ..', "a value was expected", 18),
]


@pytest.mark.parametrize("text", WHOLE + PROSE + EXAMPLES)
def test_json_rule_accepts_complete_json_and_prose(text: str) -> None:
    assert check(json_rule(), text) == []


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
def test_json_rule_reports_broken_json_with_its_place(text: str, message: str, at: int) -> None:
    expected = Violation(rule="json", message=message, severity=Severity.ERROR, at=at)
    assert check(json_rule(), text) == [expected]


@pytest.mark.parametrize("text", [text for text in WHOLE if not text.lstrip().startswith(("`", "~", "["))])
@pytest.mark.parametrize("prose", ["Sure, here you are:\n", "Hm. ", "First [1] and {x}.\n\n", "```sh\nls {\n```\n"])
def test_json_rule_ignores_prose_before_json(prose: str, text: str) -> None:
    assert check(json_rule(), prose + text) == []
    if text.lstrip().startswith("{"):
        assert check(json_rule(), prose + text.rstrip()[:-1]) != []


def test_json_rule_reports_broken_json_at_once_and_once() -> None:
    one = json_rule(severity=Severity.FATAL).check()
    assert not one.feed('{"a": 1')
    (found,) = one.feed(",}")
    assert (found.severity, found.at) == (Severity.FATAL, 8)
    assert not one.feed("]]]")
    assert not one.finish(Ending())


def test_json_rules_accept_tool_calls_without_text() -> None:
    assert check(json_rule(), other=True) == []
    assert check(strict_json_rule(), other=True) == []
    assert check(strict_json_rule(), " \n", other=True) == []


@pytest.mark.parametrize(
    ("text", "allow", "message"),
    [
        ('{"a":1}', ("object", "array"), None),
        (" \n[1]\n ", ("object", "array"), None),
        ("[1]", ("array",), None),
        ("12", ("scalar",), None),
        ('"a"', ("scalar",), None),
        ("", ("object", "array"), "the answer is not a JSON object or array"),
        ("", ("object",), "the answer is not a JSON object"),
        ("  [1]", ("object",), "the answer is not a JSON object"),
        ("12", ("object", "array"), "the answer is not a JSON object or array"),
        ("Sure: {}", ("object",), "the answer is not a JSON object"),
        ("```json\n{}\n```", ("object",), "the answer is not a JSON object"),
        ("{} done", ("object",), "extra text after the value"),
        ("{}{}", ("object",), "extra text after the value"),
        ("[1,]", ("array",), "a value was expected"),
        ("[1", ("array",), "the answer ends before its JSON is complete"),
        ("1.", ("scalar",), "the answer ends before its JSON is complete"),
    ],
)
def test_strict_json_rule(text: str, allow: tuple[str, ...], message: str | None) -> None:
    found = check(strict_json_rule(allow=allow), text)  # type: ignore[arg-type]
    assert [violation.message for violation in found] == ([] if message is None else [message])
    assert check(strict_json_rule(allow=allow), *text) == found  # type: ignore[arg-type]


@pytest.mark.parametrize("allow", [(), ("object", "number"), "object", 5, None, [1, "array"], [[]]])
def test_strict_json_rule_rejects_unknown_kinds(allow: object) -> None:
    with pytest.raises(PolicyError) as caught:
        strict_json_rule(allow=allow)  # type: ignore[arg-type]
    assert caught.value.field == "strict_json_rule.allow"
    assert caught.value.given == allow


@pytest.mark.parametrize("length", [98, 99, 100, 101, 150])
def test_json_rule_ignores_overlong_fence_lines(length: int) -> None:
    text = "```".ljust(length, "x") + '\n{"a":1,}\n'
    found = check(json_rule(), text)
    assert bool(found) == (length >= 100)
    assert check(json_rule(), *text) == found


def test_json_rules_have_no_span() -> None:
    assert json_rule().span is None
    assert strict_json_rule().span is None


texts = st.lists(
    st.sampled_from([*WHOLE, *PROSE, *EXAMPLES, *(text for text, _, _ in BROKEN)])
    | st.text(alphabet="{}[]\",:\\'`~ \n1ajson", max_size=20),
    max_size=4,
).map("\n".join)


@given(texts, st.lists(st.integers(0, 120), max_size=8), st.booleans())
def test_json_rules_ignore_chunk_boundaries(text: str, cuts: list[int], other: bool) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [text[start:end] for start, end in pairwise(places)]
    for rule in (json_rule(), strict_json_rule()):
        whole = check(rule, text, other=other)
        assert check(rule, *parts, other=other) == whole
        assert check(rule, *text, other=other) == whole
        assert len(whole) <= 1

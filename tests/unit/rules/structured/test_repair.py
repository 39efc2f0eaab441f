"""The repair: valid JSON is unchanged, broken JSON gets minimal edits, and ambiguous text is rejected."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mutations import DOCUMENTS, Broken, broken, truncated
from recordings import needs_traffic
from structured_kit import OWN, PUBLIC, recorded, whole

from l0.rules.structured.edits import EditKind, apply
from l0.rules.structured.repair import Repaired, Unrepairable, is_json, repair_json


def repaired(text: str) -> Repaired:
    result = repair_json(text)
    assert isinstance(result, Repaired), result
    return result


@pytest.mark.parametrize("text", [text for text in (*PUBLIC, *OWN, *DOCUMENTS) if whole(text)])
def test_repair_keeps_valid_json_unchanged(text: str) -> None:
    assert repair_json(text) == Repaired(text=text)


@needs_traffic
def test_repair_keeps_recorded_json_unchanged() -> None:
    assert [text for text in recorded() if repair_json(text) != Repaired(text=text)] == []


@pytest.mark.parametrize("case", list(broken()), ids=lambda case: f"{case.how}-{case.text[:20]}")
def test_repair_restores_mutated_json(case: Broken) -> None:
    result = repaired(case.text)
    assert result.edits
    assert json.loads(result.text) == json.loads(case.wanted)
    if case.bytewise:
        assert result.text.strip() == case.wanted.strip()


def grown_from(part: Any, all_: Any) -> bool:
    """Return True if a reader who has read only a part of ``all_`` can have the value ``part``."""
    match part, all_:
        case dict(), dict():
            return all(key in all_ and grown_from(part[key], all_[key]) for key in part)
        case list(), list():
            return len(part) <= len(all_) and all(map(grown_from, part, all_))
        case str(), str():
            return all_.startswith(part)
        case ((int() | float()), (int() | float())):
            return True  # a truncated number is another number
        case _:
            return bool(part == all_)


@pytest.mark.parametrize(("text", "document"), list(truncated()))
def test_repair_closes_truncated_json_without_new_content(text: str, document: str) -> None:
    result = repaired(text)
    place = result.edits[0].at
    assert result.text[:place] == text[:place]
    if '"a":"x","a"' not in document:  # of two equal keys the last one counts, so a beginning has another value
        assert grown_from(json.loads(result.text), json.loads(document))


K = EditKind


@pytest.mark.parametrize(
    ("text", "expected", "kinds"),
    [
        ('{"a":[{"b":1}', '{"a":[{"b":1}]}', [K.UNCLOSED_ARRAY, K.UNCLOSED_OBJECT]),
        ('{"a":[{"b":1]}', '{"a":[{"b":1}]}', [K.UNCLOSED_OBJECT]),
        ('{"a":[1}', '{"a":[1]}', [K.UNCLOSED_ARRAY]),
        ("[1,,2,]", "[1,2]", [K.EXTRA_COMMA, K.EXTRA_COMMA]),
        ("[,1]", "[1]", [K.EXTRA_COMMA]),
        ('{"a":1}}', '{"a":1}', [K.STRAY_BRACKET]),
        ('{"a":1]}', '{"a":1}', [K.STRAY_BRACKET]),
        ('{"a":"open', '{"a":"open"}', [K.UNCLOSED_STRING, K.UNCLOSED_OBJECT]),
        ('{"a":"x\\', '{"a":"x"}', [K.CUT_VALUE, K.UNCLOSED_STRING, K.UNCLOSED_OBJECT]),
        ('{"a":"\\ud83d\\u', '{"a":""}', [K.CUT_VALUE, K.UNCLOSED_STRING, K.UNCLOSED_OBJECT]),
        ('{"a":1,"na', '{"a":1}', [K.CUT_MEMBER, K.UNCLOSED_OBJECT]),
        ('{"a":1,"b":', '{"a":1}', [K.CUT_MEMBER, K.UNCLOSED_OBJECT]),
        ("{'a':1,,'b", '{"a":1}', [K.QUOTES, K.QUOTES, K.CUT_MEMBER, K.UNCLOSED_OBJECT]),
        ('{"a":tru', '{"a":true}', [K.CUT_VALUE, K.UNCLOSED_OBJECT]),
        ("[1,2.", "[1,2]", [K.CUT_VALUE, K.UNCLOSED_ARRAY]),
        ("[1,2e-", "[1,2]", [K.CUT_VALUE, K.UNCLOSED_ARRAY]),
        ("[1,-", "[1]", [K.EXTRA_COMMA, K.CUT_VALUE, K.UNCLOSED_ARRAY]),
        ('{"a":-', "{}", [K.CUT_MEMBER, K.UNCLOSED_OBJECT]),
        ('{"a":}', '{"a":null}', [K.MISSING_VALUE]),
        ('{"a":,"b":1}', '{"a":null,"b":1}', [K.MISSING_VALUE]),
        ('{"a" 1}', '{"a" :1}', [K.MISSING_COLON]),
        ('{"a":1 "b":2}', '{"a":1 ,"b":2}', [K.MISSING_COMMA]),
        ('[{"a":1}{"b":2}]', '[{"a":1},{"b":2}]', [K.MISSING_COMMA]),
        ("{a:1}", '{"a":1}', [K.BARE_KEY, K.BARE_KEY]),
        ("{'a': 'don't'}", '{"a": "don\'t"}', [K.QUOTES] * 4),
        ("{'a': 'say \"hi\"'}", '{"a": "say \\"hi\\""}', [K.QUOTES] * 6),
        ("{'a': 'it\\'s'}", '{"a": "it\'s"}', [K.QUOTES, K.QUOTES, K.QUOTES, K.ESCAPE, K.QUOTES]),
        ("{\u201ca\u201d: \u201cb\u201d}", '{"a": "b"}', [K.QUOTES] * 4),
        ('{"a":"x\ty\x01"}', '{"a":"x\\ty\\u0001"}', [K.CONTROL_CHARACTER] * 2),
        ('{"p":"C:\\dir\\x41"}', '{"p":"C:\\\\dir\\u0041"}', [K.ESCAPE, K.ESCAPE]),
        ('{"a":"x\\\ny"}', '{"a":"x\\\\\\ny"}', [K.ESCAPE, K.CONTROL_CHARACTER]),
        ("[True,None,NaN]", "[true,null,null]", [K.WORD] * 3),
        ("[.5,+1,1.,-.5e3]", "[0.5,1,1.0,-0.5e3]", [K.NUMBER] * 4),
        ("[1/* c */,2]", "[1,2]", [K.COMMENT]),
        ("[1/* open", "[1]", [K.COMMENT, K.UNCLOSED_ARRAY]),
        ('{"a": // why\n1, // "b": 2,\n"c": 3 # note\n}', '{"a": \n1, \n"c": 3 \n}', [K.COMMENT] * 3),
        ("[1, // one, or two\n2 # and\n]", "[1, \n2 \n]", [K.COMMENT] * 2),
        ("[\n# the first\n1, 2]", "[\n\n1, 2]", [K.COMMENT]),
        ('Hm:\n```json\n[1,\n```\nbye', "[1]", [K.PROSE, K.FENCE, K.EXTRA_COMMA, K.UNCLOSED_ARRAY, K.FENCE, K.PROSE]),
        ('```json\n{"a":"open\n```', '{"a":"open"}', [K.FENCE, K.UNCLOSED_STRING, K.UNCLOSED_OBJECT, K.FENCE]),
        ("Here: {'a': 1}", '{"a": 1}', [K.PROSE, K.QUOTES, K.QUOTES]),
    ],
)  # fmt: skip
def test_repair_edits_have_kinds(text: str, expected: str, kinds: list[EditKind]) -> None:
    result = repaired(text)
    assert result.text.strip() == expected
    assert [edit.kind for edit in result.edits] == kinds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "plain prose", "see [link](x) and [1 page", "{name} is a placeholder", "}", "tru", '"open'),
        *('{"a":"he said "hi" to me"}', '{"a":"x " b " y"}', '{"a":"say "yes", "no" or "maybe""}', '["a"b"]'),
        *('{"a":1}{"b":2}', '{"a":1},"b":2}', '{"a":1}\n{"b":2}', 'First {"a":1}. Then:\n{"a":2', "[1,2] 3]"),
        *("[1,000]", '{"a":1,000}', '{"a":01}', '{"a":0x1F}', "[a, b]", '{"a":yes}', "[1, 2, ...]", '{"a"}'),
        *('"a":[{"b":1}]}', '{"a":[{"b:1}]}'),
        # What looks like a comment may be a value without quotes, or the members after it.
        *('{"color": #ff0000, "size": 3}', '{"color": #ff0000\n}', '{"a": #general,\n"b": 1}', '{"p": //x, "b": 1}'),
        *('{"a": 1, #b": 2, "c": 3}', '{"a": "x" // "b": 2}', "[#ff0000, #00ff00]", "[\n#ff0000,\n#00ff00\n]"),
    ],
)  # fmt: skip
def test_repair_rejects_ambiguous_text(text: str) -> None:
    result = repair_json(text)
    assert isinstance(result, Unrepairable)
    assert 0 <= result.at <= len(text)


noise = st.text(alphabet="{}[]\",:\\'/*#`\n x1.-etrufalsn\u201c\u201d", max_size=40)
mutated = st.tuples(st.sampled_from(DOCUMENTS), st.integers(0, 60), st.integers(0, 6), noise).map(
    lambda given: given[0][: given[1]] + given[3] + given[0][given[1] + given[2] :]
)


@given(noise | mutated)
@example('[1,"\\ud800"]')
def test_repaired_text_parses_and_needs_no_second_repair(text: str) -> None:
    result = repair_json(text)
    if isinstance(result, Unrepairable):
        assert not whole(text)
        return
    assert whole(result.text)
    assert is_json(result.text)
    assert repair_json(result.text) == Repaired(text=result.text)
    assert apply(text, result.edits) == result.text
    assert bool(result.edits) != whole(text)


@given(mutated)
def test_repair_keeps_text_between_edits(text: str) -> None:
    """Find all text between the edits again, in order."""
    result = repair_json(text)
    assume(isinstance(result, Repaired))
    place = kept = 0
    for edit in result.edits:
        piece = text[kept : edit.at]
        assert result.text.startswith(piece + edit.inserted, place)
        place += len(piece) + len(edit.inserted)
        kept = max(kept, edit.at + edit.removed)
    assert result.text[place:] == text[kept:]


def test_repair_handles_long_and_deep_texts() -> None:
    assert repaired("[" * 20_000).text == "[" * 20_000 + "]" * 20_000
    long = '{"a":"' + "x" * 1_000_000
    assert repaired(long).text == long + '"}'
    assert re.fullmatch(r"\[(1,)*1\]", repaired("[" + "1," * 50_000).text)

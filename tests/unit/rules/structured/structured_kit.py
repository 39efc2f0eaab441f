"""JSON texts for the tests in this folder: a public corpus, our own corpus, and recorded provider bodies."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jiter
from recordings import TRAFFIC
from simplejson.tests import test_fail, test_pass1, test_pass2, test_pass3

PUBLIC: tuple[str, ...] = (*test_fail.JSONDOCS, test_pass1.JSON, test_pass2.JSON, test_pass3.JSON)
"""The documents of the JSON checker test suite, which simplejson ships with its tests. Most are broken."""

OWN: tuple[str, ...] = (
    # Blanks: those of JSON, and others.
    *("", " ", "\t\r\n", " 1 ", "\x0b1", "\u00a01", "\ufeff[]", "[\x0c]", "1\u2028", "[1\x00]"),
    # Numbers.
    *("0", "-0", "-", "+1", "01", "-01", "1.", ".5", "1.5", "1.5e", "1e5", "1E+5", "1e-05", "1e+", "0e0", "0x1", "1_0"),
    *("1.2.3", "--1", "- 1", "1 2", "[1 2]", "[-]", "[1.]", "[1e]", "[00]", "\uff11", "NaN", "-Infinity", "[Infinity]"),
    *("123123123123123123123123123123", "-1e999", "[0.1e1,0]", "[1,-2.5E-3 ,3]"),
    # Strings.
    *('""', '"a"', '"', '"a', "'a'", '"\\', '"\\"', '"\\""', '"\\x"', '"\\u"', '"\\u00', '"\\u00e9"', '"\\u00G0"'),
    *('"\\ud83d\\ude00"', '"\n"', '"\t"', '"\x1f"', '"\x7f"', '"\u2028"', '"\\/\\b\\f"', '"\\a"', '"\\u12"', '"a" "b"'),
    # Words.
    *(
        "true",
        "tru",
        "True",
        "nul",
        "null",
        "nulll",
        "falsee",
        "[true,false,null]",
        "[tru]",
        "truefalse",
        "[nu",
        "undefined",
    ),
    # Arrays.
    *("[", "]", "[]", "[[]", "[]]", "[,]", "[1,]", "[1,,2]", "[,1]", "[1", "[1,", "[[],[[]]]", "[}", "[1}", "[1:2]"),
    *('["a","b","c"]', '[{"a":1},{"b":2}]', "[[1],[2]]", '["a" "b"]', "[1;2]", "[1] x", "[] []", "[1/**/]"),
    # Objects.
    *(
        "{",
        "}",
        "{}",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1}',
        '{"a":1,',
        '{"a":1,}',
        '{"a" 1}',
        "{a:1}",
        "{'a':1}",
        "{1:1}",
    ),
    *(
        '{"a":1 "b":2}',
        '{"a":1,"a":2}',
        '{"a"::1}',
        '{"a":}',
        '{,"a":1}',
        '{"a":1}}',
        '{"a":1]',
        '{"a","b"}',
        '{"":""}',
    ),
    *(
        '{"url":"https://x"}',
        '{"s":"a,]"}',
        '{"a":[{"b":1}',
        '{"a":[{"b":1}]}',
        '{"a":{"b":[1,{"c":null}]}} ',
        '{"a":1}#',
    ),
)
"""Our own corpus, by category of common parser errors."""


def whole(text: str) -> bool:
    """Return True if the standard library parses this text without its non-standard constants."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def continuable(text: str) -> bool:
    """Return True if the only error that jiter reports for this text is its end."""
    fault = _fault(text)
    if fault.startswith(
        "EOF while parsing a string"
    ):  # jiter counts the four digits of an escape before it checks them
        return any(_fault(text + more).startswith("EOF") for more in ("0000", "nnnn"))
    return not fault or fault.startswith("EOF")


def _fault(text: str) -> str:
    pairless = re.sub(r"\\u[dD]", r"\\u0", text)  # jiter takes no lone surrogates, which the grammar allows
    try:
        jiter.from_json(pairless.encode(), allow_inf_nan=False)
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=1)
def events() -> dict[str, tuple[str, ...]]:
    """Return the JSON of every event of every recorded body; empty without recordings."""
    found = {}
    for path in sorted(TRAFFIC.glob("*/*.sse")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        found[path.name] = tuple(text for text in data if text[:1] == "{")
    return found


@lru_cache(maxsize=1)
def recorded() -> tuple[str, ...]:
    """Return every JSON text in recorded bodies: the events, and the arguments of tool calls."""
    texts = {text: None for body in events().values() for text in body}
    return (*texts, *_joined("tool"))


def answers() -> tuple[str, ...]:
    """Return the text of every recorded answer."""
    return _joined("text")


@lru_cache(maxsize=2)
def _joined(kind: str) -> tuple[str, ...]:
    joined: dict[tuple[object, ...], str] = {}
    for name, body in events().items():
        for text in body:
            for place, piece in _pieces(json.loads(text)).get(kind, ()):
                joined[name, place] = joined.get((name, place), "") + piece
    return tuple(text for text in joined.values() if text)


def _pieces(event: dict[str, Any]) -> dict[str, list[tuple[object, str]]]:
    """Return the text that an event adds, by kind, with its place."""
    index, delta = event.get("index"), event.get("delta")
    match event:
        case {"type": "response.output_text.delta"}:
            return {"text": [((event["output_index"], event["content_index"]), event["delta"])]}
        case {"type": "response.function_call_arguments.delta"}:
            return {"tool": [(event["output_index"], event["delta"])]}
        case {"type": "content_block_delta", "delta": {"type": "text_delta"}}:
            return {"text": [(index, delta["text"])]}
        case {"type": "content_block_delta", "delta": {"type": "input_json_delta"}}:
            return {"tool": [(index, delta["partial_json"])]}
        case {"choices": list() as choices}:
            texts, calls = [], []
            for choice in choices:
                delta = choice.get("delta") or {}
                texts.append((choice.get("index"), delta.get("content") or choice.get("text") or ""))
                for call in delta.get("tool_calls") or ():
                    arguments = (call.get("function") or {}).get("arguments") or ""
                    calls.append(((choice.get("index"), call.get("index")), arguments))
            return {"text": texts, "tool": calls}
    return {}


def pieces(text: str, cuts: list[int]) -> list[str]:
    """Return a text split at these places."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]

"""Break valid JSON in the ways that models break it. Each mutation names the expected result of a repair."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

DOCUMENTS: tuple[str, ...] = (
    '{"a":[{"b":1}]}',
    '{"url":"https://x/*y*/#z","s":"a,]}","t":"it\'s // not"}',
    '["a","b","c"]',
    '[{"a":1},{"b":2}]',
    "[[1],[2,[3,[]]],{}]",
    '{"n":[0,-0,1.50,1e5,-2.5E-3,123123123123123123123],"w":[true,false,null]}',
    '{ "a" : { "b" : [ 1 , { "c" : null } ] } , "d" : "e" }',
    '{\n  "name": "Zo\\u00eb \\ud83d\\ude00 \\"q\\" \\\\ \\/",\n  "tags": ["x\\ny", ""],\n  "": {"": []}\n}',
    '{"a":"x","a":"y","deep":[[[[{"k":[[]]}]]]]}',
    '[{"id":1,"ok":true,"note":"\u4f60\u597d, caf\u00e9"},{"id":2,"ok":false,"note":null}]',
)

_token = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A broken text. ``wanted``: the original text. ``bytewise``: a repair restores it except for outer white space."""

    how: str
    text: str
    wanted: str
    bytewise: bool = True


def broken(seed: int = 0) -> Iterator[Broken]:
    """Yield every mutation of every document that is not valid JSON."""
    random = Random(seed)
    for document in DOCUMENTS:
        for how, mutate in _MUTATIONS.items():
            for text in {mutate(document, random): None for _ in range(6)}:
                if not valid(text):
                    yield Broken(how=how, text=text, wanted=document, bytewise=how not in _REWRITTEN)


def truncated() -> Iterator[tuple[str, str]]:
    """Yield every prefix of every document, with the document."""
    for document in DOCUMENTS:
        for end in range(1, len(document)):
            yield document[:end], document


def valid(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def spots(document: str, before: str) -> list[int]:
    """Return the places before these tokens."""
    return [token.start() for token in _token.finditer(document) if token[0] in before.split(" ")]


def _insert(document: str, at: int, text: str) -> str:
    return document[:at] + text + document[at:]


def _trailing_comma(document: str, random: Random) -> str:
    return _insert(document, random.choice(spots(document, "} ]")), ",")


def _double_comma(document: str, random: Random) -> str:
    return _insert(document, random.choice(spots(document, ", }")), ",")


def _between(document: str, random: Random) -> int:
    return random.choice([token.start() for token in _token.finditer(document)][1:])


def _comment(document: str, random: Random) -> str:
    return _insert(document, _between(document, random), random.choice(("/* a ] comment */", "/**/")))


def _line_comment(document: str, random: Random) -> str:
    return _insert(document, _between(document, random), random.choice(("// it's {one}\n", "# {\n")))


def _single_quotes(document: str, random: Random) -> str:
    def requote(token: re.Match[str]) -> str:
        if token[0][0] != '"':
            return token[0]
        return "'" + token[0][1:-1].replace('\\"', '"').replace("'", "\\'") + "'"

    return _token.sub(requote, document)


def _python(document: str, random: Random) -> str:
    names = {"true": "True", "false": "False", "null": "None"}
    return _token.sub(lambda token: names.get(token[0], token[0]), document)


def _bare_keys(document: str, random: Random) -> str:
    return re.sub(r'"([a-z]+)"(\s*:)', r"\1\2", document)


def _control_characters(document: str, random: Random) -> str:
    return document.replace("\\n", "\n")


def _fence(document: str, random: Random) -> str:
    return random.choice(("```json\n", "```\n", "~~~json\n", "```JSON  \n")) + document + "\n```"


def _prose(document: str, random: Random) -> str:
    before = random.choice(("Sure! Here it is:\n", "The result, as asked: ", "As said in [1](x), {so}:\n\n", ""))
    return before + document + random.choice((" Enjoy.", "\n\nLet me know {if} it's [fine].", "."))


def _fence_and_prose(document: str, random: Random) -> str:
    return _prose(_fence(document, random) + "\n", random)


def _unclosed(document: str, random: Random) -> str:
    return re.sub(r"[}\]]+$", "", document) + "\n"


def _extra_bracket(document: str, random: Random) -> str:
    return document + random.choice(("}", "]", "\n}]"))


def _trailing_comma_and_fence(document: str, random: Random) -> str:
    return _fence(_trailing_comma(_comment(document, random), random), random)


_MUTATIONS: dict[str, Callable[[str, Random], str]] = {
    "trailing comma": _trailing_comma,
    "double comma": _double_comma,
    "comment": _comment,
    "line comment": _line_comment,
    "single quotes": _single_quotes,
    "python words": _python,
    "bare keys": _bare_keys,
    "control characters": _control_characters,
    "fence": _fence,
    "prose": _prose,
    "fence and prose": _fence_and_prose,
    "unclosed": _unclosed,
    "extra bracket": _extra_bracket,
    "trailing comma and fence": _trailing_comma_and_fence,
}
_REWRITTEN = {"line comment", "single quotes", "control characters", "unclosed", "trailing comma and fence"}
"""Mutations after which a repair restores the value, but not the text."""

"""Parse the text grammar of header, prompt and script: `status 503 retry-after=1`, `answer poem | cut at_event=3`.

`;` separates the texts of a call's first request, of its first retry, and so on. In a text, parts are joined by `|`. A
part is a word with options: a constructor of `Fault` with its parameters (positional or `name=value`), `ok`, `answer
NAME`, `tokens N` or `recorded NAME`.
"""

import inspect
import shlex
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .answers import Answer
from .faults import HEALTHY, Fault

_OPENING, _CLOSING, _SEPARATOR = "[[simulate:", "]]", ";"
HEADER = "x-l0-simulate"
RETRIES_HEADER = "x-stainless-retry-count"
_PARTS, _LENGTH = 20, 4_096
"""Limits for the number of parts and characters of one text."""


_Built = TypeVar("_Built")


class GrammarError(ValueError):
    """The text is invalid. The message names the word and the allowed values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestScript:
    """The request of a text: a named answer, an answer, a recorded body, a fault. Each may be absent."""

    named: str | None = None
    answer: Answer | None = None
    recorded: str | None = None
    fault: Fault = HEALTHY


def in_prompt(prompt: str) -> str | None:
    """Return the first text in a prompt; None if it has none."""
    start = prompt.find(_OPENING)
    end = prompt.find(_CLOSING, start) if start >= 0 else -1
    return prompt[start + len(_OPENING) : end].strip() if end >= 0 else None


def of_attempt(text: str, retries: str) -> str:
    """Return the part of a text for one request of a call; the last part is also that of all later requests.

    ``retries``: the number that the SDKs and L0 send with each request as ``x-stainless-retry-count``.
    """
    parts = text[:_LENGTH].split(_SEPARATOR)
    return parts[min(int(retries) if retries.isdecimal() else 0, len(parts) - 1)].strip()


def parse(text: str) -> RequestScript:
    """Parse one text. Raises `GrammarError`."""
    parts = text[:_LENGTH].split("|")
    if len(text) > _LENGTH or len(parts) > _PARTS:
        raise GrammarError(f"the text is too long, allowed are {_PARTS} parts and {_LENGTH} characters")
    script = RequestScript()
    for part in parts:
        try:
            words = shlex.split(part)
        except ValueError as error:
            raise GrammarError(f"{part.strip()!r}: {error}") from None
        if not words:
            raise GrammarError(f"{text!r}: a part is empty; allowed are {', '.join(vocabulary())}")
        script = _add(script, words[0].replace("-", "_").lower(), words[1:])
    return script


def vocabulary() -> list[str]:
    """Return all allowed first words of a part."""
    return ["ok", "answer", "tokens", "recorded", *(name.replace("_", "-") for name in _constructors())]


def _add(script: RequestScript, word: str, rest: list[str]) -> RequestScript:
    if word == "ok":
        return script
    if word in ("answer", "tokens", "recorded"):
        if len(rest) != 1:
            raise GrammarError(f"{word}: takes one value, {len(rest)} given")
        if word == "answer":
            return replace(script, named=rest[0])
        if word == "recorded":
            return replace(script, recorded=rest[0])
        return replace(script, answer=_build(lambda: Answer(tokens=int(_number(word, rest[0], int))), word))
    if word not in _constructors():
        raise GrammarError(f"{word!r} is unknown; allowed are {', '.join(vocabulary())}")
    return replace(script, fault=script.fault | _fault(word, rest))


def _constructors() -> dict[str, Callable[..., Fault]]:
    found = inspect.getmembers_static(Fault, lambda member: isinstance(member, staticmethod))
    return {name: member.__func__ for name, member in found}


def _fault(word: str, rest: list[str]) -> Fault:
    make = _constructors()[word]
    names = list(inspect.signature(make).parameters)
    hints = get_type_hints(make)
    given: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for position, item in enumerate(rest):
        name, is_named, value = item.partition("=")
        if not is_named:
            if position >= len(names):
                raise GrammarError(f"{word}: {item!r} is one value too many; options are {', '.join(names) or 'none'}")
            name, value = names[position], item
        if name in names and name != "headers":
            given[name] = _value(name, value, hints[name])
        elif "headers" in names:
            headers[name] = value
        else:
            raise GrammarError(f"{word}: option {name!r} is unknown; allowed are {', '.join(names) or 'none'}")
    if headers:
        given["headers"] = headers
    return _build(lambda: make(**given), word)


def _build(make: Callable[[], _Built], word: str) -> _Built:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise GrammarError(f"{word}: {error}") from None


def _value(name: str, text: str, hint: Any) -> Any:
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if int in kinds:
        return _number(name, text, int)
    return _number(name, text, float) if float in kinds else text


def _number(name: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        allowed = "a whole number" if kind is int else "a number"
        raise GrammarError(f"{name}: {text!r} given, allowed is {allowed}") from None

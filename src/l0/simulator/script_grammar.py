"""Parse the text grammar of header, prompt and script: `status 503 retry-after=1`, `answer poem | cut at_event=3`.

`;` separates the text for a call's first request from that for its first retry, and so on. In a text, parts are joined
by `|`. A part is a word with options: a constructor of `Fault` with its parameters (positional or `name=value`), `ok`,
`answer NAME`, `tokens N`, `text TEXT`, `tool NAME ARGUMENTS`, `image` or `recorded NAME`. A value with spaces, `|` or
`;` needs quotes; JSON needs none. Every fault also takes `rate=0.3` and `times=2` (see `Fault.limited`).
"""

import inspect
import shlex
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .answers import Answer, SimulatedToolCall
from .conversation import Conversation
from .faults import HEALTHY, Fault
from .script_words import find_mark, split_at, words_of
from .usage import usage

_OPENING, _CLOSING, _SEPARATOR = "[[simulate:", "]]", ";"
HEADER = "x-l0-simulate"
RETRIES_HEADER = "x-stainless-retry-count"
ANSWERS = {
    "ok": "A healthy answer.",
    "answer": "One of the bundled answers, by name.",
    "tokens": "This number of filler tokens.",
    "text": "This text, in quotes.",
    "tool": "A call of this tool, with these arguments (JSON). May be joined with `text` and calls.",
    "image": "An image, in Responses and chat (as OpenRouter sends it). It can be joined with `text`.",
    "recorded": "A recorded stream from the traffic directory, by name.",
}
"""The words for an answer, and what each of them sends."""
_ANSWER_VALUES = {"ok": "", "tool": "NAME [ARGUMENTS]", "tokens": "N", "text": "TEXT", "image": ""}
"""The values of a word for an answer, as the help shows them; a word that is not listed takes a NAME."""
_VALUES = {"ok": (0, 0), "image": (0, 0), "tool": (1, 2)}
"""The smallest and the largest number of values of a word; a word that is not listed takes one value."""
_JOINED = ("text", "tool", "image")
_LIMITS: dict[str, type[int] | type[float]] = {"rate": float, "times": int}
_MAX_PARTS, _MAX_LENGTH = 20, 4_096
"""Limits for the number of parts and characters of one text."""


_Built = TypeVar("_Built")


class GrammarError(ValueError):
    """The text is invalid. The message names the word and the allowed values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestScript:
    """The reply that one text requests. `named`: a bundled answer. `recorded`: a recorded body. Both are names."""

    named: str | None = None
    answer: Answer | None = None
    recorded: str | None = None
    fault: Fault = HEALTHY


def in_conversations(conversations: Sequence[Conversation]) -> str | None:
    """Return the text in the newest messages of a conversation, else the text in its system prompt.

    A text in an earlier message does not count: it applied to an earlier answer. Only for a request to continue a
    broken answer is there a second conversation, in which the text for that answer is found again.
    """
    newest = (in_prompt(conversation.newest) for conversation in conversations)
    system = (in_prompt(conversation.system) for conversation in conversations)
    return next((text for text in chain(newest, system) if text is not None), None)


def in_prompt(prompt: str) -> str | None:
    """Return the first text in a prompt; None if it has none."""
    _, opening, rest = prompt.partition(_OPENING)
    if not opening:
        return None
    end = find_mark(rest[:_MAX_LENGTH], _CLOSING)
    if end < 0:
        end = rest.find(_CLOSING)  # a text with an unclosed quote is found as well: `parse` rejects it
    return rest[:end].strip() if end >= 0 else None


def of_attempt(text: str, retries: str) -> str:
    """Return the part of a text for one request of a call. The last part is also for all later requests.

    ``retries``: the value of the header ``x-stainless-retry-count``, which the SDKs and L0 send with each request.
    """
    parts = split_at(text[:_MAX_LENGTH], _SEPARATOR)
    return parts[min(int(retries) if retries.isdecimal() else 0, len(parts) - 1)].strip()


def parse(text: str) -> RequestScript:
    """Parse one text. Raises `GrammarError`."""
    parts = split_at(text[:_MAX_LENGTH], "|")
    if len(text) > _MAX_LENGTH or len(parts) > _MAX_PARTS:
        raise GrammarError(f"the text is too long, allowed are {_MAX_PARTS} parts and {_MAX_LENGTH} characters")
    script = RequestScript()
    for part in parts:
        try:
            words = words_of(part)
        except ValueError as error:
            raise GrammarError(f"{part.strip()!r}: {error}") from None
        if not words:
            raise GrammarError(f"{text!r}: a part is empty; allowed are {', '.join(vocabulary())}")
        script = _add(script, words[0].replace("-", "_").lower(), words[1:])
    return script


def vocabulary() -> list[str]:
    """Return all allowed first words of a part."""
    return [*ANSWERS, *(name.replace("_", "-") for name in constructors())]


def answer_usage(word: str) -> str:
    """Return a word for an answer with its values, such as ``tool NAME [ARGUMENTS]``."""
    return f"{word} {_ANSWER_VALUES.get(word, 'NAME')}".strip()


def _add(script: RequestScript, word: str, rest: list[str]) -> RequestScript:
    if word in ANSWERS:
        return _add_answer(script, word, rest)
    if word not in constructors():
        raise GrammarError(f"{word!r} is unknown; allowed are {', '.join(vocabulary())}")
    return replace(script, fault=script.fault | _fault(word, rest))


def _add_answer(script: RequestScript, word: str, rest: list[str]) -> RequestScript:
    fewest, most = _VALUES.get(word, (1, 1))
    if not fewest <= len(rest) <= most:
        allowed = {(0, 0): "no value", (1, 1): "one value"}.get((fewest, most), f"{fewest} or {most} values")
        given = f"{len(rest)} given ({shlex.join(rest)})" if rest else "none given"
        raise GrammarError(f"{word}: takes {allowed}, {given}; allowed is {answer_usage(word)}")
    answer = script.answer or Answer()
    joins = word in _JOINED and not (script.named or script.recorded or answer.tokens)
    if word != "ok" and not joins and (script.named or script.recorded or script.answer):
        raise GrammarError(f"{word}: there is an answer already; allowed is one, or text and tools together")
    match word:
        case "answer":
            return replace(script, named=rest[0])
        case "recorded":
            return replace(script, recorded=rest[0])
        case "text":
            return replace(script, answer=replace(answer, text=rest[0]))
        case "tool":
            call = SimulatedToolCall(name=rest[0], arguments=rest[1] if len(rest) > 1 else "{}")
            return replace(script, answer=replace(answer, tool_calls=(*answer.tool_calls, call)))
        case "image":
            return replace(script, answer=replace(answer, images=answer.images + 1))
        case "tokens":
            return replace(script, answer=_build(lambda: Answer(tokens=int(_number(word, rest[0], int))), word))
    return script


def constructors() -> dict[str, Callable[..., Fault]]:
    """Return the constructors of `Fault` by name, in the order of its source."""
    return {name: member.__func__ for name, member in vars(Fault).items() if isinstance(member, staticmethod)}


def _fault(word: str, rest: list[str]) -> Fault:
    make, name = constructors()[word], word.replace("_", "-")
    parameters = inspect.signature(make).parameters
    hints = get_type_hints(make)
    given: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for option, value in _options(make, name, rest):
        if option in _LIMITS:
            limits[option] = _number(f"{name}: {option}", value, _LIMITS[option])
        elif option in parameters and option != "headers":
            given[option] = _value(f"{name}: {option}", value, hints[option])
        else:
            headers[option] = value
    needed = [option for option, parameter in parameters.items() if parameter.default is parameter.empty]
    missing = [option.upper() for option in needed if option not in given]
    if missing:
        raise GrammarError(f"{name}: {missing[0]} is missing; allowed is {_allowed(make, name)}")
    if headers:
        given["headers"] = headers
    return _build(lambda: make(**given).limited(**limits) if limits else make(**given), name)


def _options(make: Callable[..., Fault], word: str, rest: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each option. An option without a name sets the parameter at its position."""
    names = list(inspect.signature(make).parameters)
    seen: set[str] = set()
    for position, item in enumerate(rest):
        name, is_named, value = item.partition("=")
        if not is_named:
            if position >= len(names) or names[position] == "headers":
                raise GrammarError(f"{word}: {item!r} is one value too many; allowed is {_allowed(make, word)}")
            name, value = names[position], item
        elif name not in names and name not in _LIMITS and "headers" not in names:
            raise GrammarError(f"{word}: option {name!r} is unknown; allowed is {_allowed(make, word)}")
        if name in seen:
            raise GrammarError(f"{word}: {name} is given twice; allowed is {_allowed(make, word)}")
        seen.add(name)
        yield name, value


def _allowed(make: Callable[..., Fault], word: str) -> str:
    return f"{usage(word, make)} [rate=X] [times=N]"


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

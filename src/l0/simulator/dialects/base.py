"""What every dialect offers to the server."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from l0.simulator.answers import Answer, ToolCall

Role = Literal["lifecycle", "content", "finish", "end"]
"""What a block is: `finish` says why the answer stopped (or its usage), `end` is the terminal event."""

Json = dict[str, Any]

CHOICES = 128
"""Most choices of one request, as OpenAI has it."""
MODEL_LENGTH = 256


class InvalidRequestError(Exception):
    """The request is answered with 400; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request asks for, free of its dialect.

    `forced` is the tool call that the request insists on, `said` the beginning of an answer that it wants continued.
    """

    model: str
    stream: bool = False
    prompt: str = ""
    choices: int = 1
    usage: bool = True
    schema: str | None = None
    forced: ToolCall | None = None
    store: bool = True
    background: bool = False
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Identity of one response: 24 hexadecimal digits that every id in it is made of, and its time (Unix seconds)."""

    digits: str
    created: int = 1_767_225_600

    @classmethod
    def of(cls, seed: int, index: int) -> "Stamp":
        """The stamp of a request; the same seed and index give the same one."""
        return cls(digits=hashlib.sha256(f"{seed}:{index}".encode()).hexdigest()[:24])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error to be told in a dialect's shape; None leaves the choice to the dialect."""

    message: str | None = None
    type: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One wire dialect, as functions.

    `ask` reads a request body, `events` streams an answer as blocks, `whole` is the same answer as one JSON body,
    `error` is the JSON body of a failed request, `in_band` a failure inside a stream (with the block number it gets),
    `failed` the stream's own event of failure where it has one, `role` says what a block is, `idle` is a block that
    carries nothing (a ping), `hollow` one that looks like progress and has no content.
    """

    name: str
    ask: Callable[[Mapping[str, Any]], Ask]
    events: Callable[[Answer, Ask, Stamp], Iterator[bytes]]
    whole: Callable[[Answer, Ask, Stamp], Json]
    error: Callable[[int, Trouble, Stamp], Json]
    in_band: Callable[[Trouble, int, Stamp], bytes]
    failed: Callable[[Trouble, int, Stamp], bytes]
    role: Callable[[bytes], Role]
    idle: bytes
    hollow: Callable[[Stamp], bytes]
    headers: Callable[[Stamp], Json]


def text_in(value: Any) -> str:
    """All text of a prompt, whatever its nesting: messages, parts, plain strings."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(filter(None, (text_in(value.get(key)) for key in ("content", "text", "input_text"))))
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_in, value)))
    return ""


def required(body: Mapping[str, Any], *names: str) -> None:
    """Raise `InvalidRequestError` for the first field that is missing."""
    for name in names:
        if name not in body:
            raise InvalidRequestError(f"Missing required parameter: '{name}'.")


def whole_number(body: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """A field from 1 to `most`; raises `InvalidRequestError` for anything else that is given."""
    given = body.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise InvalidRequestError(f"Invalid '{name}': expected a whole number from 1 to {most}.")
    return given


def asked(dialect: Dialect, body: Mapping[str, Any]) -> Ask:
    """What a body asks for; raises `InvalidRequestError` for every body that cannot be read, whatever it holds."""
    try:
        ask = dialect.ask(body)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise InvalidRequestError(f"We could not read your request: a field has the wrong type ({error}).") from None
    except RecursionError:
        raise InvalidRequestError("We could not read your request: it is nested too deeply.") from None
    if len(ask.model) > MODEL_LENGTH:
        raise InvalidRequestError(f"Invalid 'model': expected a name of up to {MODEL_LENGTH} characters.")
    return ask


def prompt_tokens(ask: Ask) -> int:
    """Input tokens as usage reports them: four characters each."""
    return max(1, len(ask.prompt) // 4)

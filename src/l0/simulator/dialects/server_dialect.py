"""Define the interface between the server and its dialects."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..answers import MAX_TOKENS, Answer, SimulatedToolCall
from ..conversation import Conversation
from ..logprobs import MAX_ALTERNATIVES

Role = Literal["lifecycle", "content", "finish", "end"]
"""The role of a block in its answer. `finish`: it has the finish reason or the usage. `end`: the terminal event."""

Json = dict[str, Any]

MAX_CHOICES = 128
"""Maximum number of choices of one request, as in the OpenAI API."""
_MAX_MODEL_NAME = 256
"""Maximum length of a model's name, in characters."""


class InvalidRequestError(Exception):
    """A request that is answered with an error, by default with status 400. The message names the field.

    `error_code`: the provider's code for the error. `headers`: further headers of the answer.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        error_code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRequest:
    """An inference request, independent of its dialect.

    `prompt`: all text of the request. `usage`: a stream states the usage. `schema`: JSON that fits the requested
    schema, the default answer; None if no schema is requested. `forced_tool`: the tool call that the request requires.
    `prefix`: the beginning of an answer that the request wants continued. `conversations`: the request's conversation;
    for a request to continue a broken answer, also the conversation before that answer. `previous`: the id of the
    stored response that the request continues. `max_tokens`: the limit for each choice. `logprobs`: the number of
    alternatives per token; None if no log probabilities are requested. `audio`: the answer is spoken. `draws`: an image
    is required. `previews`: the number of previews before each image.
    """

    model: str
    stream: bool = False
    prompt: str = ""
    choices: int = 1
    usage: bool = True
    schema: str | None = None
    forced_tool: SimulatedToolCall | None = None
    store: bool = True
    background: bool = False
    prefix: str = ""
    conversations: tuple[Conversation, ...] = ()
    previous: str | None = None
    max_tokens: int | None = None
    logprobs: int | None = None
    audio: bool = False
    draws: bool = False
    previews: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerIdentity:
    """The identity of one response.

    `digits`: 24 hexadecimal digits, which are part of all its ids. `created`: its time (Unix seconds).
    """

    digits: str
    created: int = 1_767_225_600  # 2026-01-01T00:00:00Z

    @classmethod
    def of(cls, seed: int, index: int) -> "AnswerIdentity":
        """Return the identity of a response. It depends only on seed and index."""
        return cls(digits=hashlib.sha256(f"{seed}:{index}".encode()).hexdigest()[:24])


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSpec:
    """An error to be sent in a dialect's format. None: the dialect chooses the value."""

    message: str | None = None
    type: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One wire dialect, as functions.

    `read_request` reads a request body. `events` streams an answer as blocks. `complete` returns the same answer as one
    JSON body. `error` returns the JSON body of a failed request. `in_band` returns an error inside a stream (with its
    block number). `failed` returns the dialect's failure event, or the same as `in_band` if it has none. `role` returns
    the role of a block. `path_fields` returns the fields that the path of a request states in place of its body; None
    if the path states none. `idle` is a block without content that keeps a stream alive (a ping or a comment).
    `empty_event` returns an event that resembles progress but has no content. `stream_type` is the content type of a
    stream. `frame` encodes a block for sending; None if blocks are sent unchanged, as server-sent events.
    """

    name: str
    read_request: Callable[[Mapping[str, Any]], SimulatedRequest]
    events: Callable[[Answer, SimulatedRequest, AnswerIdentity], Iterator[bytes]]
    complete: Callable[[Answer, SimulatedRequest, AnswerIdentity], Json]
    error: Callable[[int, ErrorSpec, AnswerIdentity], Json]
    in_band: Callable[[ErrorSpec, int, AnswerIdentity], bytes]
    failed: Callable[[ErrorSpec, int, AnswerIdentity], bytes]
    role: Callable[[bytes], Role]
    idle: bytes
    empty_event: Callable[[AnswerIdentity], bytes]
    headers: Callable[[AnswerIdentity], Json]
    path_fields: Callable[[str], Json] | None = None
    stream_type: str = "text/event-stream; charset=utf-8"
    frame: Callable[[bytes], bytes] | None = None

    def on_wire(self, block: bytes) -> bytes:
        """Return a block as it is sent."""
        return block if self.frame is None else self.frame(block)


def required(body: Mapping[str, Any], *names: str) -> None:
    """Raise `InvalidRequestError` for the first missing field."""
    for name in names:
        if name not in body:
            raise InvalidRequestError(f"Missing required parameter: '{name}'.")


def whole_number(body: Mapping[str, Any], name: str, default: int, maximum: int) -> int:
    """Return a field from 1 to `maximum`; `default` if it is missing. Raises `InvalidRequestError` for other values."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
        raise InvalidRequestError(f"Invalid '{name}': expected a whole number from 1 to {maximum}.")
    return value


def token_limit(body: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these fields that the body has, else None. Raises `InvalidRequestError` for an invalid
    number."""
    name = next((name for name in names if body.get(name) is not None), None)
    return None if name is None else whole_number(body, name, 1, MAX_TOKENS)


def top_logprobs(body: Mapping[str, Any], name: str) -> int:
    """Return the number of alternatives per token, 0 by default. Raises `InvalidRequestError` for an invalid number."""
    value = body.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ALTERNATIVES:
        raise InvalidRequestError(f"Invalid '{name}': expected a whole number from 0 to {MAX_ALTERNATIVES}.")
    return value


def parse_request(dialect: Dialect, body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body. Raises `InvalidRequestError` for every unreadable body, whatever it contains."""
    try:
        request = dialect.read_request(body)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise InvalidRequestError(f"We could not read your request: a field has the wrong type ({error}).") from None
    except RecursionError:
        raise InvalidRequestError("We could not read your request: it is nested too deeply.") from None
    if len(request.model) > _MAX_MODEL_NAME:
        raise InvalidRequestError(f"Invalid 'model': expected a name of up to {_MAX_MODEL_NAME} characters.")
    return request


def prompt_tokens(request: SimulatedRequest) -> int:
    """Return the number of input tokens, as usage reports it: one per four characters."""
    return max(1, len(request.prompt) // 4)

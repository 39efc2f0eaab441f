"""Map paths to dialects, and answer requests that are not inferences."""

from collections.abc import Mapping
from typing import Any

from .conversation import text_in
from .dialects.bedrock_messages_server import BEDROCK_MESSAGES
from .dialects.chat_server import CHAT
from .dialects.completions_server import COMPLETIONS
from .dialects.converse_server import CONVERSE
from .dialects.embeddings_server import EMBEDDINGS
from .dialects.generate_content_server import GENERATE_CONTENT
from .dialects.messages_server import MESSAGES
from .dialects.responses_server import RESPONSES
from .dialects.server_dialect import AnswerIdentity, Dialect, ErrorSpec, InvalidRequestError, required
from .http import HttpRequest
from .respond import json_response
from .steps import SimulatedResponse
from .uploads import uploaded

# Matched by the end of the path, since Azure's paths are longer. `/chat/completions` must come first.
_PATHS = (
    ("/chat/completions", CHAT),
    ("/completions", COMPLETIONS),
    ("/responses", RESPONSES),
    ("/embeddings", EMBEDDINGS),
    ("/messages", MESSAGES),
    (":generateContent", GENERATE_CONTENT),
    (":streamGenerateContent", GENERATE_CONTENT),
    ("/converse", CONVERSE),
    ("/converse-stream", CONVERSE),
    ("/invoke", BEDROCK_MESSAGES),
    ("/invoke-with-response-stream", BEDROCK_MESSAGES),
)
_OPENAI_MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-5", "gpt-3.5-turbo-instruct", "text-embedding-3-small")
_ANTHROPIC_MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")


def dialect_of(request: HttpRequest) -> Dialect | None:
    """Return the dialect of an inference request; None for all other requests."""
    if request.method != "POST":
        return None
    return next((dialect for suffix, dialect in _PATHS if request.path.endswith(suffix)), None)


def request_body(request: HttpRequest, dialect: Dialect) -> Any:
    """Return the JSON of an inference request, with the fields that the path states in some dialects added."""
    body = request.json
    if dialect.path_fields is None or not isinstance(body, dict):
        return body
    return {**body, **dialect.path_fields(request.path)}


def is_health_check(request: HttpRequest) -> bool:
    """Return True for a request that checks if the server runs. It needs no API key."""
    return request.method == "GET" and request.path == "/health"


def non_inference(request: HttpRequest, identity: AnswerIdentity, models: tuple[str, ...] = ()) -> SimulatedResponse:
    """Return the response to a request that is not an inference: health, models, token counts, uploads, or 404.

    `models`: the names of the models for every provider; empty for some of OpenAI's and Anthropic's own.
    """
    family = family_of(request)
    if is_health_check(request):
        return json_response(200, {"status": "ok"}, {})
    _, _, name = request.path.partition("/models")
    if request.method == "GET" and "/models" in request.path:
        return _models(family, name.strip("/"), models, identity)
    if request.method == "POST" and request.path.endswith("/messages/count_tokens"):
        return _count_tokens(request.json, identity)
    if (response := uploaded(request, identity)) is not None:
        return response
    known = any(request.path.endswith(suffix) for suffix, _ in _PATHS)
    status = 405 if known else 404
    message = f"{request.method} {request.path} is not simulated."
    return failed(family, status, message, identity)


def failed(dialect: Dialect, status: int, message: str, identity: AnswerIdentity) -> SimulatedResponse:
    """Return an error response in the dialect's format."""
    return refused(dialect, InvalidRequestError(message, status), identity)


def refused(dialect: Dialect, error: InvalidRequestError, identity: AnswerIdentity) -> SimulatedResponse:
    """Return the response to a refused request, in the dialect's format."""
    kind = None if error.status in (401, 404, 429) else "invalid_request_error"
    error_spec = ErrorSpec(message=str(error), type=kind, code=error.error_code)
    headers = {**dialect.headers(identity), **error.headers}
    return json_response(error.status, dialect.error(error.status, error_spec, identity), headers)


def family_of(request: HttpRequest) -> Dialect:
    """Return the dialect of a request's provider, according to its headers and path; chat if they show none."""
    if "x-goog-api-key" in request.headers or request.path.endswith("enerateContent"):
        return GENERATE_CONTENT
    if "/model/" in request.path:
        return CONVERSE
    anthropic = "anthropic-version" in request.headers or "/messages" in request.path
    return MESSAGES if anthropic else CHAT


def _models(family: Dialect, name: str, models: tuple[str, ...], identity: AnswerIdentity) -> SimulatedResponse:
    known = models or (_ANTHROPIC_MODELS if family is MESSAGES else _OPENAI_MODELS)
    make = _anthropic_model if family is MESSAGES else _openai_model
    if name:
        if name not in known:
            return failed(
                family, 404, f"The model '{name}' does not exist; simulated are {', '.join(known)}.", identity
            )
        return json_response(200, make(name, identity), family.headers(identity))
    rows = [make(each, identity) for each in known]
    page: dict[str, Any] = {"object": "list", "data": rows}
    if family is MESSAGES:
        page = {"data": rows, "has_more": False, "first_id": known[0], "last_id": known[-1]}
    return json_response(200, page, family.headers(identity))


def _openai_model(name: str, identity: AnswerIdentity) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": identity.created, "owned_by": "simulated"}


def _anthropic_model(name: str, _identity: AnswerIdentity) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}


def _count_tokens(body: Any, identity: AnswerIdentity) -> SimulatedResponse:
    try:
        required(body if isinstance(body, Mapping) else {}, "model", "messages")
    except InvalidRequestError as error:
        return failed(MESSAGES, 400, str(error), identity)
    text = text_in(body.get("system")) + text_in(body["messages"])
    return json_response(200, {"input_tokens": max(1, len(text) // 4)}, MESSAGES.headers(identity))

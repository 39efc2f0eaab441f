"""What an openai request asks for: which of the inference calls it is, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l0.model.call import AttributeValue, Replay
from l0.stainless.stainless_upstream import InferenceRequest, given
from l0.telemetry import names

_OPERATIONS = {
    "/chat/completions": ("chat", "chat"),
    "/completions": ("completions", "text_completion"),
    "/responses": ("responses", "chat"),
    "/embeddings": ("embeddings", "embeddings"),
}
"""Path to dialect and operation. Files, models, assistants, images, audio and realtime are left alone."""

_HOSTS = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.ai": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
}
_SUFFIXES = {
    ".openai.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.openai",
    ".api.openai.com": "openai",
    ".amazonaws.com": "aws.bedrock",
}

_PARAMETERS = (
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("top_p", names.REQUEST_TOP_P, float),
    ("max_completion_tokens", names.REQUEST_MAX_TOKENS, int),
    ("max_tokens", names.REQUEST_MAX_TOKENS, int),
    ("max_output_tokens", names.REQUEST_MAX_TOKENS, int),
    ("frequency_penalty", names.REQUEST_FREQUENCY_PENALTY, float),
    ("presence_penalty", names.REQUEST_PRESENCE_PENALTY, float),
    ("seed", names.REQUEST_SEED, int),
    ("dimensions", names.EMBEDDINGS_DIMENSIONS, int),
)
_API_TYPES = {"chat": "chat_completions", "responses": "responses"}
_FORMATS = {"text": "text", "json_object": "json", "json_schema": "json"}
_OWN_TOOLS = frozenset({"function", "custom"})


def describe(client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
    """The inference call that a request makes; ``None`` for all others, and for streams in an unusual mode."""
    kind = _OPERATIONS.get(str(options.url))
    if kind is None or options.method.lower() != "post":
        return None
    if getattr(options, "synthesize_event_and_data", None) or getattr(options, "stream_mode", "legacy") != "legacy":
        return None
    body = _body(options)
    dialect, operation = kind
    provider = provider_of(client)
    return InferenceRequest(
        dialect=dialect,
        operation=operation,
        provider=provider,
        model=str(body.get("model") or ""),
        replay=_replay(dialect, body),
        body=body,
        attributes=_attributes(dialect, body, stream=stream),
        certain=_certain(client, provider),
        choices=_choices(body),
        resumable=_resumable(body),
    )


def provider_of(client: Any) -> str:
    """The conventional name of who answers: by the client's class, else by its host."""
    kind = type(client).__name__
    if "Azure" in kind:
        return "azure.ai.openai"
    if "Bedrock" in kind:
        return "aws.bedrock"
    host = str(client.base_url.host)
    if host in _HOSTS:
        return _HOSTS[host]
    return next((name for suffix, name in _SUFFIXES.items() if host.endswith(suffix)), "openai")


def _certain(client: Any, provider: str) -> bool:
    """A host of the provider's own: a compatible server somewhere else may have its own ways to end a stream."""
    host = str(client.base_url.host)
    return provider == "azure.ai.openai" or _HOSTS.get(host) == "openai" or host.endswith(".api.openai.com")


def _body(options: Any) -> Mapping[str, Any]:
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    extra = options.extra_json
    return given({**body, **extra} if isinstance(extra, Mapping) else body)


def _choices(body: Mapping[str, Any]) -> int:
    wanted = body.get("n")
    prompts = body.get("prompt")
    number = wanted if type(wanted) is int and wanted > 0 else 1
    several = isinstance(prompts, list) and bool(prompts) and isinstance(prompts[0], str | list)
    return number * len(prompts) if several and isinstance(prompts, list) else number


def _replay(dialect: str, body: Mapping[str, Any]) -> Replay:
    """A repeat could store or do something twice: then not once the provider has accepted the request."""
    if dialect == "responses":
        kept = body.get("store") is not False or body.get("background") or body.get("conversation")
        return Replay.UNTIL_CREATED if kept or _server_tools(body) else Replay.SAFE
    if body.get("store") or _server_tools(body) or body.get("web_search_options") is not None:
        return Replay.UNTIL_ACCEPTED
    return Replay.SAFE


def _resumable(body: Mapping[str, Any]) -> bool:
    """Structured output, several choices, log-probabilities and audio are never taken up in the middle."""
    wanted = _format(body)
    structured = isinstance(wanted, Mapping) and wanted.get("type") not in (None, "text")
    asked = body.get("logprobs")  # 0 asks for those of the chosen tokens
    likely = (asked is not None and asked is not False) or body.get("top_logprobs") is not None
    included = body.get("include") or ()
    likely = likely or any("logprobs" in str(part) for part in included)
    return not (structured or _choices(body) > 1 or likely or body.get("audio"))


def _format(body: Mapping[str, Any]) -> object:
    """What the answer is to look like: a field of its own in chat, one of ``text`` in the Responses API."""
    text = body.get("text")
    return (text.get("format") if isinstance(text, Mapping) else None) or body.get("response_format")


def _server_tools(body: Mapping[str, Any]) -> bool:
    tools = body.get("tools")
    if not isinstance(tools, list | tuple):
        return False
    return any(isinstance(tool, Mapping) and tool.get("type", "function") not in _OWN_TOOLS for tool in tools)


def _attributes(dialect: str, body: Mapping[str, Any], *, stream: bool) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    if dialect in _API_TYPES:
        attributes["openai.api.type"] = _API_TYPES[dialect]
    for field, name, kind in _PARAMETERS:
        value = body.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool):
            attributes.setdefault(name, kind(value))
    choices = body.get("n")
    if type(choices) is int and choices != 1:
        attributes[names.REQUEST_CHOICE_COUNT] = choices
    stop = body.get("stop")
    if isinstance(stop, str):
        attributes[names.REQUEST_STOP_SEQUENCES] = (stop,)
    elif isinstance(stop, list | tuple) and all(isinstance(one, str) for one in stop):
        attributes[names.REQUEST_STOP_SEQUENCES] = tuple(stop)
    wanted = _format(body)
    if isinstance(wanted, Mapping) and wanted.get("type") in _FORMATS:
        attributes[names.OUTPUT_TYPE] = _FORMATS[wanted["type"]]
    if isinstance(encoding := body.get("encoding_format"), str):
        attributes[names.ENCODING_FORMATS] = (encoding,)
    if isinstance(tier := body.get("service_tier"), str) and tier != "auto":
        attributes["openai.request.service_tier"] = tier
    conversation = body.get("conversation")
    held = conversation.get("id") if isinstance(conversation, Mapping) else conversation
    if isinstance(held, str):
        attributes[names.CONVERSATION_ID] = held
    if stream:
        attributes[names.REQUEST_STREAM] = True
    return attributes

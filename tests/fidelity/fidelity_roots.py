"""The types that streams and calls decode to, as far as the installed SDKs have them."""

import importlib
from dataclasses import dataclass
from types import ModuleType

_OPENAI = (
    "types.chat.ChatCompletionChunk",
    "types.chat.ChatCompletion",
    "types.chat.ParsedChatCompletion",
    "types.Completion",
    "types.CreateEmbeddingResponse",
    "types.ModerationCreateResponse",
    "types.ImagesResponse",
    "types.responses.ResponseStreamEvent",
    "types.responses.Response",
    "types.responses.ParsedResponse",
    "types.ImageGenStreamEvent",
    "types.audio.TranscriptionStreamEvent",
    "types.beta.AssistantStreamEvent",
)
_ANTHROPIC = (
    "types.RawMessageStreamEvent",
    "types.Message",
    "types.ParsedMessage",
    "types.Completion",
    "types.beta.BetaRawMessageStreamEvent",
    "types.beta.BetaMessage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One decodable type, and the `_models` module of its SDK."""

    name: str
    type_: object
    models: ModuleType


def roots() -> list[Root]:
    """All roots that are installed."""
    found = []
    for package, names in (("openai", _OPENAI), ("anthropic", _ANTHROPIC)):
        try:
            models = importlib.import_module(f"{package}._models")
        except ImportError:
            continue
        for name in names:
            module, _, attribute = name.rpartition(".")
            try:
                type_ = getattr(importlib.import_module(f"{package}.{module}"), attribute)
            except (ImportError, AttributeError):  # newer than the installed SDK
                continue
            found.append(Root(name=f"{package}.{attribute}", type_=type_, models=models))
    return found

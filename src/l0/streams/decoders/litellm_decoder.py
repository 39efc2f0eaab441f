"""Decode litellm's chunks, which are like those of openai. litellm invents missing finish reasons, and does not close
sync streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.dialects.chat import CHAT

from .delta_decoder import DeltaDecoder

_INNER_STREAMS = ("completion_stream", "streaming_response")
"""Attributes of litellm's streams that hold the stream inside."""


class LitellmDecoder(DeltaDecoder):
    """A `DeltaDecoder` for litellm's chat chunks, where only the first choice gets a finish reason."""

    def __init__(self) -> None:
        super().__init__(CHAT)

    def is_complete(self) -> bool:
        """Return True if the first choice has its finish reason."""
        return 0 in self.fold.complete_choices

    def certainly_complete(self) -> bool:
        """Return True if the first choice got its finish reason after its last content."""
        return 0 in self.fold.ended_last


def layers(source: Any) -> Iterator[Any]:
    """Yield a source and, if it is litellm's, the streams inside it, outermost first."""
    yield source
    if is_wrapped(source):
        for inner in (getattr(source, name, None) for name in _INNER_STREAMS):
            if inner is not None:
                yield from layers(inner)


def is_wrapped(source: Any) -> bool:
    """Return True if a source is a stream of litellm."""
    return type(source).__module__.partition(".")[0] == "litellm"


def provider_items(source: Any) -> Iterator[Any]:
    """Return the items of a sync source without those that litellm invented."""
    return (item for item in source if not _invented(source, item))


class ProviderItems:
    """The items of an async source without those that litellm invented. A generator would have to be closed."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._items = aiter(source)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while _invented(self._source, item := await anext(self._items)):
            pass
        return item


def _invented(source: Any, item: Any) -> bool:
    """Return True if a chunk has a finish reason that the provider did not send; litellm ends every stream with one.

    Only the stream records the provider's finish reason (litellm 1.106; legacy text completions do not).
    """
    layer = next((layer for layer in layers(source) if hasattr(layer, "received_finish_reason")), None)
    if layer is None or layer.received_finish_reason or getattr(layer, "intermittent_finish_reason", None):
        return False
    return any(choice.finish_reason for choice in getattr(item, "choices", ()))

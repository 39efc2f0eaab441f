"""litellm: chunks like openai's; every stream ends with a finish reason, real or not, and none closes in sync code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.dialects.chat import CHAT

from .delta_decoder import DeltaDecoder

_INSIDE = ("completion_stream", "streaming_response")


class LitellmDecoder(DeltaDecoder):
    """As `DeltaDecoder` for chat, but litellm ends only the first choice."""

    def __init__(self) -> None:
        super().__init__(CHAT)

    def whole(self) -> bool:
        """Return whether the first choice has its finish reason."""
        return 0 in self.fold.complete_choices


def layers(source: Any) -> Iterator[Any]:
    """A source, and the streams inside of it where it is litellm's, outermost first."""
    yield source
    if is_wrapped(source):
        for inner in (getattr(source, name, None) for name in _INSIDE):
            if inner is not None:
                yield from layers(inner)


def is_wrapped(source: Any) -> bool:
    """Whether a source is a stream of litellm's."""
    return type(source).__module__.partition(".")[0] == "litellm"


def said(source: Any) -> Iterator[Any]:
    """What the provider said, in sync code: all that litellm has not made up."""
    return (item for item in source if not _invented(source, item))


class Said:
    """As `said`, in async code. No generator: nobody has to close it."""

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
    """Whether a chunk says ``stop`` where the provider said nothing: at the end of whatever came, whole or not.

    The stream remembers what was said; the chunk itself does not show it. (As of litellm 1.106, whose legacy text
    completions show it nowhere.)
    """
    knows = next((layer for layer in layers(source) if hasattr(layer, "received_finish_reason")), None)
    if knows is None or knows.received_finish_reason or getattr(knows, "intermittent_finish_reason", None):
        return False
    return any(choice.finish_reason for choice in getattr(item, "choices", ()))

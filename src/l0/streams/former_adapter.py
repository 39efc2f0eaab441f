"""Adapters that still have the method names of an earlier version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from l0.model.call_events import ResponseMetadata

from .stream_events import Event


class FormerAdapter:
    """An adapter with the former names ``recognises``, ``begun``, ``whole``, ``facts``, which work for one release."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.name: str = adapter.name

    def recognizes(self, item: object) -> bool:
        """Return True if the adapter recognizes ``item``."""
        return bool(self._adapter.recognises(item))

    def decoder(self) -> _FormerDecoder:
        """Return a new decoder, for one attempt."""
        return _FormerDecoder(self._adapter.decoder())


class _FormerDecoder:
    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    @property
    def has_pending(self) -> bool:
        return bool(self._decoder.begun)

    def decode(self, item: Any) -> Sequence[Event]:
        events: Sequence[Event] = self._decoder.decode(item)
        return events

    def is_complete(self) -> bool | None:
        complete: bool | None = self._decoder.whole()
        return complete

    def metadata(self) -> ResponseMetadata:
        metadata: ResponseMetadata = self._decoder.facts()
        return metadata

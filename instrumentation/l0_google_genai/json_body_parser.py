"""Read a body that is JSON in place of events: an error, or the whole answer of a gateway that does not stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from l0.model.ports import WireReader

_OVER = object()
"""The value that the drivers pass at the end of the body."""


class JsonBodyParser:
    """The parser of such a body. It returns the items at the end."""

    resumes = False
    single_text: Callable[[Any], Any] | None = None
    end: object = _OVER

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader
        self._parts: list[bytes] = []

    def feed(self, raw: Any) -> list[Any]:
        """Keep a read. At the end, return the objects of the events that the body holds; none if it is not JSON."""
        if raw is not _OVER:
            self._parts.append(raw)
            return []
        self.reader.finished = self.reader.stopped = True
        try:
            value = json.loads(b"".join(self._parts))
        except (ValueError, RecursionError):
            return []
        values = value if isinstance(value, list) else [value]
        items = [self.reader.read_event(None, json.dumps(one).encode()) for one in values if isinstance(one, dict)]
        return [item for item in items if item is not None]

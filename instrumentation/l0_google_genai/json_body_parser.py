"""Read a body that is JSON instead of events: an error, or the whole answer of a gateway that does not stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from l0.model.ports import WireReader

_END = object()
"""The value that the drivers pass at the end of the body."""


class JsonBodyParser:
    """The parser of a JSON body. It returns all items at the end of the body."""

    resumes = False
    single_text: Callable[[Any], Any] | None = None
    end: object = _END

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader
        self._parts: list[bytes] = []

    def feed(self, raw: Any) -> list[Any]:
        """Collect the reads. At the end, return an object for each event in the body; none if it is not JSON."""
        if raw is not _END:
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

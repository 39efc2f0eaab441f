"""Reads events as a driver does, for tests of the dialects' readers."""

import json
from typing import Any

from l0.model.ports import Reader


def feed(reader: Reader, *events: Any, named: bool = False) -> list[Any]:
    """Return the objects for the user from events, given as data or as bytes; stop if the reader says so.

    ``named``: they carry their type as a name on the wire.
    """
    items = []
    for event in events:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        item = reader.read_event(event["type"].encode() if named else None, data)
        if item is not None:
            items.append(item)
        if reader.stopped:
            break
    return items

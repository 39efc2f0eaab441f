"""Translate botocore's messages into the events that `WireReader` reads, and back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from l0.model.tolerant_reading import object_of
from l0.wire.json_decode import loads, parse

_EVENT_TYPE = ":event-type"
_ENCODER = json.JSONEncoder()
"""Encodes like `json.dumps`; saves one function call per event."""


class EventCodec:
    """The events of ``ConverseStream``. ``make_message``: botocore's class of a message."""

    def __init__(self, make_message: Callable[..., Any]) -> None:
        self._make_message = make_message
        self.current: Any = None
        """The message that is being read. Set by `EventParser` before each `read`."""
        self.unchanged = True
        """True if the user gets the messages as they came. `operation_senders` sets False for a resumed answer, in
        which some messages are changed or dropped."""

    def read(self, message: Any) -> tuple[bytes | None, bytes]:
        """Return the name of the event in a message, and its data."""
        name = message.headers.get(_EVENT_TYPE)
        return name.encode() if name else None, message.payload

    def payload(self, event: Any) -> tuple[str, Any]:
        """Return the event type and the payload of a message that carries this event."""
        ((name, body),) = event.items()
        return name, body

    def build(self, event: Any) -> Any:
        """Return the message from which botocore makes the user's event."""
        if self.unchanged:
            return self.current
        name, payload = self.payload(event)
        headers = {_EVENT_TYPE: name, ":content-type": "application/json", ":message-type": "event"}
        return self._make_message(prelude=None, headers=headers, payload=_ENCODER.encode(payload).encode(), crc=None)


class ChunkCodec(EventCodec):
    """The events of ``InvokeModelWithResponseStream``: those of an Anthropic model, each as Base64 in a ``chunk``."""

    def read(self, message: Any) -> tuple[bytes | None, bytes]:
        data = b64decode(object_of(loads(message.payload)).get("bytes") or b"")
        try:
            kind = object_of(parse(data)).get("type")  # `parse`, not `loads`: the reader decodes the event again
        except ValueError:  # the reader reports the invalid JSON
            kind = None
        return kind.encode() if isinstance(kind, str) else None, data

    def payload(self, event: Any) -> tuple[str, Any]:
        return "chunk", {"bytes": b64encode(_ENCODER.encode(event).encode()).decode()}

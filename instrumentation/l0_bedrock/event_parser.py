"""Turn the bytes of an event stream into botocore's messages, from which botocore makes the events of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from l0.dialects.resumable_reader import ResumableReader
from l0.model.failure import Cause, Failure
from l0.runtime.body_parser import END

from .event_codecs import EventCodec


class EventParser:
    """The parser of one attempt. ``frames``: botocore's buffer of frames. ``parser_error``: the class of the exceptions
    that the buffer raises for damaged frames. ``refuse``: makes the failure of a message that states an exception."""

    resumes = True
    single_text: Callable[[Any], Any] | None = None
    end: object = END

    def __init__(
        self,
        reader: ResumableReader,
        codec: EventCodec,
        frames: Any,
        parser_error: type[Exception],
        refuse: Callable[[Any], Failure],
    ) -> None:
        self.reader = reader
        self._codec = codec
        self._frames = frames
        self._parser_error = parser_error
        self._refuse = refuse

    def feed(self, raw: bytes) -> list[Any]:
        """Return the messages in a read. Those before a damaged frame are returned as well."""
        items: list[Any] = []
        self._frames.add_data(raw)
        try:
            for message in self._frames:
                items += self._read(message)
                if self.reader.stopped:
                    break
        except (self._parser_error, KeyError, UnicodeDecodeError) as error:
            self.reader.fail(Failure(cause=Cause.CORRUPT, message="a frame of the stream is damaged", error=error))
        return items

    def _read(self, message: Any) -> list[Any]:
        if message.headers.get(":message-type") in ("exception", "error"):
            self.reader.fail(self._refuse(message))
            return []
        self._codec.current = message
        try:
            name, data = self._codec.read(message)
        except (ValueError, TypeError) as error:
            self.reader.fail(Failure(cause=Cause.MALFORMED, message="an event is not valid JSON", error=error))
            return []
        if not self._codec.unchanged:
            return self.reader.read_resumed(name, data)
        item = self.reader.read_event(name, data)
        return [] if item is None else [item]

"""Turn the events of calls into the rows of a recording file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import singledispatchmethod
from typing import Any

from l0.model.call import Call
from l0.model.failure import Failure

from .body_redaction import BodyRedaction
from .recorded_request import described_body
from .recording_codec import encode
from .recording_events import (
    AttemptBegan,
    AttemptEnding,
    BodyEnded,
    CallBegan,
    CallOver,
    Decided,
    Delivered,
    Exchanged,
    Read,
    RecordingEvent,
)
from .redaction import Redaction, without_secret_fields

Add = Callable[[str, tuple[Any, ...]], None]
"""A function that buffers a row: the SQL statement, and its values."""

_CALL = (
    "INSERT INTO calls (id, started_unix, began, trace_id, span_id, provider, model, dialect, operation, streaming, "
    "origin, call) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CALL_OVER = (
    "UPDATE calls SET outcome = ?, error = ?, duration_s = ?, delivered_items = ?, delivered_chars = ?, "
    "incomplete = max(incomplete, ?) WHERE id = ?"
)
_INCOMPLETE = "UPDATE calls SET incomplete = 1 WHERE id = ?"
_ATTEMPT = "INSERT OR IGNORE INTO attempts (call, number, leg, hedge, started) VALUES (?, ?, ?, ?, ?)"
_REQUEST = "UPDATE attempts SET request = ? WHERE call = ? AND number = ?"
_HEAD = "UPDATE attempts SET status = ?, response_headers = ?, head_at = ? WHERE call = ? AND number = ?"
_ENDING = "UPDATE attempts SET ending = ? WHERE call = ? AND number = ?"
_ATTEMPT_OVER = "UPDATE attempts SET ended = ?, error = ?, ending = coalesce(ending, ?) WHERE call = ? AND number = ?"
_READ = "INSERT INTO reads (call, attempt, seq, at, bytes, began) VALUES (?, ?, ?, ?, ?, ?)"
_DECISION = "INSERT INTO decisions (call, seq, at, signal, command, inputs, nested) VALUES (?, ?, ?, ?, ?, ?, ?)"
_DELIVERY = "INSERT INTO deliveries (call, at, items, chars) VALUES (?, ?, ?, ?)"

_ENCODING = "content-encoding"


class CallRows:
    """The rows of the call ``id_``. ``content``: keep the bodies of requests. ``lost``: called while an exception is
    handled that prevented a row."""

    def __init__(self, id_: str, add: Add, redaction: Redaction, lost: Callable[[], None], *, content: bool) -> None:
        self._id = id_
        self._add = add
        self._report_lost = lost
        self._redaction = redaction
        self._content = content
        self._began = 0.0
        self._read_at: float | None = None
        self._reads = self._decisions = self._items = self._chars = 0
        self._unsent: dict[int, AttemptBegan] = {}
        """The attempts whose request is not known yet."""
        self._bodies: dict[int, BodyRedaction] = {}
        self._lost: set[int] = set()
        """The attempts that another one has overtaken. L0 itself then breaks their connections."""

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        """Mark the call as incomplete if a part of it cannot be written. A value that cannot be described, or a user's
        `redact` that fails, must not end the recording."""
        try:
            yield
        except Exception:
            self._add(_INCOMPLETE, (self._id,))
            self._report_lost()

    def write(self, event: RecordingEvent) -> None:
        """Buffer the rows of one event."""
        with self._may_fail():
            self._write(event)

    @singledispatchmethod
    def _write(self, event: RecordingEvent) -> None:
        raise TypeError(event)

    def read(self, event: Read) -> None:
        """Keep a read for `write_reads`. A call has many of them, so they skip the dispatch by type."""
        body = self._bodies.get(event.number)
        if body is None:
            body = self._bodies[event.number] = BodyRedaction(self._redaction)
        self._delivered(event)
        self._read_at = event.at
        body.add(event)

    def _delivered(self, event: Read | Delivered | AttemptEnding | CallOver) -> None:
        """Buffer a row for the items that the user has got since the last row.

        Its time is that of the last read; if the source has no reads, that of the event.
        """
        if event.items <= self._items:
            return
        at = event.at if self._read_at is None else self._read_at
        self._add(_DELIVERY, (event.id, at - self._began, event.items - self._items, event.chars))
        self._items, self._chars = event.items, event.chars

    def write_reads(self, *, final: bool = False) -> None:
        """Buffer the rows of the reads so far. ``final``: also of reads that may end with a part of a secret."""
        for body in self._bodies.values():
            self._write_body(body, final=final)

    def _write_body(self, body: BodyRedaction, *, final: bool) -> None:
        with self._may_fail():
            for read, data in body.take(final=final):
                began = None if read.began is None else read.began - self._began
                self._add(_READ, (read.id, read.number, self._reads, read.at - self._began, data, began))
                self._reads += 1

    @_write.register
    def _(self, event: CallBegan) -> None:
        self._began, call = event.at, event.call
        about = (call.provider, call.model, call.dialect, call.operation, call.streaming, call.origin)
        trace = (event.trace_id or None, event.span_id or None)
        clean = [self._redaction.text(value) if isinstance(value, str) else value for value in about]
        self._add(_CALL, (event.id, event.unix, event.at, *trace, *clean, self._call(call)))

    @_write.register
    def _(self, event: AttemptBegan) -> None:
        spec = event.spec
        self._add(_ATTEMPT, (event.id, spec.number, spec.leg, spec.hedge, event.at - self._began))
        self._unsent[spec.number] = event

    @_write.register
    def _(self, event: Exchanged) -> None:
        self._unsent.pop(event.number, None)
        with self._may_fail():
            self._add(_REQUEST, (json.dumps(self._request(event)), event.id, event.number))
        if event.status is not None:
            headers = json.dumps(self._redaction.received_headers(self._received(event)))
            self._add(_HEAD, (event.status, headers, event.at - self._began, event.id, event.number))

    def _request(self, event: Exchanged) -> dict[str, Any]:
        sent, url = _decoded(event.sent), str(event.url)
        return {
            "method": str(event.method),
            "path": self._redaction.path(url),
            "headers": self._redaction.sent_headers(sent),
        } | described_body(event.body, self._redaction, content=self._content)

    def _received(self, event: Exchanged) -> list[tuple[str, str]]:
        """Return the headers of an answer. If its body is recorded decoded, the headers about its encoding are left
        out."""
        headers = _decoded(event.received)
        if event.decoded:  # a replay would send this header with a body that is not encoded
            headers = [(name, value) for name, value in headers if name != _ENCODING]
        encoding = ", ".join(value for name, value in headers if name == _ENCODING)
        body = self._bodies[event.number] = BodyRedaction(self._redaction, encoding)
        left_out = (_ENCODING, "content-length") if encoding and body.decodable else ()
        return [(name, value) for name, value in headers if name not in left_out]

    @_write.register
    def _(self, event: BodyEnded) -> None:
        if event.number in self._bodies:
            self._write_body(self._bodies[event.number], final=True)
        if event.number not in self._lost:
            self._add(_ENDING, (event.ending, event.id, event.number))

    @_write.register
    def _(self, event: AttemptEnding) -> None:
        self._delivered(event)
        began = self._unsent.pop(event.number, None)
        with self._may_fail():
            request = self._unsent_request(began.options, str(began.base_url)) if began is not None else None
            if request is not None:
                self._add(_REQUEST, (json.dumps(request), event.id, event.number))
        ending = "error" if event.failure is not None else "lost" if event.lost else None
        if event.lost:
            self._lost.add(event.number)
        error = None
        with self._may_fail():
            error = None if event.failure is None else self._error(event.failure)
        self._add(_ATTEMPT_OVER, (event.at - self._began, error, ending, event.id, event.number))

    @_write.register
    def _(self, event: Decided) -> None:
        row = (self._json(event.signal), self._json(event.command), self._json(event.inputs), event.nested)
        self._add(_DECISION, (event.id, self._decisions, event.at - self._began, *row))
        self._decisions += 1

    @_write.register
    def _(self, event: Delivered) -> None:
        self._delivered(event)

    @_write.register
    def _(self, event: CallOver) -> None:
        self._delivered(event)
        self.write_reads(final=True)
        error = None
        with self._may_fail():
            error = None if event.failure is None else self._error(event.failure)
        incomplete = event.incomplete or not all(body.decodable for body in self._bodies.values())
        delivered = (self._items, self._chars, incomplete)
        self._add(_CALL_OVER, (event.outcome.value, error, event.at - self._began, *delivered, event.id))

    def _call(self, call: Call) -> str:
        """Return the JSON for a call; with the context that its user passed if content is kept."""
        described = encode(call)
        if call.context and self._content:
            described["context"] = without_secret_fields(encode(call.context))
        return json.dumps(self._without_secrets(described))

    def _error(self, failure: Failure) -> str:
        """Return the JSON for a failure; with the text of its exception if content is kept."""
        described = encode(failure)
        if failure.detail and self._content:
            described["detail"] = failure.detail
        return json.dumps(self._without_secrets(described))

    def _unsent_request(self, options: Any, base_url: str) -> dict[str, Any] | None:
        """Return what is known of a request that got no answer; ``None`` for a source of the explicit API."""
        if getattr(options, "url", None) is None:
            return None
        described: dict[str, Any] = {
            "method": str(options.method).upper(),
            "path": self._redaction.path(_joined(base_url, str(options.url))),
            "headers": [],
        }
        try:
            # The bytes that the SDKs would send.
            body = json.dumps(options.json_data, ensure_ascii=False, separators=(",", ":")).encode()
        except Exception:  # the user may be changing its lists
            return described
        return described | described_body(body, self._redaction, content=self._content)

    def _json(self, value: Any) -> str:
        return json.dumps(self._without_secrets(encode(value)))

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redaction.text(value)
        if isinstance(value, list):
            return [self._without_secrets(one) for one in value]
        if isinstance(value, Mapping):
            return {self._redaction.text(key): self._without_secrets(one) for key, one in value.items()}
        return value


def _joined(base_url: str, url: str) -> str:
    """Return the URL of a request as the SDKs do: ``url`` is below the base URL, even if it begins with a slash."""
    return url if "://" in url else f"{base_url.rstrip('/')}/{url.lstrip('/')}"


def _decoded(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]

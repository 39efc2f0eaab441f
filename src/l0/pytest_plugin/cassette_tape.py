"""Record one answer while it is read."""

from __future__ import annotations

import re
from time import perf_counter

from l0.recording.redaction import Redaction

from .cassette_entry import CassetteAnswer, CassetteEntry, CassetteRequest, End, ErrorChain, Headers
from .recorded_errors import describe_error
from .request_body import describe, redacted

_LEFT_OUT = frozenset({"connection", "date", "keep-alive", "set-cookie", "transfer-encoding"})
"""Headers that describe the connection or the moment, and cookies, which are secrets that a client would store."""
_TERMINAL_EVENT = re.compile(
    rb'\[DONE\]\s*$|"type": ?"(?:message_stop|response\.(?:completed|incomplete|failed))".*\s*$'
)
"""The terminal event of a stream. SDKs close the stream after it, so such an answer is complete."""
_TAIL = 65_536
"""Bytes at the end of an answer in which the terminal event is searched."""


class CassetteTape:
    """The recording of one request and its answer: `head` is called first, then `read` for each read, then `end`."""

    def __init__(self, method: str, url: str, headers: Headers, body: bytes) -> None:
        self.method, self.url, self.sent_headers, self.body = method, url, headers, body
        self._start = perf_counter()
        self._status: int | None = None
        self._headers: Headers = ()
        self._head_ms = 0.0
        self._reads: list[tuple[float, bytes]] = []
        self._end: End | None = None
        self._end_ms = 0.0
        self._error: ErrorChain = ()

    def head(self, status: int, headers: Headers) -> None:
        """Record status and headers."""
        self._status, self._headers, self._head_ms = status, headers, self._now_ms()

    def read(self, part: bytes) -> None:
        """Record a read."""
        self._reads.append((self._now_ms(), part))

    def end(self, end: End, error: BaseException | None = None) -> None:
        """Record the end; only the first counts."""
        if self._end is None:
            self._end, self._end_ms = end, self._now_ms()
            self._error = () if error is None else describe_error(error)

    def learn(self, redaction: Redaction) -> None:
        """Add the secrets of the request to those that the redaction removes."""
        redaction.learn(self.sent_headers, self.url)

    def entry(self, redaction: Redaction) -> CassetteEntry | None:
        """Return the recording without secrets; ``None`` if nothing came, and the request still waits."""
        self.end("closed")
        if self._status is None and self._end == "closed":
            return None
        parts = [part for _, part in self._reads]
        clean = redaction.lines(redaction.reads(parts))
        size_differs = sum(map(len, clean)) != sum(map(len, parts))
        left_out = _LEFT_OUT | ({"content-length"} if size_differs else frozenset())
        received = redaction.received_headers([item for item in self._headers if item[0].lower() not in left_out])
        answer = CassetteAnswer(
            status=self._status,
            headers=tuple((name, value) for name, value in received),
            head_ms=self._head_ms,
            reads=tuple((at_ms, part) for (at_ms, _), part in zip(self._reads, clean, strict=True)),
            end="eof"
            if self._end in ("closed", "gave_up") and _TERMINAL_EVENT.search(b"".join(parts)[-_TAIL:])
            else self._end or "closed",
            end_ms=self._end_ms,
            error=tuple({**link, "message": redaction.text(str(link["message"]))} for link in self._error),
        )
        return CassetteEntry(normal_request(self.method, self.url, self.sent_headers, self.body, redaction), answer)

    def _now_ms(self) -> float:
        return round((perf_counter() - self._start) * 1_000, 1)


def normal_request(method: str, url: str, headers: Headers, body: bytes, redaction: Redaction) -> CassetteRequest:
    """Return a request as it is stored and compared: its body as JSON, without secrets and without its headers."""
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    scheme, _, rest = url.partition("://")
    host, slash, _ = rest.partition("/")
    clean_url = f"{scheme}://{host.rpartition('@')[2]}{redaction.path(url) or slash}"
    return CassetteRequest(method, clean_url, redacted(describe(body, content_type), redaction))

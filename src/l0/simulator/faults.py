"""Define faults of one answer: frozen values, built by name and combined with `|`.

`at_event` counts events (blocks that carry data) from 0: that many are sent before the fault; for a fault that changes
an event it is the index of that event. `at_byte` counts bytes of the body. With neither, the fault comes right after
the first content event, or changes it. All times are in seconds. `limited` makes a fault occur in a share of the
requests, or in the first ones only.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from l0.model.option_names import refuses_unknown_options

_MAX_VALUE = 10_000_000
"""Upper limit for all numbers, in any unit: seconds, events, bytes."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\xa0-\xff]*")

Framing = Literal["lf", "cr", "crlf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One fault. `kind` is the name of its constructor in `Fault`. None means that a field does not apply.

    `rate` is the share of requests that get the fault, `times` the number of requests after which it no longer occurs.
    """

    kind: str
    value: str | None = None
    at_event: int | None = None
    at_byte: int | None = None
    seconds: float | None = None
    interval: float | None = None
    count: int | None = None
    code: str | None = None
    type: str | None = None
    message: str | None = None
    rate: float | None = None
    times: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        """Return the fault in the text grammar."""
        words = [self.kind.replace("_", "-"), *filter(None, (self.value,))]
        # Without `kind` and `value`, which come first, and `headers` and `body`, which are last.
        options = ((item.name, getattr(self, item.name)) for item in fields(self)[2:-2])
        pairs = (*((name, value) for name, value in options if value is not None), *self.headers)
        return " ".join([*words, *(f"{name}={shlex.quote(str(value))}" for name, value in pairs)])


def _fault(kind: str, **options: Any) -> "Fault":
    for name in ("at_event", "at_byte", "seconds", "interval", "count"):
        # NaN fails every comparison, so it is rejected as well.
        if (value := options.get(name)) is not None and not 0 <= value <= _MAX_VALUE:
            raise ValueError(f"{name}: {value!r} given, allowed is 0 or more, up to {_MAX_VALUE:,}")
    return Fault(parts=(Part(kind=kind, **options),))


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The faults of one request. `Fault()` has none. `a | b` combines two."""

    parts: tuple[Part, ...] = ()

    def __or__(self, other: "Fault") -> "Fault":
        return Fault(parts=self.parts + other.parts)

    def __str__(self) -> str:
        return " | ".join(map(str, self.parts)) or "ok"

    def __bool__(self) -> bool:
        return bool(self.parts)

    def find(self, *kinds: str) -> Part | None:
        """Return the first part of one of these kinds, else None."""
        return next((part for part in self.parts if part.kind in kinds), None)

    def limited(self, *, rate: float | None = None, times: int | None = None) -> "Fault":
        """Apply the fault to a share `rate` (0 to 1) of the requests, and to the first `times` of these at most.

        Which requests get it depends only on the seed of the simulator and the index of the request. `times` counts
        separately for each text in a request, for each `Simulator.on`, and for the script.
        """
        if rate is not None and not 0 <= rate <= 1:  # NaN fails every comparison, so it is rejected as well
            raise ValueError(f"rate: {rate!r} given, allowed is 0 to 1")
        if times is not None and not 0 <= times <= _MAX_VALUE:
            raise ValueError(f"times: {times!r} given, allowed is 0 or more, up to {_MAX_VALUE:,}")
        return Fault(parts=tuple(replace(part, rate=rate, times=times) for part in self.parts))

    # Instead of the answer

    @staticmethod
    def status(status: int, headers: Mapping[str, str] | None = None, body: Any = None) -> "Fault":
        """Send a status with extra headers and a body (text, bytes or JSON).

        Default body: the provider's error body.
        """
        if not 100 <= status <= 599:
            raise ValueError(f"status: {status!r} given, allowed is 100 to 599")
        raw = body if isinstance(body, bytes) or body is None else _text(body).encode()
        pairs = tuple((name.lower(), str(value)) for name, value in (headers or {}).items())
        for name, value in pairs:
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"headers: got {name!r}, allowed: a name and a line of latin-1")
        return _fault("status", value=str(status), headers=pairs, body=raw)

    @staticmethod
    def refuse(how: Literal["fin", "rst"] = "fin") -> "Fault":
        """End the connection before any header."""
        if how not in ("fin", "rst"):
            raise ValueError(f"how: got {how!r}, allowed: fin, rst")
        return _fault("refuse", value=how)

    @staticmethod
    def no_headers(seconds: float = 3600) -> "Fault":
        """Send nothing for a number of seconds, then end the connection without headers."""
        return _fault("no_headers", seconds=seconds)

    @staticmethod
    def empty() -> "Fault":
        """Send status 200 with an empty body."""
        return _fault("empty")

    @staticmethod
    def html() -> "Fault":
        """Send status 200 with an HTML page, as a proxy would."""
        return _fault("html")

    @staticmethod
    def json_error() -> "Fault":
        """Send status 200 with the provider's JSON error body."""
        return _fault("json_error")

    @staticmethod
    def whole_json() -> "Fault":
        """Answer a streaming request with the complete answer as one JSON body."""
        return _fault("whole_json")

    # The end of the body, and pauses in it

    @staticmethod
    def reset(at_event: int | None = None, at_byte: int | None = None) -> "Fault":
        """Reset the connection (RST) inside the body."""
        return _fault("reset", at_event=at_event, at_byte=at_byte)

    @staticmethod
    def cut(at_event: int | None = None, at_byte: int | None = None) -> "Fault":
        """Close the connection (FIN) without the last HTTP chunk: the client sees an incomplete read."""
        return _fault("cut", at_event=at_event, at_byte=at_byte)

    @staticmethod
    def clean_end(at_event: int | None = None, at_byte: int | None = None) -> "Fault":
        """End the body properly but early. `at_byte` may end it inside an event."""
        return _fault("clean_end", at_event=at_event, at_byte=at_byte)

    @staticmethod
    def close_delimited(at_event: int | None = None) -> "Fault":
        """Send a body without length or chunks, ended by FIN; at `at_event` if given."""
        return _fault("close_delimited", at_event=at_event)

    @staticmethod
    def stall(at_event: int | None = None, at_byte: int | None = None, seconds: float = 3600) -> "Fault":
        """Pause, then send the rest. The pause ends at once if the client leaves or the server stops."""
        return _fault("stall", at_event=at_event, at_byte=at_byte, seconds=seconds)

    @staticmethod
    def pings(at_event: int | None = None, count: int | None = None, interval: float = 0.05) -> "Fault":
        """Send only pings (comments if the dialect has none). `count` None: without end; otherwise the rest follows."""
        return _fault("pings", at_event=at_event, count=count, interval=interval)

    @staticmethod
    def slow_drip(interval: float = 0.05) -> "Fault":
        """Pause for `interval` seconds before every event."""
        return _fault("slow_drip", interval=interval)

    @staticmethod
    def bad_chunk_header(at_event: int | None = None) -> "Fault":
        """Send a chunk header that is not a hexadecimal number, then FIN."""
        return _fault("bad_chunk_header", at_event=at_event)

    @staticmethod
    def content_length_short(at_event: int | None = None) -> "Fault":
        """Send the `content-length` of the complete body, but end the connection (FIN) after a part of it."""
        return _fault("content_length_short", at_event=at_event)

    @staticmethod
    def corrupt_gzip(at_event: int | None = None) -> "Fault":
        """Send a gzip body that is garbage from `at_event` on."""
        return _fault("corrupt_gzip", at_event=at_event)

    # Errors inside the stream

    @staticmethod
    def in_band_error(
        at_event: int | None = None,
        code: str | None = None,
        message: str | None = None,
        type: str | None = None,  # noqa: A002 (the providers' own name for it)
    ) -> "Fault":
        """Send an error event in the dialect's format, then end properly; without a stream, an HTTP error with the
        status that providers send for `code` (500 if unknown)."""
        return _fault("in_band_error", at_event=at_event, code=code, message=message, type=type)

    @staticmethod
    def failed(at_event: int | None = None, code: str | None = None, message: str | None = None) -> "Fault":
        """Send `response.failed` (an in-band error in other dialects), then end properly."""
        return _fault("failed", at_event=at_event, code=code, message=message)

    # Wrong events

    @staticmethod
    def malformed(at_event: int | None = None) -> "Fault":
        """Cut off the JSON of event `at_event` in the middle."""
        return _fault("malformed", at_event=at_event)

    @staticmethod
    def invalid_utf8(at_event: int | None = None) -> "Fault":
        """Put bytes that are not UTF-8 into event `at_event`."""
        return _fault("invalid_utf8", at_event=at_event)

    @staticmethod
    def duplicate(at_event: int | None = None) -> "Fault":
        """Send event `at_event` twice."""
        return _fault("duplicate", at_event=at_event)

    @staticmethod
    def reorder(at_event: int | None = None) -> "Fault":
        """Swap event `at_event` and the next one."""
        return _fault("reorder", at_event=at_event)

    @staticmethod
    def drop(at_event: int | None = None) -> "Fault":
        """Omit event `at_event`."""
        return _fault("drop", at_event=at_event)

    @staticmethod
    def null_data(at_event: int | None = None) -> "Fault":
        """Insert an extra event `data: null` before event `at_event`."""
        return _fault("null_data", at_event=at_event)

    @staticmethod
    def no_event_names() -> "Fault":
        """Omit all `event:` lines."""
        return _fault("no_event_names")

    @staticmethod
    def no_terminal() -> "Fault":
        """Send all content, but neither finish reason, usage nor terminal event."""
        return _fault("no_terminal")

    @staticmethod
    def no_finish_reason() -> "Fault":
        """Send null as the finish or stop reason; the terminal event follows."""
        return _fault("no_finish_reason")

    @staticmethod
    def done_only() -> "Fault":
        """Send only the terminal event."""
        return _fault("done_only")

    @staticmethod
    def after_end() -> "Fault":
        """Send one more content event after the terminal event."""
        return _fault("after_end")

    @staticmethod
    def lifecycle_frames(count: int) -> "Fault":
        """Send `count` extra events without content before the first content."""
        return _fault("lifecycle_frames", count=count)

    # Answers to a request for the rest of an answer

    @staticmethod
    def repeats_overlap(count: int) -> "Fault":
        """Repeat the last `count` characters before continuing an answer."""
        return _fault("repeats_overlap", count=count)

    @staticmethod
    def starts_over() -> "Fault":
        """Begin from the start instead of continuing an answer."""
        return _fault("starts_over")

    # Unusual but valid wire formats

    @staticmethod
    def framing(style: Framing) -> "Fault":
        """End lines with LF, CR or CRLF."""
        if style not in ("lf", "cr", "crlf"):
            raise ValueError(f"style: got {style!r}, allowed: lf, cr, crlf")
        return _fault("framing", value=style)

    @staticmethod
    def bom() -> "Fault":
        """Begin the body with a UTF-8 byte order mark."""
        return _fault("bom")

    @staticmethod
    def comments(every: int = 1) -> "Fault":
        """Send a comment block before every `every` events."""
        return _fault("comments", value=str(min(max(1, every), _MAX_VALUE)))

    @staticmethod
    def id_retry_lines() -> "Fault":
        """Send a block that has only `id:` and `retry:` lines before every event."""
        return _fault("id_retry_lines")

    @staticmethod
    def split_utf8() -> "Fault":
        """End HTTP chunks inside multi-byte characters."""
        return _fault("split_utf8")

    @staticmethod
    def bytewise() -> "Fault":
        """Send every byte as an HTTP chunk."""
        return _fault("bytewise")

    @staticmethod
    def one_write() -> "Fault":
        """Send the complete body as one HTTP chunk."""
        return _fault("one_write")


HEALTHY = Fault()


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)

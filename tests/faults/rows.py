"""The failure catalogue, by results: one row for each fault that a server can have, and the result for the user."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from l0.simulator.faults import Fault


class End(Enum):
    """The result of a fault for the user."""

    HEALED = "the whole answer, from a second request"
    BROKEN = "an interruption of the SDK's class, after a proper part of the answer"
    SDK = "the exception of the bare SDK, after what the bare SDK hands over"
    EVENT = "the chunks of the bare SDK, typed error event included, and then an interruption"
    PROVEN = "the chunks of the bare SDK up to the final text that differs, and an interruption there"
    WHOLE = "the whole answer, from one request"
    SAME = "the chunks of the bare SDK: odd but legitimate"
    UNSEEN = "the chunks of the bare SDK: wrong, and no client can see it"


HEALED, BROKEN, SDK, EVENT, PROVEN, WHOLE, SAME, UNSEEN = End

BEFORE: Mapping[str, int] = {
    "chat": 1,
    "completions": 0,
    "responses": 3,
    "messages": 1,
    "generate_content": 0,
    "converse": 1,
    "bedrock_messages": 1,
}
"""Events of the shipped greeting after which no content is out yet."""
AFTER = 8
"""Events after which there is, in every dialect."""
FINISH: Mapping[str, int] = {
    "chat": 17,
    "completions": 16,
    "responses": 23,
    "messages": 20,
    "generate_content": 16,
    "converse": 18,
    "bedrock_messages": 19,
}
"""The event that says why the answer ended."""

Make = Callable[[str], Fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault.

    ``number``: the row of the failure catalogue. ``make``: a function that returns the fault for a dialect.
    ``end``: what must come of it; ``others``: dialects in which something else must. ``anomaly``: what the span must
    be marked with; ``reason``: of an interruption; ``requests``: what the server must see, if ``end`` leaves it open.
    ``times``: how many requests meet the fault. ``request``: parameters that matter. ``edit``: changes the body.
    """

    number: int
    name: str
    make: Make
    end: End
    others: Mapping[str, End] = field(default_factory=dict)
    anomaly: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    requests: int | None = None
    times: int = 1
    request: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[bytes], bytes] | None = None
    only: tuple[str, ...] = ("chat", "completions", "responses", "messages")

    def __str__(self) -> str:
        return f"{self.number}-{self.name}"


OPENAI = ("chat", "completions", "responses")
PLAIN = ("chat", "completions")


def _always(fault: Fault) -> Make:
    return lambda _: fault


def _status(number: int, code: int, end: End, headers: dict[str, str] | None = None, **more: Any) -> Row:
    name = more.pop("name", f"status {code}")
    return Row(
        number=number, name=name, make=_always(Fault.status(code, headers, more.pop("body", None))), end=end, **more
    )


def _error(code: str, kind: str = "error") -> dict[str, Any]:
    return {"type": "error", "error": {"message": "no", "type": kind, "code": code, "param": None}}


SOON = {"retry-after-ms": "10"}

STATUSES = (
    _status(1, 429, HEALED, SOON, name="429 with Retry-After"),
    _status(2, 429, HEALED, {"x-ratelimit-reset-requests": "12ms"}, name="429 with reset headers only"),
    _status(3, 429, SDK, {"retry-after": "3600"}, name="429 with a Retry-After of an hour"),
    _status(4, 429, SDK, body=_error("insufficient_quota", "insufficient_quota"), name="429 quota", only=OPENAI),
    _status(4, 400, SDK, body=_error("", "billing_error"), name="400 billing", only=("messages",)),
    _status(4, 402, SDK),
    _status(5, 503, HEALED, body=_error("slow_down"), name="503 slow_down"),
    _status(6, 401, SDK),
    _status(6, 403, SDK),
    _status(7, 404, SDK),
    _status(8, 400, SDK, body=_error("context_length_exceeded", "invalid_request_error"), name="400 context length"),
    _status(9, 413, SDK),
    _status(9, 422, SDK),
    _status(10, 408, HEALED),
    _status(10, 409, HEALED),
    _status(11, 500, HEALED),
    _status(11, 500, HEALED, times=2, requests=3, name="status 500 twice"),
    _status(11, 500, SDK, times=3, requests=3, name="status 500, every request"),
    _status(11, 500, SDK, {"x-should-retry": "false"}, name="500 with x-should-retry: false"),
    _status(11, 400, HEALED, {"x-should-retry": "true"}, name="400 with x-should-retry: true"),
    _status(12, 502, HEALED, body="<html>Bad Gateway</html>", name="502 HTML"),
    _status(12, 520, HEALED, body="<html></html>", name="520 HTML"),
    _status(13, 503, HEALED),
    _status(13, 504, HEALED),
    _status(14, 529, HEALED),
    _status(15, 501, HEALED),
)

NO_STREAM = (
    Row(number=16, name="200 HTML", make=_always(Fault.html()), end=HEALED),
    Row(number=16, name="200 HTML, every request", make=_always(Fault.html()), end=BROKEN, times=3, requests=3),
    Row(number=16, name="200 JSON error", make=_always(Fault.json_error()), end=HEALED),
    Row(
        number=16,
        name="200 with a non-streamed JSON body instead of a stream",
        make=_always(Fault.whole_json()),
        end=HEALED,
    ),
    Row(number=17, name="FIN before headers", make=_always(Fault.refuse("fin")), end=HEALED),
    Row(number=17, name="RST before headers", make=_always(Fault.refuse("rst")), end=HEALED),
    Row(
        number=17,
        name="RST before headers, every request",
        make=_always(Fault.refuse("rst")),
        end=SDK,
        times=3,
        requests=3,
    ),
    Row(number=52, name="empty body", make=_always(Fault.empty()), end=HEALED),
    Row(number=52, name="empty body, every request", make=_always(Fault.empty()), end=BROKEN, times=3, requests=3),
    Row(
        number=53,
        name="terminal only",
        make=_always(Fault.done_only()),
        end=HEALED,
        others={"responses": SAME},  # the terminal event holds the text
        anomaly={"responses": "text_without_deltas"},
    ),
)


def _rst(at: int) -> Fault:
    """Rest for a moment before a reset, so that the data sent before it arrives."""
    return Fault.stall(at_event=at, seconds=0.03) | Fault.reset(at_event=at)


_BREAKS: tuple[tuple[int, str, Callable[[int], Fault]], ...] = (
    (24, "RST", _rst),
    (25, "incomplete chunked read", lambda at: Fault.cut(at_event=at)),
    (25, "content-length short", lambda at: Fault.content_length_short(at_event=at)),
    (27, "bad chunk header", lambda at: Fault.bad_chunk_header(at_event=at)),
    (27, "corrupt gzip", lambda at: Fault.corrupt_gzip(at_event=at)),
    (28, "clean close", lambda at: Fault.clean_end(at_event=at)),
    (28, "close of a body without length", lambda at: Fault.close_delimited(at_event=at)),
)


def _before(make: Callable[[int], Fault]) -> Make:
    return lambda dialect: make(BEFORE[dialect])


def _after(make: Callable[[int], Fault]) -> Make:
    return lambda _: make(AFTER)


def _finish(make: Callable[[int], Fault]) -> Make:
    return lambda dialect: make(FINISH[dialect])


BREAKS = (
    *(Row(number=n, name=f"{name}, before content", make=_before(make), end=HEALED) for n, name, make in _BREAKS),
    *(Row(number=n, name=f"{name}, after content", make=_after(make), end=BROKEN) for n, name, make in _BREAKS),
    *(
        Row(number=n, name=f"{name}, every request", make=_before(make), end=BROKEN, times=3, requests=3)
        for n, name, make in _BREAKS
    ),
    Row(number=29, name="no terminal event", make=_always(Fault.no_terminal()), end=BROKEN, reason="truncated"),
    Row(
        number=30,
        name="cut inside the finish event",
        make=_finish(lambda at: Fault.malformed(at_event=at) | Fault.clean_end(at_event=at)),
        end=BROKEN,
    ),
    Row(
        number=30,
        name="clean close before the finish event",
        make=_finish(lambda at: Fault.clean_end(at_event=at)),
        end=BROKEN,
        reason="truncated",
    ),
    Row(
        number=32,
        name="clean close after the finish event",
        make=_finish(lambda at: Fault.clean_end(at_event=at + 1)),
        end=SAME,
    ),
    Row(
        number=32,
        name="incomplete chunked read after the finish event",
        make=_finish(lambda at: Fault.cut(at_event=at + 1)),
        end=SAME,
    ),
    Row(
        number=28,
        name="clean close of a stored response, before `response.created`",
        make=_always(Fault.clean_end(at_event=0)),
        end=HEALED,
        request={"store": True},
        only=("responses",),
    ),
    Row(
        number=28,
        name="clean close of a stored response, after `response.created`",
        make=_always(Fault.clean_end(at_event=2)),
        end=HEALED,
        request={"store": True},
        only=("responses",),
    ),
    Row(
        number=28,
        name="clean close of a response in a conversation, after `response.created`",
        make=_always(Fault.clean_end(at_event=2)),
        end=BROKEN,
        request={"conversation": "conv_1"},
        only=("responses",),
    ),
    Row(
        number=28,
        name="clean close of a stored completion (`store=true`)",
        make=_always(Fault.clean_end(at_event=0)),
        end=HEALED,
        request={"store": True},
        only=("chat",),
    ),
    Row(
        number=11,
        name="503 for a stored answer (`store=true`)",
        make=_always(Fault.status(503)),
        end=HEALED,
        request={"store": True},
        only=("chat", "responses"),
    ),
)

IN_BAND = (
    Row(
        number=38,
        name="in-band error, before content",
        make=_before(lambda at: Fault.in_band_error(at_event=at)),
        end=HEALED,
    ),
    Row(
        number=38,
        name="in-band error, after content",
        make=_after(lambda at: Fault.in_band_error(at_event=at)),
        end=SDK,
        others={"responses": EVENT},
    ),
    Row(
        number=38,
        name="in-band quota, before content",
        make=_before(lambda at: Fault.in_band_error(at_event=at, code="insufficient_quota", type="billing_error")),
        end=SDK,
        others={"responses": EVENT},
    ),
    Row(
        number=38,
        name="in-band error, every request",
        make=_before(lambda at: Fault.in_band_error(at_event=at)),
        end=SDK,
        others={"responses": EVENT},
        times=3,
        requests=3,
    ),
    Row(
        number=39,
        name="response.failed, before content",
        make=_before(lambda at: Fault.failed(at_event=at, code="server_error")),
        end=HEALED,
        only=("responses",),
    ),
    Row(
        number=39,
        name="response.failed, after content",
        make=_after(lambda at: Fault.failed(at_event=at, code="server_error")),
        end=EVENT,
        only=("responses",),
    ),
    Row(
        number=39,
        name="response.failed for a bad prompt",
        make=_before(lambda at: Fault.failed(at_event=at, code="invalid_prompt")),
        end=EVENT,
        only=("responses",),
    ),
    Row(
        number=42,
        name="finish_reason error",
        make=_always(Fault()),
        end=EVENT,
        edit=lambda body: body.replace(b'"finish_reason":"stop"', b'"finish_reason":"error"'),
        only=PLAIN,
    ),
    Row(
        number=43,
        name="malformed JSON, before content",
        make=_before(lambda at: Fault.malformed(at_event=at)),
        end=HEALED,
    ),
    Row(number=43, name="malformed JSON, after content", make=_after(lambda at: Fault.malformed(at_event=at)), end=SDK),
    Row(
        number=44,
        name="invalid UTF-8, before content",
        make=_before(lambda at: Fault.invalid_utf8(at_event=at)),
        end=HEALED,
    ),
    Row(
        number=44, name="invalid UTF-8, after content", make=_after(lambda at: Fault.invalid_utf8(at_event=at)), end=SDK
    ),
)

ORDER = (
    Row(
        number=49,
        name="duplicated delta",
        make=_after(lambda at: Fault.duplicate(at_event=at)),
        end=UNSEEN,
        others={"responses": WHOLE},
        anomaly={"responses": "duplicate_event"},
    ),
    Row(
        number=50,
        name="reordered deltas",
        make=_after(lambda at: Fault.reorder(at_event=at)),
        end=UNSEEN,
        others={"responses": PROVEN},
    ),
    Row(
        number=50,
        name="missing delta",
        make=_after(lambda at: Fault.drop(at_event=at)),
        end=UNSEEN,
        others={"responses": PROVEN},
    ),
    Row(
        number=49,
        name="doubled start",
        make=_always(Fault.duplicate(at_event=0)),
        end=SAME,
        anomaly={"messages": "repeated_start"},
        only=("messages",),
    ),
    Row(
        number=50,
        name="missing message_start",
        make=_always(Fault.drop(at_event=0)),
        end=SAME,
        anomaly={"messages": "out_of_order"},
        only=("messages",),
    ),
    Row(
        number=50,
        name="missing block start",
        make=_always(Fault.drop(at_event=1)),
        end=SAME,
        anomaly={"messages": "out_of_order"},
        only=("messages",),
    ),
    Row(
        number=49,
        name="doubled block stop",
        make=_always(Fault.duplicate(at_event=19)),
        end=SAME,
        anomaly={"messages": "out_of_order"},
        only=("messages",),
    ),
    Row(
        number=50,
        name="missing block stop",
        make=_always(Fault.drop(at_event=19)),
        end=SAME,
        anomaly={"messages": "open_block"},
        only=("messages",),
    ),
    Row(
        number=50, name="missing response.created", make=_always(Fault.drop(at_event=0)), end=SAME, only=("responses",)
    ),
)

ODD = (
    Row(
        number=31,
        name="terminal without a reason",
        make=_always(Fault.no_finish_reason()),
        end=SAME,
        anomaly={
            "chat": "done_without_finish_reason",
            "completions": "done_without_finish_reason",
            "messages": "stop_without_reason",
        },
    ),
    Row(
        number=33,
        name="no usage",
        make=_always(Fault()),
        end=SAME,
        edit=lambda body: b"\n\n".join(e for e in body.split(b"\n\n") if b'"usage":{' not in e or b"finish" in e),
        only=PLAIN,
    ),
    Row(
        number=41,
        name="no event names",
        make=_always(Fault.no_event_names()),
        end=WHOLE,
        anomaly={"messages": "unnamed_event"},
    ),
    Row(number=45, name="id and retry alone", make=_always(Fault.id_retry_lines()), end=WHOLE),
    Row(number=46, name="byte order mark", make=_always(Fault.bom()), end=WHOLE),
    Row(number=47, name="CRLF", make=_always(Fault.framing("crlf")), end=WHOLE),
    Row(number=47, name="CR", make=_always(Fault.framing("cr")), end=WHOLE),
    Row(number=47, name="byte-wise", make=_always(Fault.bytewise()), end=WHOLE),
    Row(number=47, name="one write", make=_always(Fault.one_write()), end=WHOLE),
    Row(number=47, name="split characters", make=_always(Fault.split_utf8()), end=WHOLE),
    Row(number=35, name="comments", make=_always(Fault.comments()), end=WHOLE),
    Row(
        number=35,
        name="some pings",
        make=_before(lambda at: Fault.pings(at_event=at, count=3, interval=0.001)),
        end=WHOLE,
    ),
    Row(number=48, name="data: null", make=_after(lambda at: Fault.null_data(at_event=at)), end=WHOLE),
    Row(number=51, name="data after the end", make=_always(Fault.after_end()), end=WHOLE),
    Row(number=54, name="many lifecycle frames", make=_always(Fault.lifecycle_frames(70)), end=SAME),
    Row(
        number=55,
        name="stopped by length",
        make=_always(Fault()),
        end=SAME,
        edit=lambda body: body.replace(b'"finish_reason":"stop"', b'"finish_reason":"length"').replace(
            b'"stop_reason":"end_turn"', b'"stop_reason":"max_tokens"'
        ),
    ),
)

ROWS = (*STATUSES, *NO_STREAM, *BREAKS, *IN_BAND, *ORDER, *ODD)
CELLS = tuple((row, dialect) for row in ROWS for dialect in row.only)

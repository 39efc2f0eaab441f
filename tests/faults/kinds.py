"""The failure catalogue, by causes: for each row the cause and category of the failure, and if it is retried.

`rows` has the results for the user. Failures below the reply (18 to 21, 26, and the refused connections of 17) are in
`test_unreachable`; row 33 is in `rows` only; 59 and 60 are about rules on the text; 61 is in `test_classification`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from faults_kit import DIALECTS, body_of
from rows import AFTER, BEFORE, FINISH, SOON

import l0
from l0.model.failure import Category, Cause
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody

N, T, M, P, F = Category.NETWORK, Category.TRANSIENT, Category.MODEL, Category.PROVIDER, Category.FATAL
OPENAI, RESPONSES, MESSAGES = ("chat",), ("responses",), ("messages",)
BOTH = OPENAI + MESSAGES
CONNECTION, TIMED_OUT = "APIConnectionError", "APITimeoutError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One failure, which every attempt of a call meets.

    ``number``: the row of the catalogue. ``cause``: ``None`` if nothing fails. ``raised``: the name of the exception
    class that the user gets, the SDK's or a builtin; ``None`` for no exception. ``attempts``: the number of requests
    under a policy with one retry. ``has_retry_after``: the server states how long to wait. ``status``: the status code
    of the exception. ``sdk_timeout_s``: the SDK's own timeout, in seconds. ``anomaly``: the anomaly that the span
    reports, if the answer is accepted.
    """

    number: int
    name: str
    dialect: str
    reply: Reply
    cause: Cause | None = None
    category: Category | None = None
    raised: str | None = None
    attempts: int = 1
    has_retry_after: bool = False
    status: int | None = None
    sdk_timeout_s: float = 10
    policy: Mapping[str, Any] = field(default_factory=dict)
    anomaly: str | None = None

    def __str__(self) -> str:
        return f"{self.number}-{self.dialect}-{self.name}"


Make = Callable[[str], Fault]


def kinds(
    number: int, name: str, on: tuple[str, ...], make: Make | Fault | Reply, *said: Any, **more: Any
) -> Iterator[Kind]:
    """The same in several dialects. ``said``: cause, category, what is raised, attempts."""
    fields = dict(zip(("cause", "category", "raised", "attempts"), said, strict=False)) | more
    for dialect in filter(DIALECTS.__contains__, on):
        fault = make if isinstance(make, Fault | Reply) else make(dialect)
        reply = fault if isinstance(fault, Reply) else _played(dialect, fault)
        yield Kind(number=number, name=name, dialect=dialect, reply=reply, **fields)


def _played(dialect: str, fault: Fault) -> Reply:
    """Events that a fault adds, or an answer in one piece, are made by the server itself."""
    if fault.find("failed", "in_band_error", "whole_json", "after_end"):
        return Reply(fault=fault)
    return Reply(body=RecordedBody(content=body_of(dialect).content), fault=fault)


def answered(status: int, headers: dict[str, str] | None = None, **error: str) -> Fault:
    """An error response; ``error``: what matters of its body."""
    body = {"type": "error", "error": {"message": "no", "type": "error"} | error} if error else None
    return Fault.status(status, headers, body)


def edited(dialect: str, old: bytes, new: bytes) -> Reply:
    """The greeting with other bytes in it."""
    content = body_of(dialect).content
    assert old in content
    return Reply(body=RecordedBody(content=content.replace(old, new)))


def ending(dialect: str, block: bytes, *, at: int) -> Reply:
    """The greeting, which ends with ``block`` after so many events."""
    events = body_of(dialect).content.split(b"\n\n")
    return Reply(body=RecordedBody(content=b"\n\n".join([*events[:at], block, b""])))


def before(make: Callable[[int], Fault]) -> Make:
    """Before the first content."""
    return lambda dialect: make(BEFORE[dialect])


def after(make: Callable[[int], Fault]) -> Make:
    """After some content."""
    return lambda _: make(AFTER)


def _resting(at: int) -> Fault:
    """Rest before a reset: data sent just before it may be lost with it."""
    return Fault.stall(at_event=at, seconds=0.03) | Fault.reset(at_event=at)


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=1)).isoformat()


HTML = "<html>Bad Gateway</html>"
RESET_OPENAI = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12ms"}
RESET_ANTHROPIC = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": _soon()}
LIMITED, SERVER, BUSY = (Cause.RATE_LIMIT, T), (Cause.SERVER_ERROR, T), (Cause.UNAVAILABLE, T)
STATUSES = (
    *kinds(1, "429 with Retry-After", BOTH, answered(429, SOON), *LIMITED, "RateLimitError", 2, has_retry_after=True),
    *kinds(
        2,
        "429 with resets only",
        OPENAI,
        answered(429, RESET_OPENAI),
        *LIMITED,
        "RateLimitError",
        2,
        has_retry_after=True,
    ),
    *kinds(
        2,
        "429 with resets only",
        MESSAGES,
        answered(429, RESET_ANTHROPIC),
        *LIMITED,
        "RateLimitError",
        2,
        has_retry_after=True,
    ),
    *kinds(
        3,
        "429, an hour",
        BOTH,
        answered(429, {"retry-after": "3600"}),
        *LIMITED,
        "RateLimitError",
        has_retry_after=True,
    ),
    *kinds(4, "429 quota", OPENAI, answered(429, code="insufficient_quota"), Cause.QUOTA, F, "RateLimitError"),
    *kinds(4, "429 credit", OPENAI, answered(429, code="credit_balance_exhausted"), Cause.QUOTA, F, "RateLimitError"),
    *kinds(4, "400 billing", MESSAGES, answered(400, type="billing_error"), Cause.QUOTA, F, "BadRequestError"),
    *kinds(4, "402", BOTH, answered(402), Cause.QUOTA, F, "APIStatusError", status=402),
    *kinds(5, "429 slow_down", OPENAI, answered(429, code="slow_down"), *LIMITED, "RateLimitError", 2),
    *kinds(5, "503 slow_down", OPENAI, answered(503, code="slow_down"), *LIMITED, "InternalServerError", 2),
    *kinds(6, "401", BOTH, answered(401), Cause.AUTHENTICATION, F, "AuthenticationError"),
    *kinds(6, "403", BOTH, answered(403), Cause.AUTHENTICATION, F, "PermissionDeniedError"),
    *kinds(7, "404", BOTH, answered(404), Cause.NOT_FOUND, F, "NotFoundError"),
    *kinds(
        8,
        "400 too long",
        OPENAI,
        answered(400, code="context_length_exceeded"),
        Cause.CONTEXT_LENGTH,
        F,
        "BadRequestError",
    ),
    # Anthropic has no code for it, and texts are not looked at.
    *kinds(
        8,
        "400 too long",
        MESSAGES,
        answered(400, type="invalid_request_error"),
        Cause.BAD_REQUEST,
        F,
        "BadRequestError",
    ),
    *kinds(9, "413", BOTH, answered(413), Cause.BAD_REQUEST, F, "APIStatusError", status=413),
    *kinds(9, "422", BOTH, answered(422), Cause.BAD_REQUEST, F, "UnprocessableEntityError", status=422),
    *kinds(10, "408", BOTH, answered(408), Cause.REQUEST_TIMEOUT, T, "APIStatusError", 2, status=408),
    *kinds(10, "409", BOTH, answered(409), Cause.CONFLICT, T, "ConflictError", 2),
    *kinds(11, "500", BOTH, answered(500), *SERVER, "InternalServerError", 2),
    *kinds(12, "502 HTML", BOTH, Fault.status(502, None, HTML), *SERVER, "InternalServerError", 2),
    *kinds(12, "520 HTML", BOTH, Fault.status(520, None, HTML), *SERVER, "InternalServerError", 2),
    *kinds(12, "524 HTML", BOTH, Fault.status(524, None, HTML), *SERVER, "InternalServerError", 2),
    *kinds(13, "503", BOTH, answered(503), *BUSY, "APIStatusError", 2, status=503),
    *kinds(13, "504", OPENAI, answered(504), *BUSY, "APIStatusError", 2, status=504),
    *kinds(13, "504", MESSAGES, answered(504), Cause.REQUEST_TIMEOUT, T, "APIStatusError", 2, status=504),
    *kinds(14, "529", BOTH, answered(529), Cause.OVERLOADED, T, "APIStatusError", 2, status=529),
    *kinds(15, "501", BOTH, answered(501), Cause.NOT_IMPLEMENTED, F, "InternalServerError"),
)

NO_STREAM = (Cause.NOT_A_STREAM, P)
# Long where a connection, headers or content must come in time first: a slow machine needs more than 150 ms for them.
SHORT = 2.0
# Frames are held for longer than the limit: a frame that is released after 2 s would forbid the retry.
IN_TIME = {"timeout": l0.Timeout(initial_token=2_000, inter_token=150), "hold": l0.Hold(seconds=60)}
SILENCE = (
    *kinds(16, "200 HTML", BOTH, Fault.html(), *NO_STREAM, CONNECTION, 2),
    *kinds(16, "200 JSON error", BOTH, Fault.json_error(), *NO_STREAM, CONNECTION, 2),
    *kinds(16, "200 with a non-streamed JSON body", BOTH, Fault.whole_json(), *NO_STREAM, CONNECTION, 2),
    *kinds(17, "FIN before headers", BOTH, Fault.refuse("fin"), Cause.CONNECTION, N, CONNECTION, 2),
    *kinds(17, "RST before headers", BOTH, Fault.refuse("rst"), Cause.CONNECTION, N, CONNECTION, 2),
    *kinds(22, "no headers", BOTH, Fault.no_headers(), Cause.NO_HEADERS, N, TIMED_OUT, 2, sdk_timeout_s=SHORT),
    *kinds(
        23, "no first byte", BOTH, Fault.stall(at_event=0), Cause.READ_TIMEOUT, N, TIMED_OUT, 2, sdk_timeout_s=SHORT
    ),
    *kinds(
        34,
        "silence",
        BOTH,
        after(lambda at: Fault.stall(at_event=at)),
        Cause.READ_TIMEOUT,
        N,
        TIMED_OUT,
        sdk_timeout_s=SHORT,
    ),
    *kinds(
        34,
        "silence, clocks",
        BOTH,
        after(lambda at: Fault.stall(at_event=at)),
        Cause.STALLED,
        T,
        TIMED_OUT,
        policy=IN_TIME,
    ),
    *kinds(
        35,
        "pings only",
        BOTH,
        before(lambda at: Fault.pings(at_event=at, interval=0.02)),
        *(Cause.FIRST_CONTENT_TIMEOUT, T, TIMED_OUT, 2),
        policy=IN_TIME,
    ),
    *kinds(36, "slow drip", BOTH, Fault.slow_drip(interval=0.002)),
    *kinds(37, "all at once", BOTH, Fault.one_write()),
)

CUT = (Cause.INCOMPLETE_READ, N, CONNECTION)
BREAKS = (
    *kinds(24, "RST", BOTH, after(_resting), Cause.RESET, N, CONNECTION),
    *kinds(24, "RST before content", MESSAGES, before(_resting), Cause.RESET, N, CONNECTION, 2),
    *kinds(25, "incomplete read", BOTH, after(lambda at: Fault.cut(at_event=at)), *CUT),
    *kinds(25, "incomplete read before content", BOTH, before(lambda at: Fault.cut(at_event=at)), *CUT, 2),
    *kinds(25, "content-length short", BOTH, after(lambda at: Fault.content_length_short(at_event=at)), *CUT),
    *kinds(27, "corrupt gzip", BOTH, after(lambda at: Fault.corrupt_gzip(at_event=at)), Cause.CORRUPT, P, CONNECTION),
    # To the transport this is a breach of the protocol, as an early end is.
    *kinds(27, "bad chunk header", BOTH, after(lambda at: Fault.bad_chunk_header(at_event=at)), *CUT),
    *kinds(28, "clean close", BOTH, after(lambda at: Fault.clean_end(at_event=at)), Cause.TRUNCATED, N, CONNECTION),
    *kinds(29, "no response.completed", RESPONSES, Fault.no_terminal(), Cause.TRUNCATED, N, CONNECTION),
    *kinds(
        30,
        "cut inside the last event",
        BOTH,
        lambda dialect: Fault.malformed(at_event=FINISH[dialect]) | Fault.clean_end(at_event=FINISH[dialect]),
        *(Cause.TRUNCATED, N, CONNECTION),
    ),
    *kinds(31, "terminal without a reason", OPENAI, Fault.no_finish_reason(), anomaly="done_without_finish_reason"),
    *kinds(31, "terminal without a reason", MESSAGES, Fault.no_finish_reason(), anomaly="stop_without_reason"),
    *kinds(32, "reason without [DONE]", OPENAI, Fault.clean_end(at_event=FINISH["chat"] + 1)),
    *kinds(32, "reason without message_stop", MESSAGES, Fault.clean_end(at_event=FINISH["messages"] + 1)),
)

ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
NAMELESS = ERROR.partition(b"\n")[2]
PLAIN = b"event: error\ndata: upstream went away"


def _error(**error: str) -> Make:
    return lambda dialect: Fault.in_band_error(at_event=BEFORE[dialect], **error)


def _failed(code: str) -> Make:
    return lambda dialect: Fault.failed(at_event=BEFORE[dialect], code=code)


IN_BAND = (
    *kinds(
        38,
        "overloaded",
        MESSAGES,
        ending("messages", ERROR, at=1),
        Cause.OVERLOADED,
        T,
        "APIStatusError",
        2,
        status=200,
    ),
    *kinds(38, "server error", OPENAI, _error(code="server_error"), *SERVER, "APIError", 2),
    *kinds(38, "of no code", OPENAI, _error(code="", type="what"), Cause.IN_BAND_ERROR, T, "APIError", 2),
    *kinds(38, "quota", OPENAI, _error(code="insufficient_quota"), Cause.QUOTA, F, "APIError"),
    *kinds(38, "billing", MESSAGES, _error(type="billing_error"), Cause.QUOTA, F, "APIStatusError", status=200),
    *kinds(39, "response.failed", RESPONSES, _failed("server_error"), *SERVER, "APIError", 2),
    *kinds(39, "response.failed, prompt", RESPONSES, _failed("invalid_prompt"), Cause.BAD_REQUEST, F, "APIError"),
    *kinds(39, "error", RESPONSES, _error(code="rate_limit_exceeded"), *LIMITED, "APIError", 2),
    *kinds(40, "plain text", OPENAI, ending("chat", PLAIN, at=1), Cause.MALFORMED, P, "ValueError", 2),
    *kinds(
        40,
        "plain text",
        MESSAGES,
        ending("messages", PLAIN, at=1),
        Cause.IN_BAND_ERROR,
        T,
        "APIStatusError",
        2,
        status=200,
    ),
    *kinds(
        41, "without a name", MESSAGES, ending("messages", NAMELESS, at=1), Cause.OVERLOADED, T, "APIStatusError", 2
    ),
    *kinds(41, "without a name", OPENAI, ending("chat", NAMELESS, at=1), Cause.OVERLOADED, T, "APIError", 2),
    *kinds(41, "no event has a name", MESSAGES, Fault.no_event_names(), anomaly="unnamed_event"),
    *kinds(
        42,
        "finish_reason error",
        OPENAI,
        edited("chat", b'"finish_reason":"stop"', b'"finish_reason":"error"'),
        *(Cause.IN_BAND_ERROR, T, "APIError"),
    ),
    *kinds(
        43, "malformed JSON", BOTH, before(lambda at: Fault.malformed(at_event=at)), Cause.MALFORMED, P, "ValueError", 2
    ),
    *kinds(
        44,
        "invalid UTF-8",
        BOTH,
        before(lambda at: Fault.invalid_utf8(at_event=at)),
        Cause.MALFORMED,
        P,
        "ValueError",
        2,
    ),
)

DISORDER = (Cause.OUT_OF_ORDER, P, CONNECTION)
WIRE = (
    *kinds(45, "id and retry alone", BOTH, Fault.id_retry_lines()),
    *kinds(46, "byte order mark", BOTH, Fault.bom()),
    *kinds(47, "CRLF", BOTH, Fault.framing("crlf")),
    *kinds(47, "CR", BOTH, Fault.framing("cr")),
    *kinds(47, "byte-wise", BOTH, Fault.bytewise()),
    *kinds(48, "data: null", BOTH, after(lambda at: Fault.null_data(at_event=at))),
    *kinds(49, "duplicate", RESPONSES, after(lambda at: Fault.duplicate(at_event=at)), anomaly="duplicate_event"),
    *kinds(49, "duplicated start", MESSAGES, Fault.duplicate(at_event=0), anomaly="repeated_start"),
    *kinds(50, "reorder", RESPONSES, after(lambda at: Fault.reorder(at_event=at)), *DISORDER),
    *kinds(50, "gap", RESPONSES, after(lambda at: Fault.drop(at_event=at)), *DISORDER),
    *kinds(50, "missing start", MESSAGES, Fault.drop(at_event=0), anomaly="out_of_order"),
    *kinds(51, "data after the end", BOTH, Fault.after_end()),
)

EMPTY = (Cause.EMPTY, M, CONNECTION, 2)
MODEL = (
    *kinds(52, "zero tokens", BOTH, Fault.empty(), *EMPTY),
    *kinds(53, "terminal only", BOTH, Fault.done_only(), *EMPTY),
    *kinds(53, "empty text and a stop", BOTH, Reply(answer=Answer(text="")), anomaly="no_content"),
    *kinds(54, "empty choices", OPENAI, Fault.lifecycle_frames(3)),
    *kinds(55, "stopped by length", BOTH, Reply(answer=Answer(text="half an", stop="length"))),
    *kinds(56, "content filter", OPENAI, Reply(answer=Answer(text="half an", stop="content_filter"))),
    *kinds(56, "refusal", BOTH, Reply(answer=Answer(refusal="I will not."))),
    *kinds(57, "pause_turn", MESSAGES, edited("messages", b'"end_turn"', b'"pause_turn"')),
    *kinds(57, "window exceeded", MESSAGES, edited("messages", b'"end_turn"', b'"model_context_window_exceeded"')),
    *kinds(
        58,
        "truncated tool arguments",
        BOTH,
        Reply(
            answer=Answer(
                tool_calls=(SimulatedToolCall(name="write", arguments='{"path": "a/b/c", "content": "one two"}'),)
            ),
            fault=Fault.clean_end(at_event=6),
        ),
        *(Cause.TRUNCATED, N, CONNECTION),
        policy={"resume": "splice"},
    ),
)

KINDS = (*STATUSES, *SILENCE, *BREAKS, *IN_BAND, *WIRE, *MODEL)

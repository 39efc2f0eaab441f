"""Build the response for a request and its reply. The functions are pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Any

from . import corpus, http
from .answers import Answer
from .continuation import continued
from .dialects.server_dialect import AnswerIdentity, Dialect, ErrorSpec, SimulatedRequest
from .error_statuses import status_of_error
from .fault_shaping import Item, Piece, chunked, gzipped, marked, shape, split_characters
from .faults import Fault, Part
from .ledger import Reply
from .pacing import Pacer
from .playback import RecordedBody
from .sse_writer import encoded, split
from .steps import End, Pause, Raw, Send, SimulatedResponse, Step

_COMPARED_STEPS = 200_000
"""Maximum number of steps that are compared, since two responses may both be endless."""
_WRITE_SIZE = 65536
_CACHED_TOKENS = 50_000  # about 10 MB of chat chunks; longer answers are built while they are sent
_CACHED_PROMPT = 10_000  # characters; the prompt is part of the cache key
_PLACEHOLDER = AnswerIdentity(digits="5ce0aced" * 3)  # as long as real digits, so that chunk sizes stay correct

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
# Faults that apply to a body of one JSON value; all others need events.
_BODY_FAULTS = frozenset(
    {
        "reset",
        "cut",
        "clean_end",
        "close_delimited",
        "stall",
        "slow_drip",
        "bad_chunk_header",
        "content_length_short",
        "corrupt_gzip",
        "malformed",
        "invalid_utf8",
        "bytewise",
        "one_write",
        "split_utf8",
    }
)
_REFRAMING = frozenset({"close_delimited", "content_length_short", "corrupt_gzip"})
"""Faults that also change the head. So it must be known before the head whether the body reaches their place."""


def respond(
    dialect: Dialect, request: SimulatedRequest, reply: Reply, identity: AnswerIdentity, pacer: Pacer | None = None
) -> SimulatedResponse:
    """Return the response to one inference request."""
    if not reply.fault and not reply.body and request.stream and pacer is None:
        answer = _answer(request, reply)
        headers = stream_headers(dialect, identity)
        return SimulatedResponse(status=200, headers=headers, steps=_fast_steps(dialect, answer, request, identity))
    return _respond(dialect, request, reply, identity, pacer)


def served(dialect: Dialect, request: SimulatedRequest, reply: Reply, identity: AnswerIdentity) -> Fault:
    """Return the faults of a reply that change what is sent for this request.

    Some change nothing: `no_event_names` in a dialect without event names, or a fault after the end of the body.
    """
    if not reply.body:
        reply = replace(reply, answer=reply.answer or default_answer(request, reply.fault))

    def response(parts: tuple[Part, ...]) -> SimulatedResponse:
        return _respond(dialect, request, replace(reply, fault=Fault(parts=parts)), identity)

    needed = reply.fault.parts
    for number in reversed(range(len(needed))):
        others = needed[:number] + needed[number + 1 :]
        if _equal(response(needed), response(others)):  # this part changes nothing
            needed = others
    return Fault(parts=needed)


def _equal(first: SimulatedResponse, second: SimulatedResponse) -> bool:
    """Compare two responses step by step, up to the first difference."""
    if (first.status, first.headers) != (second.status, second.headers):
        return False
    if (first.length, first.delay) != (second.length, second.delay):
        return False
    return all(step == other for step, other in islice(zip_longest(first.steps, second.steps), _COMPARED_STEPS))


def _respond(
    dialect: Dialect, request: SimulatedRequest, reply: Reply, identity: AnswerIdentity, pacer: Pacer | None = None
) -> SimulatedResponse:
    fault = reply.fault
    if replacement := _replacement(dialect, fault, identity):
        return replacement
    if reply.body:
        return _played(dialect, reply.body, fault, identity, pacer)
    answer = _answer(request, reply)
    delay = _delay(fault)
    if not request.stream or fault.find("whole_json"):
        return _whole(
            dialect,
            dialect.complete(answer, request, identity),
            fault,
            identity,
            delay + _generation_time(answer, request, pacer),
        )
    headers = stream_headers(dialect, identity)
    pieces = marked(dialect.events(answer, request, identity), dialect)
    return _Plan(dialect=dialect, fault=fault, identity=identity, pacer=pacer, delay=delay).response(headers, pieces)


def _answer(request: SimulatedRequest, reply: Reply) -> Answer:
    answer = continued(reply.answer or default_answer(request, reply.fault), request.prefix, reply.fault)
    return answer.limited(request.max_tokens)


def json_response(status: int, value: object, headers: Mapping[str, str]) -> SimulatedResponse:
    """Return a response with a JSON body."""
    body = encoded(value)
    return SimulatedResponse(
        status=status, headers={"content-type": "application/json", **headers}, steps=(Send(body, 1),), length=len(body)
    )


def stream_headers(dialect: Dialect, identity: AnswerIdentity) -> dict[str, str]:
    """Return the headers of a stream."""
    return {"content-type": dialect.stream_type, "cache-control": "no-cache", **dialect.headers(identity)}


def default_answer(request: SimulatedRequest, fault: Fault) -> Answer:
    """Return the answer to a request that nothing else determines: the required tool call, the required image, JSON for
    the required schema, or a greeting."""
    if request.forced_tool:
        return Answer(tool_calls=(request.forced_tool,))
    if request.draws:
        return Answer(images=1)
    if request.schema:
        return Answer(text=request.schema)
    return corpus.bundled_answer(corpus.MULTILINGUAL if fault.find("split_utf8") else corpus.DEFAULT)


def replaces_answer(fault: Fault) -> bool:
    """Return True if a fault sends something instead of an answer."""
    is_silence = fault.find("no_headers") is not None and len(fault.parts) == 1
    return is_silence or fault.find("refuse", "status", "empty", "html", "json_error") is not None


def _replacement(dialect: Dialect, fault: Fault, identity: AnswerIdentity) -> SimulatedResponse | None:
    """Return the response of a fault that replaces the answer, else None."""
    delay, headers = _delay(fault), dialect.headers(identity)
    if part := fault.find("refuse"):
        return SimulatedResponse(
            status=0, headers={}, steps=(End.RST if part.value == "rst" else End.FIN,), delay=delay
        )
    if fault.find("no_headers") and len(fault.parts) == 1:
        return SimulatedResponse(status=0, headers={}, steps=(Pause(delay), End.FIN))
    part = fault.find("status", "empty", "html", "json_error")
    if part is None:
        return None
    status, body = int(part.value or 200), part.body
    kind = dialect.stream_type
    if part.kind == "html":
        body, kind = _HTML, "text/html; charset=utf-8"
    elif part.kind != "empty":
        error_body = encoded(dialect.error(500 if part.kind == "json_error" else status, ErrorSpec(), identity))
        body = error_body if body is None else body
        kind = _content_type(body)
    body = body or b""
    headers = {**headers, "content-type": kind, **dict(part.headers)}
    return SimulatedResponse(status=status, headers=headers, steps=(Send(body),), length=len(body), delay=delay)


def _content_type(body: bytes) -> str:
    first = body.lstrip()[:1]
    return {b"{": "application/json", b"[": "application/json", b"<": "text/html"}.get(first, "text/plain")


def _delay(fault: Fault) -> float:
    part = fault.find("no_headers")
    return (part.seconds or 0.0) if part else 0.0


def _generation_time(answer: Answer, request: SimulatedRequest, pacer: Pacer | None) -> float:
    """Return the seconds that a model takes for a whole answer, which is sent in one body."""
    if pacer is None:
        return 0.0
    return pacer.first_token() + sum(pacer.inter_token() for _ in range(answer.output_tokens(request.choices)))


def _whole(
    dialect: Dialect, value: Mapping[str, Any], fault: Fault, identity: AnswerIdentity, delay: float
) -> SimulatedResponse:
    headers = {"content-type": "application/json", **dialect.headers(identity)}
    body = encoded(value)
    if part := fault.find("in_band_error", "failed"):
        spec = ErrorSpec(message=part.message, type=part.type, code=part.code)
        status = status_of_error(spec)
        return json_response(status, dialect.error(status, spec, identity), dialect.headers(identity))
    fault = Fault(parts=tuple(part for part in fault.parts if part.kind in _BODY_FAULTS))
    if not fault:
        return SimulatedResponse(status=200, headers=headers, steps=(Send(body, 1),), length=len(body), delay=delay)
    # Two pieces, the first with content: a fault without a position, which follows the first content, is in the middle.
    middle = len(body) // 2
    pieces = (Piece(body[:middle], True, "content"), Piece(body[middle:], True, "lifecycle"))
    # A body without events has no place for `at_event=4`: such a fault comes at the end.
    parts = (replace(part, at_event=min(part.at_event, 2)) if part.at_event else part for part in fault.parts)
    fault = Fault(parts=tuple(parts))
    return _Plan(dialect=dialect, fault=fault, identity=identity, delay=delay).response(headers, pieces)


def _played(
    dialect: Dialect, body: RecordedBody, fault: Fault, identity: AnswerIdentity, pacer: Pacer | None
) -> SimulatedResponse:
    events = "event-stream" in body.content_type
    framed = events and dialect.frame is not None
    headers = {"content-type": dialect.stream_type if framed else body.content_type, **dialect.headers(identity)}
    blocks = split(body.content) if events else iter((body.content,))
    plan = _Plan(
        dialect=dialect,
        fault=fault,
        identity=identity,
        pacer=pacer,
        delay=_delay(fault),
        status=body.status,
        size=body.chunk_size,
    )
    return plan.response(headers, marked(blocks, dialect))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The plan for sending a body: its faults, delays and chunk size."""

    dialect: Dialect
    fault: Fault
    identity: AnswerIdentity
    pacer: Pacer | None = None
    delay: float = 0.0
    status: int = 200
    size: int | None = 0

    def response(self, headers: Mapping[str, str], pieces: Iterable[Piece]) -> SimulatedResponse:
        """Return the response: apply faults, then delays, then chunking."""
        fault, pieces = _reaching(self.fault, pieces)
        length = -1 if fault.find("close_delimited") else None
        if fault.find("content_length_short"):
            pieces = tuple(pieces)
            length = sum(len(piece.data) for piece in pieces)
        items = shape(pieces, fault, self.dialect, self.identity)
        if self.pacer:
            items = _paced(items, self.pacer)
        steps = chunked(items, 1 if fault.find("bytewise") else None if fault.find("one_write") else self.size)
        if fault.find("split_utf8"):
            steps = split_characters(steps)
        if part := fault.find("corrupt_gzip"):
            steps = gzipped(steps, part)
            headers = {**headers, "content-encoding": "gzip"}
        return SimulatedResponse(status=self.status, headers=headers, steps=steps, length=length, delay=self.delay)


def _reaching(fault: Fault, pieces: Iterable[Piece]) -> tuple[Fault, Iterable[Piece]]:
    """Return the fault without the parts of `_REFRAMING` that come after the last event, and the pieces."""
    if not any(part.kind in _REFRAMING and part.at_event for part in fault.parts):
        return fault, pieces
    pieces = tuple(pieces)
    events = sum(piece.event for piece in pieces)
    kept = (part for part in fault.parts if part.kind not in _REFRAMING or (part.at_event or 0) < events)
    return Fault(parts=tuple(kept)), pieces


def _paced(items: Iterable[Item], pacer: Pacer) -> Iterator[Item]:
    wait = pacer.first_token
    for item in items:
        if isinstance(item, Piece) and item.role == "content":
            yield Pause(wait())
            wait = pacer.inter_token
        yield item


def _fast_steps(
    dialect: Dialect, answer: Answer, request: SimulatedRequest, identity: AnswerIdentity
) -> Iterator[Step]:
    """Yield the steps of a stream without faults and delays: large writes, cached for answers of moderate length."""
    if dialect.frame is not None:  # not cached: another id would change the checksums of the frames
        yield from _large_writes(map(dialect.frame, dialect.events(answer, request, identity)))
    elif answer.tokens * request.choices > _CACHED_TOKENS or len(request.prompt) > _CACHED_PROMPT:
        yield from _large_writes(dialect.events(answer, request, identity))
    else:
        old, new = _PLACEHOLDER.digits.encode(), identity.digits.encode()
        # Cached chunks have a placeholder in place of the id. Replacing it is much cheaper than building JSON again.
        for data, events in _prebuilt(dialect, answer, request):
            yield Raw(data.replace(old, new), events)


def _large_writes(events: Iterable[bytes]) -> Iterator[Raw]:
    """Yield HTTP chunks, one per event, joined into writes of about 64 KiB."""
    out, size = list[bytes](), 0
    for event in events:
        out.append(http.chunk(event))
        size += len(event)
        if size >= _WRITE_SIZE:
            yield Raw(b"".join(out), len(out))
            out, size = [], 0
    yield Raw(b"".join(out), len(out))


@lru_cache(maxsize=32)
def _prebuilt(dialect: Dialect, answer: Answer, request: SimulatedRequest) -> tuple[Raw, ...]:
    return tuple(_large_writes(dialect.events(answer, request, _PLACEHOLDER)))

"""Turn a recorded attempt into a response of the server: the same bytes, pauses and break."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter

from l0.model.failure import TIMEOUT_CAUSES, Cause
from l0.recording.recording import RecordedAttempt, RecordedRead
from l0.recording.redaction import REMOVED
from l0.simulator.steps import End, Pause, Send, SimulatedResponse, Step

_AFTER_SILENCE_S = 5.0
"""Seconds by which a silence outlasts the recorded one, so that the client's own limit ends it, as it did then."""
_ENCODING = "content-encoding"
_GARBAGE = b"\xff" * 64
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
_AFTER_HEAD = frozenset({Cause.INCOMPLETE_READ, Cause.MALFORMED, Cause.READ_TIMEOUT, Cause.RESET})
"""Causes that show that a head came. The recording of an answer in one piece has its head only if all of it came."""
_STARTED_JSON = b"{"
_RESETS = frozenset({Cause.RESET, Cause.CONNECTION, Cause.DNS, Cause.TLS_CERTIFICATE})


def recorded_response(
    attempt: RecordedAttempt, speed: float, clock: Callable[[], float] = perf_counter
) -> SimulatedResponse:
    """Return the response of a recorded attempt, ``speed`` times as fast. With ``inf``, only a silence that the client
    ended takes time.

    Headers whose values were removed from the recording are left out.
    """
    cause = attempt.failure.cause if attempt.failure is not None else None
    if attempt.status is None and cause in _AFTER_HEAD:
        attempt = _with_head(attempt, cause)
    status = attempt.status or 0
    headers, steps = _headers(attempt.response_headers), _steps(attempt, speed, clock)
    damaged = attempt.failure is not None and attempt.failure.cause is Cause.CORRUPT and _ENCODING not in headers
    until_head = (attempt.head_at if attempt.head_at is not None else attempt.started) - attempt.started
    return SimulatedResponse(
        status=status,
        headers=headers | ({_ENCODING: "gzip"} if damaged else {}),
        steps=_damaged(steps) if damaged else steps,
        length=_length(attempt) if status else -1,
        delay=max(until_head, 0.0) / speed,
    )


def _with_head(attempt: RecordedAttempt, cause: Cause | None) -> RecordedAttempt:
    """Return an attempt with a head and the first byte of a body, in place of those that were not recorded."""
    length = [] if cause is Cause.MALFORMED else [("content-length", str(len(_STARTED_JSON) + 1))]
    return replace(
        attempt,
        status=200,
        response_headers=[("content-type", "application/json"), *length],
        head_at=attempt.started,
        reads=[RecordedRead(at=attempt.started, data=_STARTED_JSON)],
        ending="eof" if cause is Cause.MALFORMED else attempt.ending,
    )


def _headers(recorded: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the headers without those of the framing. The values of a repeated header are joined by commas."""
    found: dict[str, str] = {}
    for name, value in recorded:
        if name not in _FRAMING and value != REMOVED:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _length(attempt: RecordedAttempt) -> int | None:
    """Return the length that the head announces; ``None`` for a chunked body.

    A body that broke off announces the recorded length, although its rest is not known.
    """
    announced = dict(attempt.response_headers).get("content-length")
    if announced is None or not announced.isdecimal():
        return None
    return len(attempt.body) if attempt.ending == "eof" else int(announced)


def _steps(attempt: RecordedAttempt, speed: float, clock: Callable[[], float]) -> Iterator[Step]:
    """Yield the reads at their times. After a late read the next pause is shorter, so that a long answer does not
    drift."""
    start = attempt.head_at if attempt.head_at is not None else attempt.started
    began = clock()
    for read in attempt.reads:
        wait = (read.at - start) / speed - (clock() - began)
        if wait > 0:
            yield Pause(wait)
        if read.data:  # an empty chunk would end the body
            yield Send(read.data)
    if attempt.ending == "eof":
        return
    last = attempt.reads[-1].at if attempt.reads else start
    silence = max((attempt.ended or last) - last, 0.0)
    if _ended_by_client(attempt):
        yield Pause(silence + _AFTER_SILENCE_S)
        yield End.FIN
        return
    if silence / speed:
        yield Pause(silence / speed)
    yield _break(attempt)


def _damaged(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the steps for a damaged body: compressed, since it was recorded decoded, with garbage at its end."""
    compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    for step in steps:
        if isinstance(step, Send):
            yield Send(compressor.compress(step.data) + compressor.flush(zlib.Z_SYNC_FLUSH))
            continue
        if isinstance(step, End):
            yield Send(compressor.compress(b"") + _GARBAGE)
        yield step


def _ended_by_client(attempt: RecordedAttempt) -> bool:
    """Return True if the client stopped waiting: what the provider would have sent next is not known."""
    cause = attempt.failure.cause if attempt.failure is not None else None
    if cause is Cause.CORRUPT:  # what follows the damage does not matter
        return False
    if cause in TIMEOUT_CAUSES:
        return True
    return attempt.ending in ("closed", "lost") or (attempt.ended is not None and attempt.ending is None)


def _break(attempt: RecordedAttempt) -> End:
    cause = attempt.failure.cause if attempt.failure is not None else None
    if cause is Cause.CORRUPT:
        return End.COMPLETE  # the garbage in the body is the break
    return End.RST if cause in _RESETS else End.FIN

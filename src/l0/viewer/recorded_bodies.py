"""Return the recorded bodies of requests and answers in parts."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence

from l0.recording.recording import RecordedAttempt, RecordedCall

from .api_contract import AnswerPage, ReadBytes, RequestPage
from .call_filter import QueryError
from .recorded_times import milliseconds

MAX_SIZE = 65_536
"""Characters or bytes of one part."""
MAX_READS = 500
_MAX_DIGITS = 15


def offset_of(parameters: Mapping[str, Sequence[str]]) -> int:
    """Return the offset that a request specifies. Raises `QueryError`."""
    text = (parameters.get("offset") or ["0"])[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise QueryError(f"offset: got {text[:100]!r}, allowed: a whole number of 0 or more")
    return int(text)


def request_page(recorded: RecordedCall, number: int, offset: int) -> RequestPage | None:
    """Return a part of the body of a request, or of its shape; ``None`` if neither is recorded."""
    attempt = _attempt(recorded, number)
    request = attempt.request if attempt is not None else {}
    if "text" in request:
        text = str(request["text"])
    elif "body" in request or "shape" in request:
        text = json.dumps(request.get("body", request.get("shape")), ensure_ascii=False, indent=2)
    else:
        return None
    end = offset + MAX_SIZE
    return RequestPage(text=text[offset:end], next=end if end < len(text) else None, size=len(text))


def answer_page(recorded: RecordedCall, number: int, offset: int) -> AnswerPage | None:
    """Return a part of the body of an answer; ``None`` if there is no such attempt."""
    attempt = _attempt(recorded, number)
    if attempt is None:
        return None
    size = sum(len(read.data) for read in attempt.reads)
    reads: list[ReadBytes] = []
    read_end = page_end = 0
    remaining = MAX_SIZE
    for number_of_read, read in enumerate(attempt.reads):
        skipped = max(offset - read_end, 0)
        read_end += len(read.data)
        data = read.data[skipped : skipped + remaining]
        if read_end <= offset or not data:
            continue
        if len(reads) == MAX_READS or not remaining:
            break
        remaining -= len(data)
        page_end = read_end - len(read.data) + skipped + len(data)
        at = milliseconds(read.at)
        encoded = b64encode(data).decode()
        reads.append(ReadBytes(number=number_of_read, at=at, size=len(read.data), offset=skipped, base64=encoded))
    return AnswerPage(reads=reads, next=page_end if reads and page_end < size else None, size=size)


def _attempt(recorded: RecordedCall, number: int) -> RecordedAttempt | None:
    return next((attempt for attempt in recorded.attempts if attempt.number == number), None)

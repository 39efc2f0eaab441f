"""Extract the content that each read of a recorded answer brought: text, reasoning, refusals and tool calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from l0.dialects import deltas
from l0.dialects.deltas import Delta
from l0.dialects.dialect_catalogue import DIALECTS
from l0.dialects.wire_dialect import WireDialect
from l0.wire.sse import Splitter

from .body_decoding import body_decoder
from .recording import RecordedAttempt, RecordedCall

Kind = Literal["text", "reasoning", "refusal", "tool"]


class Fragment(NamedTuple):
    """Content that arrived. ``kind``: ``"tool"`` for the name of a tool, and for its arguments."""

    kind: Kind
    text: str


def arrived_text(recorded: RecordedCall, attempt: RecordedAttempt) -> list[list[Fragment]]:
    """Return the content of each read of an attempt, in order; nothing for reads that cannot be parsed.

    An answer that does not stream can be parsed only as a whole: all of its content arrives with the last read.
    """
    dialect = DIALECTS.get(recorded.call.dialect)
    if dialect is None or not attempt.reads:
        return [[] for _ in attempt.reads]
    bodies = _decoded(attempt)
    if "json" in _header(attempt, "content-type") or not recorded.call.streaming:
        answer = _json(b"".join(bodies))
        found = [] if answer is None else [*_fragments(dialect.answer_deltas(answer), whole=True)]
        return [*([] for _ in bodies[1:]), found]
    split = Splitter().feed
    return [[fragment for _, data in split(body) for fragment in _of_event(dialect, data)] for body in bodies]


def _of_event(dialect: WireDialect, data: bytes) -> Iterator[Fragment]:
    event = _json(data)
    return _fragments([] if event is None else dialect.deltas(event), whole=False)


def _fragments(found: Sequence[Delta], *, whole: bool) -> Iterator[Fragment]:
    """Yield the content of deltas. ``whole``: they are those of a complete answer.

    A complete text in a stream is left out: it repeats what earlier events have brought.
    """
    for delta in found:
        match delta:
            case deltas.TextDelta(text=text, complete=complete) if whole or not complete:
                yield Fragment("text", text)
            case deltas.ReasoningDelta(text=text):
                yield Fragment("reasoning", text)
            case deltas.RefusalDelta(text=text, complete=complete) if whole or not complete:
                yield Fragment("refusal", text)
            case deltas.ToolCallDelta(name=name, arguments=arguments) if name or arguments:
                yield Fragment("tool", f"{name} {arguments}" if name else arguments)
            case deltas.ToolArgumentsDelta(arguments=arguments) if arguments:
                yield Fragment("tool", arguments)


def _decoded(attempt: RecordedAttempt) -> list[bytes]:
    """Return the reads without content encoding, which only files of format 1 still have."""
    sent = [read.data for read in attempt.reads]
    try:
        decode = body_decoder(_header(attempt, "content-encoding"))
        return [decode(data) for data in sent]
    except ValueError:
        return sent


def _header(attempt: RecordedAttempt, name: str) -> str:
    return next((value for key, value in attempt.response_headers if key.lower() == name), "").lower()


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

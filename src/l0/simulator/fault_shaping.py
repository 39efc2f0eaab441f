"""Apply faults to the blocks of a body. The generators are pure: they turn pieces into the steps of a response."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import NamedTuple

from .dialects.responses_server import renumber
from .dialects.server_dialect import AnswerIdentity, Dialect, ErrorSpec, Role
from .faults import Fault, Part
from .sse_writer import block, is_event
from .steps import End, Pause, Raw, Send, Step


class Piece(NamedTuple):
    """A block, or a part of one. `event`: it carries data, and so counts as an event. `role`: as in `Dialect.role`."""

    data: bytes
    event: bool
    role: Role


Item = Piece | Pause | Raw | End
"""An element of a body while faults are applied: a block, or an action between blocks. Nothing follows an `End`."""


def marked(blocks: Iterable[bytes], dialect: Dialect) -> Iterator[Piece]:
    """Yield each block with its role."""
    for data in blocks:
        event = is_event(data)
        yield Piece(data, event, dialect.role(data) if event else "lifecycle")


def shape(pieces: Iterable[Piece], fault: Fault, dialect: Dialect, identity: AnswerIdentity) -> Iterator[Item]:
    """Apply all parts: first changes of events, then wire formats, then ends and pauses.

    In a dialect with frames, the frames replace the wire formats.
    """
    changed: Iterator[Piece] = iter(pieces)
    for part in fault.parts:
        if change := _CHANGES.get(part.kind):
            changed = change(changed, part, dialect, identity)
    written: Iterator[Piece] = changed
    for part in fault.parts:
        if dialect.frame is None and (wire_format := _WIRE_FORMATS.get(part.kind)):
            written = wire_format(written, part)
    if dialect.frame is not None:
        written = (piece._replace(data=dialect.on_wire(piece.data)) if piece.event else piece for piece in written)
    items: Iterator[Item] = iter(written)
    for part in fault.parts:
        if part.kind in _STOPS:
            items = _stop_at(items, part, dialect, identity)
        elif part.kind == "slow_drip":
            items = _dripped(items, part.interval or 0.0)
    return items


# Changes of events


_Change = Callable[[Iterator[Piece], Part, Dialect, AnswerIdentity], Iterator[Piece]]


def _numbered(pieces: Iterator[Piece], part: Part) -> Iterator[tuple[Piece, bool]]:
    """Yield each piece, with True for the event that `part` changes."""
    number, found = 0, False
    for piece in pieces:
        is_target = not found and piece.event and _is_at(part, number, piece)
        found = found or is_target
        number += piece.event
        yield piece, is_target


def _is_at(part: Part, number: int, piece: Piece) -> bool:
    return piece.role == "content" if part.at_event is None else number == part.at_event


def _edited(edit: Callable[[Piece], Iterable[Piece]]) -> _Change:
    """Return a change of one event."""

    def change(pieces: Iterator[Piece], part: Part, _dialect: Dialect, _identity: AnswerIdentity) -> Iterator[Piece]:
        for piece, is_target in _numbered(pieces, part):
            yield from edit(piece) if is_target else (piece,)

    return change


def _mapped(edit: Callable[[bytes], bytes]) -> _Change:
    """Return a change of every event."""

    def change(pieces: Iterator[Piece], _part: Part, _dialect: Dialect, _identity: AnswerIdentity) -> Iterator[Piece]:
        return (piece._replace(data=edit(piece.data)) for piece in pieces)

    return change


def _filtered(keep: Callable[[Piece], bool]) -> _Change:
    """Return a change that keeps some events."""

    def change(pieces: Iterator[Piece], _part: Part, _dialect: Dialect, _identity: AnswerIdentity) -> Iterator[Piece]:
        return filter(keep, pieces)

    return change


def _malformed(piece: Piece) -> Iterable[Piece]:
    line = piece.data.rstrip(b"\r\n")
    start = max(line.find(b"{"), 0)
    return (piece._replace(data=line[: start + max(1, (len(line) - start) // 2)] + piece.data[len(line) :]),)


def _invalid_utf8(piece: Piece) -> Iterable[Piece]:
    head, quote, tail = piece.data.rpartition(b'"')
    return (piece._replace(data=head + b"\xff\xfe" + quote + tail),)


def _null_data(piece: Piece) -> Iterable[Piece]:
    return (Piece(block("null"), True, "lifecycle"), piece)


def _reorder(pieces: Iterator[Piece], part: Part, _dialect: Dialect, _identity: AnswerIdentity) -> Iterator[Piece]:
    held: Piece | None = None
    for piece, is_target in _numbered(pieces, part):
        if is_target:
            held = piece
        else:
            yield piece
            if held is not None and piece.event:
                yield held
                held = None
    if held is not None:
        yield held


def _after_end(pieces: Iterator[Piece], _part: Part, _dialect: Dialect, _identity: AnswerIdentity) -> Iterator[Piece]:
    content: Piece | None = None
    for piece in pieces:
        content = piece if piece.role == "content" else content
        yield piece
    if content is not None:
        yield content


def _lifecycle_frames(
    pieces: Iterator[Piece], part: Part, dialect: Dialect, identity: AnswerIdentity
) -> Iterator[Piece]:
    """Insert the extra events after the first event. Renumber the events of Responses, so that none is missing."""

    def inserted() -> Iterator[Piece]:
        extra = Piece(dialect.empty_event(identity), True, "lifecycle")
        started = False
        for number, piece in enumerate(pieces):
            # The first block opens the stream and stays first.
            if number and not started:
                yield from repeat(extra, part.count or 0)
                started = True
            yield piece

    if dialect.name != "responses":
        return inserted()
    return (piece._replace(data=renumber(piece.data, number)) for number, piece in enumerate(inserted()))


def _without_names(data: bytes) -> bytes:
    return re.sub(rb"\Aevent:[^\r\n]*(?:\r\n|\n|\r)", b"", data)


def _without_reason(data: bytes) -> bytes:
    return re.sub(rb'("(?:finish_reason|finishReason|stop_reason|stopReason)":\s*)"[A-Za-z_]*"', rb"\1null", data)


_CHANGES: dict[str, _Change] = {
    "malformed": _edited(_malformed),
    "invalid_utf8": _edited(_invalid_utf8),
    "duplicate": _edited(lambda piece: (piece, piece)),
    "drop": _edited(lambda _: ()),
    "null_data": _edited(_null_data),
    "reorder": _reorder,
    "no_event_names": _mapped(_without_names),
    "no_finish_reason": _mapped(_without_reason),
    "no_terminal": _filtered(lambda piece: piece.role not in ("finish", "end")),
    "done_only": _filtered(lambda piece: piece.role == "end"),
    "after_end": _after_end,
    "lifecycle_frames": _lifecycle_frames,
}


# Wire formats


def _framing(pieces: Iterator[Piece], part: Part) -> Iterator[Piece]:
    ending = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n"}[part.value or "lf"]
    return (piece._replace(data=re.sub(rb"\r\n|\r|\n", ending, piece.data)) for piece in pieces)


def _bom(pieces: Iterator[Piece], _part: Part) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        yield piece if number else piece._replace(data=b"\xef\xbb\xbf" + piece.data)


def _comments(pieces: Iterator[Piece], part: Part) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        if number % int(part.value or 1) == 0:
            yield Piece(b": keep-alive\n\n", False, "lifecycle")
        yield piece


def _id_retry_lines(pieces: Iterator[Piece], _part: Part) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        yield Piece(b"id: %d\nretry: 3000\n\n" % number, False, "lifecycle")
        yield piece


_WIRE_FORMATS: dict[str, Callable[[Iterator[Piece], Part], Iterator[Piece]]] = {
    "comments": _comments,
    "id_retry_lines": _id_retry_lines,
    "bom": _bom,
    "framing": _framing,
}


# Ends and pauses

_BAD_CHUNK = Raw(b"zz\r\nnot a chunk\r\n")


def _stop_at(items: Iterator[Item], part: Part, dialect: Dialect, identity: AnswerIdentity) -> Iterator[Item]:
    """Yield the items up to the place of `part`, then its effect, then the rest if any.

    A place after the end of the body is never reached. Without a place, the end is the place if there is no content.
    """
    if part.kind == "close_delimited" and part.at_event is None:
        yield from items
        yield End.FIN
        return
    number = sent = 0
    for item in items:
        if not isinstance(item, Piece):
            yield item
            continue
        if part.at_byte is not None and sent + len(item.data) > part.at_byte:
            kept = part.at_byte - sent
            yield Piece(item.data[:kept], False, item.role)
            yield from _stop(part, number, dialect, identity)
            yield from chain((item._replace(data=item.data[kept:]),), items)
            return
        if part.at_byte is None and part.at_event is not None and number >= part.at_event:
            yield from _stop(part, number, dialect, identity)
            yield from chain((item,), items)
            return
        yield item
        number += item.event
        sent += len(item.data)
        if part.at_byte is None and part.at_event is None and item.role == "content":
            break
    place, reached = (part.at_event, number) if part.at_byte is None else (part.at_byte, sent)
    if place is None or reached >= place:
        yield from _stop(part, number, dialect, identity)
    yield from items


def _stop(part: Part, number: int, dialect: Dialect, identity: AnswerIdentity) -> Iterator[Item]:
    error_spec = ErrorSpec(message=part.message, type=part.type, code=part.code)
    match part.kind:
        case "stall":
            yield Pause(part.seconds or 0.0)
        case "pings":
            count = part.count
            while count is None or count > 0:
                yield Piece(dialect.on_wire(dialect.idle), is_event(dialect.idle), "lifecycle")
                yield Pause(part.interval or 0.0)
                count = None if count is None else count - 1
        case "in_band_error":
            yield Piece(dialect.on_wire(dialect.in_band(error_spec, number, identity)), True, "end")
            yield End.COMPLETE
        case "failed":
            yield Piece(dialect.on_wire(dialect.failed(error_spec, number, identity)), True, "end")
            yield End.COMPLETE
        case "bad_chunk_header":
            yield _BAD_CHUNK
            yield End.FIN
        case "clean_end":
            yield End.COMPLETE
        case "reset":
            yield End.RST
        case _:
            yield End.FIN


_STOPS = frozenset(
    {
        "stall",
        "pings",
        "in_band_error",
        "failed",
        "bad_chunk_header",
        "clean_end",
        "reset",
        "cut",
        "close_delimited",
        "content_length_short",
    }
)


def _dripped(items: Iterator[Item], interval: float) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Piece):
            yield Pause(interval)
        yield item


# HTTP chunks


def chunked(items: Iterable[Item], size: int | None = 0) -> Iterator[Step]:
    """Yield the steps of a body. `size`: bytes per HTTP chunk; 0 for one chunk per block, None for a single chunk."""
    buffer, ends, sent = bytearray(), list[int](), 0

    def flush(minimum: int) -> Iterator[Step]:
        nonlocal sent
        while len(buffer) >= minimum and buffer:
            data = bytes(buffer[: size or len(buffer)])
            del buffer[: len(data)]
            sent += len(data)
            complete = sum(1 for end in ends if end <= sent)
            del ends[:complete]
            yield Send(data, complete)

    for item in items:
        if not isinstance(item, Piece):
            yield from flush(1)
            yield item
            if isinstance(item, End):
                return
        elif size == 0:
            yield Send(item.data, int(item.event))
        else:
            buffer += item.data
            if item.event:
                ends.append(sent + len(buffer))
            if size is not None:
                yield from flush(size)
    yield from flush(1)
    yield End.COMPLETE


_FIRST_BYTE_OF_CHARACTER = re.compile(rb"(?<=[\xc2-\xf4])")


def split_characters(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield chunks that end after the first byte of every multi-byte character."""
    for step in steps:
        if isinstance(step, Send):
            *first, last = filter(None, _FIRST_BYTE_OF_CHARACTER.split(step.data))  # an empty chunk ends the body
            yield from map(Send, first)
            yield Send(last, step.events)
        else:
            yield step


def gzipped(steps: Iterable[Step], part: Part) -> Iterator[Step]:
    """Compress each chunk, flushed, up to the place of `part`. Send garbage in place of the rest."""
    packer = zlib.compressobj(wbits=31)
    number = 0
    for step in steps:
        if isinstance(step, Send):
            if number >= (1 if part.at_event is None else part.at_event):
                yield Send(packer.compress(b"") + b"\xff" * 64)
                yield End.COMPLETE
                return
            number += step.events
            yield step._replace(data=packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH))
        else:
            yield step

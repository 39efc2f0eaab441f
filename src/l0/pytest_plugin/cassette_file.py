"""Cassettes as JSON text that a reviewer can read: one read of an answer is one line."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .cassette_entry import CassetteAnswer, CassetteEntry, CassetteRequest, Headers

FORMAT = 1
_WIDTH = 110
"""Characters. A longer value is written over several lines."""


class CassetteFileError(ValueError):
    """The file is not a cassette. The message names it."""


def load(path: Path) -> list[CassetteEntry]:
    """Return the recordings of a file. Raises `CassetteFileError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["l0_cassette"] != FORMAT:
            raise CassetteFileError(f"{path} has format {content['l0_cassette']}, this L0 reads {FORMAT}")
        return [_entry(item) for item in content["recordings"]]
    except CassetteFileError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CassetteFileError(f"{path} is not a cassette: {error!r}; --l0-record=all records it again") from error


def path_of(path: Path, test: str) -> Path:
    """Return the path of a test's cassette: ``path``, or beside it if that is the cassette of another test."""
    own = path.with_stem(f"{path.stem}-{hashlib.sha256(test.encode(errors='backslashreplace')).hexdigest()[:8]}")
    return own if own.is_file() or _test_of(path) not in (None, test) else path


def _test_of(path: Path) -> Any:
    """Return the test that a file names; ``None`` if it names none, as cassettes of earlier versions do."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("test")
    except (OSError, ValueError, AttributeError):  # `load` reports a broken file
        return None


def save(path: Path, entries: Sequence[CassetteEntry], test: str = "") -> None:
    """Replace the file as a whole: a reader finds either the old or the new one. ``test``: the name of its test."""
    of_test = {"test": test} if test else {}
    text = _pretty({"l0_cassette": FORMAT} | of_test | {"recordings": [_written(entry) for entry in entries]})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        file.writelines(part.encode(errors="backslashreplace") for part in text)  # a lone surrogate: its JSON escape
        file.write(b"\n")
    unfinished.replace(path)


def _written(entry: CassetteEntry) -> dict[str, Any]:
    request, answer = entry.request, entry.answer
    written: dict[str, Any] = {"method": request.method, "url": request.url, "body": request.body}
    head = {"status": answer.status, "at_ms": answer.head_ms, "headers": _object_or_pairs(answer.headers)}
    end: dict[str, Any] = {"end": answer.end, "at_ms": answer.end_ms}
    if answer.error:
        end["error"] = list(answer.error)
    reads = [[at_ms, _text(part)] for at_ms, part in answer.reads]
    return {"request": written} | ({} if answer.status is None else {"head": head, "reads": reads}) | {"end": end}


def _entry(item: dict[str, Any]) -> CassetteEntry:
    request, head, end = item["request"], item.get("head"), item["end"]
    answer = CassetteAnswer(
        status=head["status"] if head else None,
        headers=_pairs(head["headers"]) if head else (),
        head_ms=head["at_ms"] if head else 0.0,
        reads=tuple((at_ms, _bytes(part)) for at_ms, part in item.get("reads", ())),
        end=end["end"],
        end_ms=end["at_ms"],
        error=tuple(end.get("error", ())),
    )
    return CassetteEntry(CassetteRequest(request["method"], request["url"], request["body"]), answer)


def _object_or_pairs(headers: Headers) -> Any:
    """Return headers as an object, or as pairs if a name occurs twice."""
    unique = dict(headers)
    return unique if len(unique) == len(headers) else [list(pair) for pair in headers]


def _pairs(headers: Any) -> Headers:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, value) for name, value in pairs)


def _text(part: bytes) -> Any:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(part).decode()}


def _bytes(part: Any) -> bytes:
    return base64.b64decode(part["base64"], validate=True) if isinstance(part, dict) else part.encode()


def _pretty(value: Any, indent: int = 0) -> Iterator[str]:
    """Yield JSON text. A long string, such as an image, is encoded only once: `_room` rejects it by its length."""
    if not isinstance(value, dict | list) or not value or _is_read(value) or _fits(value, _WIDTH - indent):
        yield json.dumps(value, ensure_ascii=False)
        return
    inner, outer = "\n" + " " * (indent + 2), "\n" + " " * indent
    begin, end = "{}" if isinstance(value, dict) else "[]"
    items = value.items() if isinstance(value, dict) else (("", item) for item in value)
    for name, item in items:
        yield f"{begin}{inner}" + (f"{json.dumps(name, ensure_ascii=False)}: " if end == "}" else "")
        yield from _pretty(item, indent + 2)
        begin = ","
    yield outer + end


def _fits(value: Any, width: int) -> bool:
    return _room(value, width) >= 0 and len(json.dumps(value, ensure_ascii=False)) <= width


def _room(value: Any, room: int) -> int:
    """Return an upper bound of the characters that a value's JSON leaves of ``room``; negative if it cannot fit."""
    if isinstance(value, str):
        return room - len(value)
    if isinstance(value, dict):
        value = [part for item in value.items() for part in item]
    for item in value if isinstance(value, list) else ():
        room = _room(item, room - 1)
        if room < 0:
            break
    return room


def _is_read(value: Any) -> bool:
    """Return True for a read of an answer: its time in ms, and its bytes. It is always written on one line."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], float)

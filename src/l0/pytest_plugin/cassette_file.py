"""Cassettes as JSON text that a reviewer can read: one read of an answer is one line."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
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


def save(path: Path, entries: Sequence[CassetteEntry]) -> None:
    """Write a file as a whole: a reader finds the former or the new one."""
    text = _pretty({"l0_cassette": FORMAT, "recordings": [_written(entry) for entry in entries]})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_bytes(text.encode(errors="backslashreplace") + b"\n")  # a lone surrogate becomes its JSON escape
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


def _pretty(value: Any, indent: int = 0) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + len(flat) <= _WIDTH or _is_read(value):
        return flat
    inner, outer = "\n" + " " * (indent + 2), "\n" + " " * indent
    if isinstance(value, list):
        return "[" + ",".join(f"{inner}{_pretty(item, indent + 2)}" for item in value) + outer + "]"
    items = (
        f"{inner}{json.dumps(name, ensure_ascii=False)}: {_pretty(item, indent + 2)}" for name, item in value.items()
    )
    return "{" + ",".join(items) + outer + "}"


def _is_read(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], float)

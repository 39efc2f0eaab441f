"""The body of a request as a value that can be read and compared."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from l0.recording.redaction import REMOVED, Redaction, is_secret

_BOUNDARY = re.compile(r'(?i)^multipart/.*boundary="?([^";]+)"?')
_PARAMETER = rb'(?i)content-disposition:[^\r\n]*?[; ]%s="([^"]*)"'
_PART_FIELDS = {
    "name": re.compile(_PARAMETER % b"name"),
    "filename": re.compile(_PARAMETER % b"filename"),
    "type": re.compile(rb"(?i)content-type: *([^\r\n]*)"),
}
"""The fields of a part, and where its head states them."""


def describe(body: bytes, content_type: str) -> Any:
    """Return a body as JSON: ``{"json": …}``, ``{"parts": …}`` of a form, ``{"text": …}``, or hash and size of bytes.

    The boundary of a form is left out, because the transport chooses it at random.
    """
    if not body:
        return None
    boundary = _BOUNDARY.match(content_type)
    if boundary is not None:
        return {"parts": [_part(part) for part in body.split(b"--" + boundary[1].encode())[1:-1]]}
    try:
        return {"json": json.loads(body)}
    except (ValueError, RecursionError):
        return _plain(body)


def redacted(value: Any, redaction: Redaction) -> Any:
    """Return a described body without secrets."""
    if isinstance(value, str):
        return redaction.text(value)
    if isinstance(value, list):
        return [redacted(item, redaction) for item in value]
    if isinstance(value, dict):
        return {name: REMOVED if is_secret(name) else redacted(item, redaction) for name, item in value.items()}
    return value


def _part(part: bytes) -> dict[str, Any]:
    head, _, content = part.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n")
    found = {name: pattern.search(head) for name, pattern in _PART_FIELDS.items()}
    stated = {name: match[1].decode(errors="replace") for name, match in found.items() if match is not None}
    return {"name": ""} | stated | _plain(content)


def _plain(body: bytes) -> dict[str, Any]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}

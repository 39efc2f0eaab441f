"""Binary data in message content: named by its type and size, and left out.

It is found wherever it stands: in the parts that the SDKs have for it, in data: URLs, and as long runs of base64 in any
text, tool results and JSON in strings included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

KINDS = frozenset(
    {
        "audio",
        "computer_screenshot",
        "document",
        "file",
        "image",
        "image_generation_call",
        "image_url",
        "input_audio",
        "input_file",
        "input_image",
        "video",
        "video_url",
    }
)
"""Types of parts that may hold binary data."""
_INSIDE = ("source", "file", "image_url", "video_url", "audio", "input_audio", "image", "resource")
"""Where a part may keep its data, below itself."""
_DATA = ("data", "file_data", "image_url", "url", "b64_json", "image_data", "audio_data", "result", "blob")
_ALWAYS = frozenset({"b64_json", "file_data", "image_data", "audio_data", "partial_image_b64", "base64", "blob"})
"""Keys whose texts are base64, however short."""
_TYPES = ("media_type", "mime_type", "mimeType", "format")
_MIME = r"[\w.+-]+/[\w.+-]+"
_PARAMETERS = r"(?:;[\w.+-]+(?:=[\w.+:/-]*)?)"
_DATA_URL = re.compile(rf"data:(?:({_MIME}){_PARAMETERS}*|{_PARAMETERS}+),([^\s\"'<>\\)]*)", re.IGNORECASE)
_RUN = re.compile(
    r"[A-Za-z0-9+/_-]{60,}(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/_-]{60,})*(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/_-]*=+)?"
)
"""Base64 in one piece, or in lines as in mails and PEM files."""
_LEAST = 160
"""Characters of a run that are taken for base64: more than any common hash or key has."""
_DEEPEST = 24


def part(kind: str, item: Mapping[str, Any]) -> Json:
    """Describe a part: its type, and the media type and size of the data that it holds."""
    told: Json = {"type": kind}
    for held in (item, *(item.get(name) for name in _INSIDE)):
        of = {"data": held} if isinstance(held, str) else held
        if not isinstance(of, Mapping):
            continue
        for name in _TYPES:
            if isinstance(of.get(name), str):
                told.setdefault("mime_type", of[name][:100])
        for name in _DATA:
            data = of.get(name)
            if isinstance(data, str | bytes) and data and not _is_link(data):
                mime, size = _measured(data)
                told["size"] = size
                if mime:
                    told["mime_type"] = mime
    return told


def without(text: str) -> str:
    """Return a text with each piece of binary data replaced by a short description."""
    if "data:" in text or "DATA:" in text:
        text = _DATA_URL.sub(_of_url, text)
    return _RUN.sub(_of_run, text) if len(text) >= _LEAST else text


def cleaned(value: object, depth: int = 0) -> Any:
    """Return a value of any shape with the binary data in it described."""
    if isinstance(value, str):
        return without(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"type": type(value).__name__, "size": len(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None:  # an object of the SDK
        value = dump(mode="json", warnings=False)
    if depth >= _DEEPEST and isinstance(value, Mapping | list | tuple):
        return {"type": type(value).__name__}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple):
        return [cleaned(one, depth + 1) for one in value if not unset(one)]
    return value


def unset(value: object) -> bool:
    """Whether a value is the SDKs' mark for what was not given."""
    return type(value).__name__ in ("NotGiven", "Omit")


def _mapping(value: Mapping[Any, Any], depth: int) -> Json:
    kind = value.get("type")
    if isinstance(kind, str) and kind in KINDS:
        return part(kind, value)
    typed = any(isinstance(value.get(name), str) for name in _TYPES)
    kept: Json = {}
    for key, inner in value.items():
        if unset(inner):
            continue
        hidden = isinstance(inner, str) and (key in _ALWAYS or (typed and key == "data"))
        kept[key] = _words(None, _measured(inner)[1]) if hidden else cleaned(inner, depth + 1)
    return kept


def _is_link(data: str | bytes) -> bool:
    return isinstance(data, str) and data.startswith(("http://", "https://"))


def _measured(data: str | bytes) -> tuple[str | None, int]:
    """Media type and size in bytes of raw data, base64, or a data: URL."""
    if isinstance(data, bytes):
        return None, len(data)
    url = _DATA_URL.match(data)
    if url is not None:
        return url[1], _size(url[2])
    return None, _size(data)


def _size(encoded: str) -> int:
    return len(encoded.rstrip("=")) * 3 // 4


def _words(mime: str | None, size: int) -> str:
    return f"[{mime or 'binary data'}, {size} bytes]"


def _of_url(found: re.Match[str]) -> str:
    return _words(found[1], _size(found[2]))


def _of_run(found: re.Match[str]) -> str:
    run = found[0]
    if len(run) < _LEAST or len(set(run)) < 4:  # a ruler, not data
        return run
    return _words(None, _size(run))

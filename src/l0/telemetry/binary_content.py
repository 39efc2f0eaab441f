"""Replace binary data in message content by its type and size.

Binary data is found in the SDKs' content parts, in data: URLs, and as long runs of base64 in any text, including tool
results and JSON inside strings.
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
_NESTED_KEYS = ("source", "file", "image_url", "video_url", "audio", "input_audio", "image", "resource")
"""Keys of nested objects in which a part may hold its data."""
_DATA_KEYS = ("data", "file_data", "image_url", "url", "b64_json", "image_data", "audio_data", "result", "blob")
_BASE64_KEYS = frozenset({"b64_json", "file_data", "image_data", "audio_data", "partial_image_b64", "base64", "blob"})
"""Keys whose values are base64, whatever their length."""
_TYPE_KEYS = ("media_type", "mime_type", "mimeType", "format")
_MIME = r"[\w.+-]+/[\w.+-]+"
_PARAMETERS = r"(?:;[\w.+-]+(?:=[\w.+:/-]*)?)"
_DATA_URL_HEAD = re.compile(rf"data:(?:({_MIME}){_PARAMETERS}*|{_PARAMETERS}+),", re.IGNORECASE)
_DATA_URL = re.compile(rf"{_DATA_URL_HEAD.pattern}([^\s\"'<>\\)]*)", re.IGNORECASE)
_BASE64_RUN = re.compile(
    r"[A-Za-z0-9+/_-]{60,}(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/_-]{60,})*(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/_-]*=+)?"
)
"""Base64 on one line, or on several as in mails and PEM files."""
_MIN_RUN = 160
"""Minimum characters of a run that counts as base64: more than any common hash or key has."""
_MAX_DEPTH = 24
"""Levels of nested objects; of deeper ones only the type is kept."""


def part(kind: str, item: Mapping[str, Any]) -> Json:
    """Return the type of a part, and the media type and size in bytes of its data."""
    described: Json = {"type": kind}
    for candidate in (item, *(item.get(name) for name in _NESTED_KEYS)):
        holder = {"data": candidate} if isinstance(candidate, str) else candidate
        if not isinstance(holder, Mapping):
            continue
        for name in _TYPE_KEYS:
            if isinstance(holder.get(name), str):
                described.setdefault("mime_type", holder[name][:100])
        for name in _DATA_KEYS:
            data = holder.get(name)
            if isinstance(data, str | bytes) and data and not _is_link(data):
                mime, size = _type_and_size(data)
                described["size"] = size
                if mime:
                    described["mime_type"] = mime
    return described


def without(text: str) -> str:
    """Return the text with each piece of binary data replaced by a short description."""
    if "data:" in text or "DATA:" in text:
        text = _DATA_URL.sub(_url_placeholder, text)
    return _BASE64_RUN.sub(_run_placeholder, text) if len(text) >= _MIN_RUN else text


def cleaned(value: object, depth: int = 0) -> Any:
    """Return the value, of any JSON-like shape, with its binary data replaced by descriptions."""
    if isinstance(value, str):
        return without(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"type": type(value).__name__, "size": len(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None:  # an object of the SDK
        value = dump(mode="json", warnings=False)
    if depth >= _MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        return {"type": type(value).__name__}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple):
        return [cleaned(item, depth + 1) for item in value if not unset(item)]
    return value


def unset(value: object) -> bool:
    """Return True if the value is the SDKs' marker for an argument that was not given."""
    return type(value).__name__ in ("NotGiven", "Omit")  # by name: this package imports no SDK


def _mapping(value: Mapping[Any, Any], depth: int) -> Json:
    kind = value.get("type")
    if isinstance(kind, str) and kind in KINDS:
        return part(kind, value)
    typed = any(isinstance(value.get(name), str) for name in _TYPE_KEYS)
    result: Json = {}
    for key, inner in value.items():
        if unset(inner):
            continue
        hidden = isinstance(inner, str) and (key in _BASE64_KEYS or (typed and key == "data"))
        result[key] = _placeholder(None, _type_and_size(inner)[1]) if hidden else cleaned(inner, depth + 1)
    return result


def _is_link(data: str | bytes) -> bool:
    return isinstance(data, str) and data.startswith(("http://", "https://"))


def _type_and_size(data: str | bytes) -> tuple[str | None, int]:
    """Return the media type and the size in bytes of raw data, base64, or a data: URL."""
    if isinstance(data, bytes):
        return None, len(data)
    url = _DATA_URL_HEAD.match(data)  # the data itself, perhaps megabytes, is not scanned
    if url is not None:
        return url[1], _size(data, url.end())
    return None, _size(data)


def _size(encoded: str, start: int = 0) -> int:
    """Return the size in bytes of the base64 that begins at ``start``."""
    padding = len(encoded[-3:]) - len(encoded[-3:].rstrip("="))
    return max(len(encoded) - start - padding, 0) * 3 // 4


def _placeholder(mime: str | None, size: int) -> str:
    return f"[{mime or 'binary data'}, {size} bytes]"


def _url_placeholder(found: re.Match[str]) -> str:
    return _placeholder(found[1], _size(found[2]))


def _run_placeholder(found: re.Match[str]) -> str:
    run = found[0]
    if len(run) < _MIN_RUN or len(set(run)) < 4:  # a drawn line such as "----", not data
        return run
    return _placeholder(None, _size(run))

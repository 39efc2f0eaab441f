"""Find media and files in answers and requests, and describe them by one class for all dialects."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from l0.model.tolerant_reading import text_of

from . import deltas

PayloadKind = Literal["audio", "file", "image"]
_MAX_DEPTH = 16
_IMAGES = ("computer_screenshot", "image", "image_url", "input_image")
_SOURCE_KINDS: dict[str, PayloadKind] = {"image": "image", "document": "file", "file": "file"}
_FILES = ("container_file_citation", "container_upload", "file_path")
"""Types of annotations and blocks that name a file that the model created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """An image, audio or a file in an answer, or a fragment of one. It has data (``base64``), a ``url`` or a
    ``file_id``.

    ``mime_type``: such as ``image/png``; ``None`` if the answer does not state it. ``index``: the number of the output
    item (Responses), of the content block (messages) or of the image (chat). ``partial``: the number of a preview,
    which a later preview or the image replaces; ``None`` for anything but a preview. ``item``: the object of the SDK,
    or JSON, that the payload comes from.
    """

    kind: PayloadKind
    mime_type: str | None = None
    base64: str | None = field(default=None, repr=False)
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    index: int = 0
    partial: int | None = None
    item: Any = field(default=None, repr=False)

    @property
    def data(self) -> bytes | None:
        """The decoded data; ``None`` if the payload has no data. Raises `ValueError` if the data is not base64."""
        if self.base64 is None:
            return None
        return base64.b64decode(self.base64 + "=" * (-len(self.base64) % 4))


def payloads_in(value: Any, index: int = 0) -> list[Payload]:
    """Return the payloads in an item of an answer or in the body of a request, down to 16 levels. Both may be JSON or
    SDK objects."""
    return [replace(payload, index=index) for payload in _payloads(value, _MAX_DEPTH)]


def audio_payload(value: Any, data: str | None, index: int) -> Payload:
    """Return the payload of a fragment of audio. It has no data if the fragment has only an id or a transcript."""
    audio_format = text_of(deltas.field(value, "format"))
    return Payload(kind="audio", mime_type=_mime("audio", audio_format), base64=data or None, index=index, item=value)


def preview_payload(event: Any, index: int, number: int) -> Payload:
    """Return the preview of an image that the Responses API sends while it generates the image."""
    image_format = text_of(deltas.field(event, "output_format"))
    data = text_of(deltas.field(event, "partial_image_b64"))
    return Payload(
        kind="image", mime_type=_mime("image", image_format), base64=data, index=index, partial=number, item=event
    )


def _payloads(value: Any, depth: int) -> Iterator[Payload]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _payloads(item, depth - 1)
        return
    fields = _fields_of(value)
    payload = _payload(value, fields) if fields else None
    if payload is not None:
        yield payload
    elif depth:
        for inner in fields.values():
            yield from _payloads(inner, depth - 1)


def _payload(value: Any, fields: Mapping[str, Any]) -> Payload | None:
    kind = text_of(fields.get("type")) or ""
    if kind == "image_generation_call":
        data, image_format = text_of(fields.get("result")), text_of(fields.get("output_format"))
        return Payload(kind="image", mime_type=_mime("image", image_format), base64=data, item=value)
    if kind == "input_audio":
        audio = fields.get(kind)
        data, audio_format = (text_of(deltas.field(audio, name)) for name in ("data", "format"))
        return Payload(kind="audio", mime_type=_mime("audio", audio_format), base64=data, item=value)
    if kind in _SOURCE_KINDS and fields.get("source") is not None:
        return _from_source(_SOURCE_KINDS[kind], fields["source"], value)
    if kind in _IMAGES:
        location = fields.get("image_url") or fields.get("url")
        url = text_of(location) or text_of(deltas.field(location, "url"))
        return _from_url("image", url, value) or _from_file_id("image", fields, value)
    if kind in ("file", "input_file"):
        file = fields.get("file") or value
        data, url = (text_of(deltas.field(file, name)) for name in ("file_data", "file_url"))
        found = _from_url("file", data if data and data.startswith("data:") else url, value)
        if data and found is None:
            found = Payload(kind="file", base64=data, item=value)
        filename = text_of(deltas.field(file, "filename"))
        return (
            replace(found, filename=filename) if found is not None else _from_file_id("file", _fields_of(file), value)
        )
    if kind in _FILES or kind.endswith("code_execution_output"):
        return _from_file_id("file", fields, value)
    return None


def _from_file_id(kind: PayloadKind, fields: Mapping[str, Any], item: Any) -> Payload | None:
    """Return the payload of a file that the provider stores; ``None`` if the fields do not name one."""
    file_id = text_of(fields.get("file_id"))
    filename = text_of(fields.get("filename"))
    return Payload(kind=kind, file_id=file_id, filename=filename, item=item) if file_id else None


def _from_url(kind: PayloadKind, url: str | None, item: Any) -> Payload | None:
    """Return the payload of a URL. A ``data:`` URL holds the data itself."""
    if not url:
        return None
    head, comma, data = url.partition(",") if url[:5].lower() == "data:" else ("", "", "")
    if not comma or not head.lower().endswith(";base64"):
        return Payload(kind=kind, url=url, item=item)
    return Payload(kind=kind, mime_type=head[5:-7].partition(";")[0] or None, base64=data, item=item)


def _from_source(kind: PayloadKind, source: Any, item: Any) -> Payload | None:
    """Return the payload of a ``source`` of the messages API; ``None`` for text."""
    mime = text_of(deltas.field(source, "media_type"))
    match text_of(deltas.field(source, "type")):
        case "base64":
            return Payload(kind=kind, mime_type=mime, base64=text_of(deltas.field(source, "data")), item=item)
        case "url":
            return _from_url(kind, text_of(deltas.field(source, "url")), item)
        case "file":
            return Payload(kind=kind, file_id=text_of(deltas.field(source, "file_id")), item=item)
    return None


def _fields_of(value: Any) -> Mapping[str, Any]:
    """Return the fields of a JSON or SDK object, including fields that the SDK's class does not declare."""
    if isinstance(value, Mapping):
        return value
    known = getattr(value, "__dict__", None)
    return {**known, **(getattr(value, "__pydantic_extra__", None) or {})} if isinstance(known, dict) else {}


def _mime(family: str, name: str | None) -> str | None:
    return f"{family}/{'svg+xml' if name == 'svg' else name}" if name else None

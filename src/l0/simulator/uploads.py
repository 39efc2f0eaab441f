"""Answer requests that upload a file: transcriptions, streamed or not, and files."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from .answers import pieces
from .dialects.chat_server import CHAT
from .dialects.openai_server import headers
from .dialects.server_dialect import AnswerIdentity, InvalidRequestError
from .http import HttpRequest
from .respond import json_response, stream_headers
from .sse_writer import block
from .steps import Send, SimulatedResponse

TRANSCRIPT = "The harbour is quiet, and the night ferry leaves before the morning tide."
_BOUNDARY = re.compile(r'(?i)^multipart/form-data;.*boundary="?([^";]+)"?')
_FIELD = re.compile(rb'(?i)content-disposition:[^\r\n]*?[; ]name="([^"]*)"(?:; filename="([^"]*)")?')


def uploaded(request: HttpRequest, identity: AnswerIdentity) -> SimulatedResponse | None:
    """Return the response to an upload; None for other requests. Raises `InvalidRequestError` without a file."""
    is_transcription = request.path.endswith("/audio/transcriptions")
    if request.method != "POST" or not (is_transcription or request.path.endswith("/files")):
        return None
    form = _form(request)
    if "file" not in form:
        raise InvalidRequestError("file: a form with a file is required.")
    filename, content = form["file"]
    if is_transcription:
        return _transcribed(form, identity)
    return json_response(200, _file(filename, content, form, identity), headers(identity))


def _transcribed(form: dict[str, tuple[str, bytes]], identity: AnswerIdentity) -> SimulatedResponse:
    if form.get("stream", ("", b""))[1] == b"true":
        steps = tuple(Send(event, 1) for event in _transcript_events())
        return SimulatedResponse(status=200, headers=stream_headers(CHAT, identity), steps=steps)
    return json_response(200, {"text": TRANSCRIPT}, headers(identity))


def _transcript_events() -> Iterator[bytes]:
    for piece in pieces(TRANSCRIPT):
        yield block({"type": "transcript.text.delta", "delta": piece})
    yield block({"type": "transcript.text.done", "text": TRANSCRIPT})


def _file(
    filename: str, content: bytes, form: dict[str, tuple[str, bytes]], identity: AnswerIdentity
) -> dict[str, Any]:
    return {
        "id": f"file-{hashlib.sha256(content).hexdigest()[:24]}",
        "object": "file",
        "bytes": len(content),
        "created_at": identity.created,
        "filename": filename,
        "purpose": form.get("purpose", ("", b""))[1].decode(errors="replace"),
        "status": "processed",
    }


def _form(request: HttpRequest) -> dict[str, tuple[str, bytes]]:
    """Return file name and content of each field of a form."""
    boundary = _BOUNDARY.match(request.headers.get("content-type", ""))
    fields = dict[str, tuple[str, bytes]]()
    for part in request.body.split(b"--" + boundary[1].encode())[1:-1] if boundary else ():
        head, _, content = part.partition(b"\r\n\r\n")
        if field := _FIELD.search(head):
            name, filename = (each.decode(errors="replace") if each else "" for each in field.groups())
            fields[name] = filename, content.removesuffix(b"\r\n")
    return fields

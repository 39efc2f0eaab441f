"""Compare a request with recorded ones: by method, path, query and body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from l0.recording.field_differences import FieldDifference, field_differences
from l0.recording.redaction import is_secret

from .cassette_entry import CassetteRequest


def differences(recorded: CassetteRequest, sent: CassetteRequest, ignore: Sequence[str]) -> list[FieldDifference]:
    """Return the fields in which two requests differ. The host does not count. ``ignore``: names of further fields."""
    found = field_differences(_fields(recorded), _fields(sent))
    return [difference for difference in found if not any(_is_within(difference.field, name) for name in ignore)]


def _fields(request: CassetteRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    query = {name: value for name, value in parse_qsl(url.query, keep_blank_values=True) if not is_secret(name)}
    body = request.body
    fields = {"method": request.method, "path": url.path, "query": query}
    if isinstance(body, dict) and isinstance(body.get("json"), dict):
        return fields | {"": body["json"]}  # so that the fields of the body have no prefix
    return fields | {"body": body["json"] if isinstance(body, dict) and "json" in body else body}


def _is_within(field: str, name: str) -> bool:
    return field == name or field.startswith((f"{name}.", f"{name}["))

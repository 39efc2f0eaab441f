"""Compare a request with recorded ones: by method, path, query and body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from l0.recording.redaction import is_secret

from .cassette_entry import CassetteRequest

_MASK = re.compile(r"\\\*(?:\\\*){7,}")
"""Eight or more asterisks in an escaped pattern: a secret was here, and today's may be another."""


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that differs. A value that is absent is `ABSENT`."""

    field: str
    recorded: Any
    sent: Any


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


def differences(recorded: CassetteRequest, sent: CassetteRequest, ignore: Sequence[str]) -> list[FieldDifference]:
    """Return the fields in which two requests differ. The host does not count."""
    found = _compare("", _fields(recorded), _fields(sent))
    return [one for one in found if not any(_is_within(one.field, name) for name in ignore)]


def distance(found: Sequence[FieldDifference]) -> tuple[int, int, float]:
    """Return how far a request with these differences is from its recording: the smallest is the nearest."""
    elsewhere = sum(one.field in ("method", "path") for one in found)
    unlike = sum(1 - SequenceMatcher(None, str(one.recorded)[:500], str(one.sent)[:500]).ratio() for one in found[:20])
    return elsewhere, len(found), unlike


def _fields(request: CassetteRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    query = {name: value for name, value in parse_qsl(url.query, keep_blank_values=True) if not is_secret(name)}
    body = request.body
    whole = {"method": request.method, "path": url.path, "query": query}
    if isinstance(body, dict) and isinstance(body.get("json"), dict):
        return whole | {"": body["json"]}
    return whole | {"body": body["json"] if isinstance(body, dict) and "json" in body else body}


def _compare(place: str, recorded: Any, sent: Any) -> Iterator[FieldDifference]:
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in [*recorded, *(name for name in sent if name not in recorded)]:
            inner = f"{place}.{name}" if place and name else place or name
            yield from _compare(inner, recorded.get(name, ABSENT), sent.get(name, ABSENT))
    elif isinstance(recorded, list) and isinstance(sent, list):
        for index in range(max(len(recorded), len(sent))):
            one = recorded[index] if index < len(recorded) else ABSENT
            other = sent[index] if index < len(sent) else ABSENT
            yield from _compare(f"{place}[{index}]", one, other)
    elif not _is_equal(recorded, sent):
        yield FieldDifference(place, recorded, sent)


def _is_equal(recorded: Any, sent: Any) -> bool:
    if isinstance(recorded, bool) is not isinstance(sent, bool):
        return False  # in JSON true is not 1
    if recorded == sent:
        return True
    if not (isinstance(recorded, str) and isinstance(sent, str) and "*" * 8 in recorded):
        return False
    return re.fullmatch(_MASK.sub(".+", re.escape(recorded)), sent, re.DOTALL) is not None


def _is_within(field: str, name: str) -> bool:
    return field == name or field.startswith((f"{name}.", f"{name}["))

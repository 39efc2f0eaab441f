"""Compare two JSON values field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

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


def distance(found: Sequence[FieldDifference]) -> tuple[int, int, float]:
    """Return how far a request with these differences is from its recording: the smallest is the nearest."""
    elsewhere = sum(one.field in ("method", "path") for one in found)
    unlike = sum(1 - SequenceMatcher(None, str(one.recorded)[:500], str(one.sent)[:500]).ratio() for one in found[:20])
    return elsewhere, len(found), unlike


def field_differences(recorded: Any, sent: Any, place: str = "") -> Iterator[FieldDifference]:
    """Yield the fields in which two values differ. ``place``: the name of the values themselves."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in [*recorded, *(name for name in sent if name not in recorded)]:
            inner = f"{place}.{name}" if place and name else place or name
            yield from field_differences(recorded.get(name, ABSENT), sent.get(name, ABSENT), inner)
    elif isinstance(recorded, list) and isinstance(sent, list):
        for index in range(max(len(recorded), len(sent))):
            one = recorded[index] if index < len(recorded) else ABSENT
            other = sent[index] if index < len(sent) else ABSENT
            yield from field_differences(one, other, f"{place}[{index}]")
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

"""Compare two JSON values field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_MASK = re.compile(r"\\\*(?:\\\*){7,}")
"""Eight or more asterisks in an escaped pattern: they replaced a secret, which may be another one today."""
_COMPARED = 20
"""Texts that `distance` compares, so that it takes bounded time."""
_COMPARED_CHARS = 500
"""Characters of each of them."""


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
    """Return a key that sorts recorded requests by their differences from a sent one, the nearest first.

    It consists of the number of differences in method and path, the number of all differences, and the dissimilarity
    of the differing values.
    """
    in_address = sum(difference.field in ("method", "path") for difference in found)
    return in_address, len(found), sum(map(_dissimilarity, found[:_COMPARED]))


def _dissimilarity(difference: FieldDifference) -> float:
    recorded, sent = (str(value)[:_COMPARED_CHARS] for value in (difference.recorded, difference.sent))
    return 1 - SequenceMatcher(None, recorded, sent).ratio()


def field_differences(recorded: Any, sent: Any, place: str = "") -> Iterator[FieldDifference]:
    """Yield the fields in which two values differ. ``place``: the name of the field that has these values."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in [*recorded, *(name for name in sent if name not in recorded)]:
            inner = f"{place}.{name}" if place and name else place or name
            yield from field_differences(recorded.get(name, ABSENT), sent.get(name, ABSENT), inner)
    elif isinstance(recorded, list) and isinstance(sent, list):
        for index in range(max(len(recorded), len(sent))):
            recorded_item = recorded[index] if index < len(recorded) else ABSENT
            sent_item = sent[index] if index < len(sent) else ABSENT
            yield from field_differences(recorded_item, sent_item, f"{place}[{index}]")
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

"""What a schema says of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .edits import Edit

Path = tuple[str | int, ...]


class MismatchError(ValueError):
    """JSON that is not what the schema says. Fields as in `Invalid`."""

    def __init__(self, reason: str, path: Path, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.path = path
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A valid answer. ``value``: the model's instance, or plain Python for a JSON Schema. ``text``: the JSON that it
    was read from. ``edits``: how that differs from the answer; none where the answer was JSON."""

    value: Any
    text: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """No valid answer.

    ``reason``: short, of a bounded set, never a quotation: a kind of pydantic error (``"missing"``), a keyword of JSON
    Schema (``"required"``), or why the text is no JSON. ``path``: to the offending place, keys and indices; they may be
    the answer's own words. ``detail``: for a person, and may quote the answer.
    """

    reason: str
    path: Path = ()
    detail: str = ""
    edits: tuple[Edit, ...] = ()

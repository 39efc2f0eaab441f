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


class UncheckedError(MismatchError):
    """A check that was given up: nobody knows if the JSON is what the schema says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, (), reason)


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
    the answer's own words. ``detail``: for a person, and may quote the answer. ``checked``: false if the check took
    longer than its budget; an answer that cannot be checked is not valid.
    """

    reason: str
    path: Path = ()
    detail: str = ""
    edits: tuple[Edit, ...] = ()
    checked: bool = True

    @property
    def flaw(self) -> str:
        """Return what is wrong, to follow the words for what was checked. It quotes nothing."""
        return f"does not fit the schema: {self.reason}" if self.checked else f"could not be checked: {self.reason}"

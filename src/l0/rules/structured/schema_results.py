"""Define the results of a validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .edits import Edit

Path = tuple[str | int, ...]


class MismatchError(ValueError):
    """JSON that does not match the schema. The fields are those of `Invalid`."""

    def __init__(self, reason: str, path: Path, detail: str, place: str = "", problem: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.path = path
        self.detail = detail
        self.place = place
        self.problem = problem or reason


class UncheckedError(MismatchError):
    """A check that was stopped: whether the JSON matches the schema is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, (), reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A valid answer.

    ``value``: the instance of a model, or plain Python values for a JSON Schema. ``text``: the JSON that was parsed.
    ``edits``: differences between ``text`` and the answer; empty if the answer was JSON.
    """

    value: Any
    text: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """An invalid answer.

    ``reason``: short, of a bounded set, without quotations: a kind of pydantic error (``"missing"``), a keyword of JSON
    Schema (``"required"``), or the reason why the text is not JSON. ``path``: keys and indices to the invalid value;
    keys may come from the answer. ``place``: the same place without quotations, such as ``$.ports[3].city``, with ``*``
    for keys that the schema does not declare; empty for the whole answer. ``detail``: a message for people, which may
    quote the answer. ``checked``: false if the check exceeded its time budget; an answer that cannot be checked is
    invalid. ``problem``: up to three defects in words, such as ``missing at $.city, not an integer at $.ferries``,
    without quotations. The other fields describe the first defect.
    """

    reason: str
    path: Path = ()
    detail: str = ""
    edits: tuple[Edit, ...] = ()
    checked: bool = True
    place: str = ""
    problem: str = ""

    @property
    def flaw(self) -> str:
        """Return what is wrong, as a phrase to append to a subject. It does not quote the answer."""
        verb = "does not fit the schema" if self.checked else "could not be checked"
        return f"{verb}: {self.problem or self.reason}"

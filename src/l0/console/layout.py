"""The signs of the console and the width of its rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """One sign for each result of a call, and those that draw the tree of its attempts."""

    whole: str
    recovered: str
    doubtful: str
    failed: str
    cancelled: str
    branch: str
    last_branch: str
    stem: str


UNICODE = Signs(
    whole="\u2713",
    recovered="\u21bb",
    doubtful="!",
    failed="\u2717",
    cancelled="\u2013",
    branch="\u251c",
    last_branch="\u2514",
    stem="\u2502",
)
ASCII = Signs(whole="+", recovered="~", doubtful="!", failed="x", cancelled="-", branch="|", last_branch="`", stem="|")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLayout:
    """``width``: columns of a row; ``None`` if the output is not a terminal: lines are not wrapped."""

    width: int | None = None
    signs: Signs = UNICODE


def signs_for(encoding: str | None) -> Signs:
    """Return signs that the encoding of the output can represent."""
    try:
        "".join(getattr(UNICODE, name) for name in Signs.__slots__).encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE

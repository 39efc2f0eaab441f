"""Repair JSON that does not parse by named edits. Text that parses is never changed.

Existing libraries parse leniently and serialize again: they do not keep untouched values byte for byte, and do not name
their changes. An edit here is a place, a number of removed characters and an inserted text; all other text stays
unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import jiter

from l0.migration import RepairAliases

from .edits import Edit, EditKind, apply
from .json_locator import JsonLocator, JsonSpan
from .json_repairer import JsonRepairer, UnclearError
from .json_scanner import JsonScanner, ScanStatus

_lead = re.compile(r"\s*+[{\[]").match
_member = re.compile(r'\{\s*+"[^"\n]*+"\s*+:').search
_key = re.compile(r"""["']\s*+:\s*+\Z""").search
_inline_code = re.compile(r"`[^`\n]*+`")
_begins_like_json = re.compile(r"""\{\s*+["'\u201cA-Za-z_}]|\[\s*+["'\u201c{\[\]]""").search
_opening_fence = re.compile(r"(?:\A|(?<=\n))[ \t]*+(?:`{3,}+|~{3,}+)[^\n]*+\n\s*+\Z").search
_closing_fence = re.compile(r"\s*+(?:`{3,}+|~{3,}+)[ \t]*+(?=\r?\n|\Z)").match
_fence_line = re.compile(r"\r?\n[ \t]*+(?:`{3,}+|~{3,}+)[ \t]*+(?=\r?\n|\Z)").finditer
_stray = re.compile(r"\s*+[\]},]").match
_more = re.compile(r"""\s*+["'{\[]|[ \t]*+[0-9]""").match
_non_blank = re.compile(r"\S").search


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired(RepairAliases):
    """JSON text. ``edits``: changes to the given text, in order; empty if it was JSON."""

    text: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrepairable:
    """A text that is not JSON and has no single repair.

    ``reason``: one of a bounded set. ``at``: the number of characters before the defect.
    """

    reason: str
    at: int


def is_json(text: str) -> bool:
    """Return True if a text is one JSON value according to RFC 8259."""
    try:
        jiter.from_json(text.encode(), cache_mode="none", allow_inf_nan=False)
    except ValueError:  # jiter limits nesting and rejects lone surrogates, so the scanner decides
        scanner = JsonScanner()
        scanner.feed(text)
        return scanner.status is ScanStatus.COMPLETE
    return True


def repair_json(text: str) -> Repaired | Unrepairable:
    """Repair a text that should be JSON. Return `Repaired`, unchanged if the text parses, or else `Unrepairable`.

    L0 repairs only objects and arrays, also among prose and in fences. Do not use this for the arguments of a tool
    call: nobody can know what a truncated call meant.
    """
    if is_json(text):
        return Repaired(text=text)
    try:
        edits = sorted(_edits(text), key=lambda edit: edit.at)
    except UnclearError as unclear:
        return Unrepairable(reason=unclear.reason, at=unclear.at)
    repaired = apply(text, edits)
    if not is_json(repaired):
        return Unrepairable(reason="the repaired text does not parse", at=0)
    return Repaired(text=repaired, edits=tuple(edits))


def _edits(text: str) -> list[Edit]:
    found: list[JsonSpan] = []
    locator = JsonLocator(found.append)
    locator.feed(text)
    locator.finish()
    lead = _lead(text)
    if lead is not None and all(value.start >= lead.end() for value in found):
        try:  # the text begins like JSON, but is so unusual that the search took it for prose
            return _around(text, JsonSpan(start=lead.end() - 1, end=None, firm=False))
        except UnclearError:
            if not found:
                raise
    return _around(text, _select(text, found))


def _select(text: str, found: list[JsonSpan]) -> JsonSpan:
    """Return the only value of the text. Raises `UnclearError` if there are several or none."""
    values = [value for value in found if value.firm] or found
    if len(values) > 1:
        raise UnclearError("more than one JSON value", values[1].start)
    if values:
        return values[0]
    beginning = _begins_like_json(text)
    if beginning is None:
        raise UnclearError("no JSON object or array", 0)
    return JsonSpan(start=beginning.start(), end=None, firm=False)


def _around(text: str, value: JsonSpan) -> list[Edit]:
    """Return the edits of a value and of the text around it."""
    before = _before(text, value.start)
    if value.end is not None:
        return [*before, *_after(text, value.end)]
    fenced = any(edit.kind is EditKind.FENCE for edit in before)
    repairer = JsonRepairer(text, value.start, _fence_end(text, value.start) if fenced else len(text))
    repairer.repair()
    return [*before, *repairer.edits, *_after(text, repairer.end)]


def _prose(text: str, at: int, end: int) -> list[Edit]:
    """Return the edits that remove prose. Raises `UnclearError` if it contains a JSON value."""
    if not _non_blank(text, at, end):
        return []
    if other := _member(_inline_code.sub("", text[at:end])):
        raise UnclearError("more than one JSON value", at + other.start())
    return [Edit(kind=EditKind.PROSE, at=at, removed=end - at)]


def _before(text: str, start: int) -> list[Edit]:
    """Return the edits that remove the text before the value."""
    fence = _opening_fence(text, 0, start)
    prose = start if fence is None else fence.start()
    if _key(text, 0, prose):
        raise UnclearError("a key without an object", 0)
    edits = _prose(text, 0, prose)
    if fence is not None:
        edits.append(Edit(kind=EditKind.FENCE, at=prose, removed=start - prose))
    return edits


def _fence_end(text: str, start: int) -> int:
    """Return the end of the fence around the value: the last line that may close it."""
    ends = [line.start() for line in _fence_line(text, start)]
    return ends[-1] if ends else len(text)


def _after(text: str, end: int) -> list[Edit]:
    """Return the edits that remove the text after the value. Raises `UnclearError` if it may belong to the value."""
    edits = []
    while stray := _stray(text, end):
        kind = EditKind.EXTRA_COMMA if stray[0][-1] == "," else EditKind.STRAY_BRACKET
        edits.append(Edit(kind=kind, at=stray.end() - 1, removed=1))
        end = stray.end()
    if _more(text, end):
        raise UnclearError("extra text after the value", end)
    if fence := _closing_fence(text, end):
        edits.append(Edit(kind=EditKind.FENCE, at=end, removed=len(fence[0])))
        end = fence.end()
    return [*edits, *_prose(text, end, len(text))]

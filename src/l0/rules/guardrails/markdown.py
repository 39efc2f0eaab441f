"""Report broken Markdown: open code fences, table rows of the wrong size, lists that skip numbers, cut-off endings.

Blocks follow CommonMark, and tables GitHub Flavored Markdown. Each line is checked when it is complete. The content of
fences is not checked. Each kind of problem is reported once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from l0.model.rule import Ending, Severity, Violation

from ..families import Family
from ..markdown_tables import count_cells
from .lines import Lines

_QUOTED = r"(?:[ \t]*>)*[ \t]*"
_FENCE = re.compile(_QUOTED + r"(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*$)|~{3,})")
_CLOSING = re.compile(_QUOTED + r"(`{3,}|~{3,})[ \t\r]*")
_DELIMITERS = re.compile(r"\|?(?:[ \t]*:?-+:?[ \t]*\|)*(?:[ \t]*:?-+:?)?")
_ITEM = re.compile(r"([ \t]*)(?:([-*+])|([0-9]{1,9})[.)])(?:[ \t]|$)")
_TICKS = re.compile(r"`+")
_BOLD = re.compile(r"(?:^|(?<=[\s\"']))\*\*(?=[^\s*])")
_BOLD_END = re.compile(r"(?<=[^\s*])\*\*(?![\w*])")
_OPEN_LINK = re.compile(r"\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\Z")
_BEGINS_ITEM = frozenset(" \t-*+0123456789")
_BARE_MARKER = re.compile(r"[ \t]*(?:#{1,6}|[-*+]|!?\[[^\]]{0,200})")
_BARE_NUMBER = re.compile(r"[ \t]*[0-9]{1,9}[.)]")
_CHECKED_END = 4000
"""Characters at the end of the last line that are checked for open markup."""

_FAMILIES = frozenset({Family.MARKDOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkdownRule:
    """A rule for complete Markdown. ``severity``: the severity of an open code fence; all other problems are warnings.

    An open fence is worse than the rest, since everything after it is shown as code.
    """

    severity: Severity = Severity.WARNING
    name: str = "markdown"
    span: int | None = None

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return {Family.MARKDOWN: self.severity}

    def check(self) -> MarkdownCheck:
        """Return the check of one answer."""
        return MarkdownCheck(self)


class MarkdownCheck:
    """The check of one answer, with its open blocks.

    ``_header``: cells of the previous line. ``_columns``: columns of the table that the previous line belongs to.
    ``_numbers``: number of the last list item, by indent; ``None`` for a bullet. ``_blank``: the previous line was
    empty.
    """

    __slots__ = ("_blank", "_columns", "_fence", "_fence_at", "_header", "_lines", "_numbers", "_reported", "_rule")

    def __init__(self, rule: MarkdownRule) -> None:
        self._rule = rule
        self._lines = Lines()
        self._fence = ""
        self._fence_at = 0
        self._header = 0
        self._columns = 0
        self._numbers: dict[int, int | None] = {}
        self._blank = False
        self._reported: set[str] = set()

    def feed(self, text: str) -> Sequence[Violation]:
        """Check the lines that are complete."""
        lines = self._lines.feed(text)
        if not lines:
            return ()
        found: list[Violation] = []
        at = self._lines.at
        for line in lines:
            # Two substring tests are cheaper than the fence's regular expression on every line.
            if self._fence or "```" in line or "~~~" in line:
                self._fences(line, at)
            else:
                self._block(line, at, found)
            at += len(line) + 1
        self._lines.at = at
        return found

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - other output does not complete Markdown
        """Check the last line, and return violations for open blocks and markup."""
        line, at = self._lines.rest(), self._lines.at
        began_in_fence = bool(self._fence)
        if line:
            self._fences(line, at)
        if self._fence:
            message = "a code fence is never closed"
            return (self._violation(message, self._rule.severity, self._fence_at, None),)
        found: list[Violation] = []
        if began_in_fence:
            return found
        end = _broken_end(line, in_table=bool(self._columns), in_list=bool(self._numbers))
        if end:
            self._report(found, "end", end, at, at + len(line))
        elif line:
            self._block(line, at, found)
        return found

    def _fences(self, line: str, at: int) -> None:
        if self._fence:
            closing = _CLOSING.fullmatch(line)
            if closing and closing[1].startswith(self._fence):
                self._fence = ""
            return
        opening = _FENCE.match(line)
        if opening:
            self._fence, self._fence_at = opening[1], at
            self._header = self._columns = 0

    def _block(self, line: str, at: int, found: list[Violation]) -> None:
        if "|" in line:
            self._table(line, at, found)
        else:
            self._header = self._columns = 0
        item = _ITEM.match(line) if line[:1] in _BEGINS_ITEM else None
        if item:
            self._list(item, at, found)
        elif not line.strip():
            self._blank = True
            return
        elif line[0] == "#" or (self._blank and line[0] not in " \t"):
            self._numbers.clear()
        self._blank = False

    def _table(self, line: str, at: int, found: list[Violation]) -> None:
        cells, end = count_cells(line), at + len(line)
        if self._columns:
            if cells != self._columns:
                self._report(found, "table", f"a table row has {cells} cells, its header has {self._columns}", at, end)
        elif self._header and "-" in line and _DELIMITERS.fullmatch(line.strip()):
            if cells == self._header:
                self._columns = cells
            else:
                message = f"a table header has {self._header} cells, the line below it {cells}"
                self._report(found, "table", message, at, end)
        self._header = cells

    def _list(self, item: re.Match[str], at: int, found: list[Violation]) -> None:
        indent = len(item[1].expandtabs(4))
        for deeper in [known for known in self._numbers if known > indent]:
            del self._numbers[deeper]
        number = int(item[3]) if item[3] else None
        before = self._numbers.get(indent)
        self._numbers[indent] = number
        # A list may use one number for all items, and the next list may start again.
        if number is not None and before is not None and number not in {before, before + 1, 0, 1}:
            self._report(found, "list", f"a list goes from {before} to {number}", at, at + len(item.string))

    def _report(self, found: list[Violation], kind: str, message: str, start: int, end: int) -> None:
        """Report a problem of a line. A cut-off ending is placed at the end of its line, all others at its start."""
        if kind not in self._reported:
            self._reported.add(kind)
            at = end if kind == "end" else start
            found.append(self._violation(message, Severity.WARNING, at, (start, end)))

    def _violation(
        self, message: str, severity: Severity, at: int, passage: tuple[int, int | None] | None
    ) -> Violation:
        return Violation(
            rule=self._rule.name, message=message, severity=severity, at=at, families=_FAMILIES, passage=passage
        )


def _broken_end(line: str, *, in_table: bool, in_list: bool) -> str | None:
    """Return a message if the last line leaves markup open, else ``None``."""
    text = line.rstrip()[-_CHECKED_END:]
    if in_table and text.startswith("|") and not text.endswith("|"):
        return "the answer ends inside a table row"
    if _BARE_MARKER.fullmatch(text) or (in_list and _BARE_NUMBER.fullmatch(text)):
        return "the answer ends with a Markdown marker without text"
    prose = _without_code(text)
    if prose is None:
        return "the answer ends inside a code span"
    if "**" in prose and len(_BOLD.findall(prose)) > len(_BOLD_END.findall(prose)):
        return "the answer ends inside bold text"
    if _OPEN_LINK.search(prose):
        return "the answer ends inside a link"
    return None


def _without_code(text: str) -> str | None:
    """Return the text without code spans; ``None`` if one is open. A span ends with as many ticks as it began with."""
    if "`" not in text:
        return text
    kept = ""
    start = 0
    ticks = list(_TICKS.finditer(text))
    while ticks:
        opening = ticks.pop(0)
        closing = next((number for number, tick in enumerate(ticks) if tick[0] == opening[0]), None)
        if closing is None:
            return None
        kept += text[start : opening.start()]
        start = ticks[closing].end()
        del ticks[: closing + 1]
    return kept + text[start:]

"""Report broken LaTeX: unbalanced environments and delimiters, and unclosed groups in mathematics.

Each line is checked when it is complete. Code fences and code spans are skipped. A single ``$`` is not checked: it may
be a currency sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from l0.model.rule import Ending, Severity, Violation

from ..families import Family
from .lines import Lines

_TOKEN = re.compile(
    r"\\(begin|end)[ \t]*\{([^{}\n]{1,40})\}"  # an environment
    r"|\\(left|right)(?![a-zA-Z])"
    r"|\\([\[\]()])"  # a delimiter
    r"|\\."  # any other command, an escaped brace or dollar
    r"|(\$\$)"
    r"|([{}])"
)
_CODE = re.compile(r"(?<!`)(`++)[^`]++\1")
_OPENER_OF = {"]": r"\[", ")": r"\("}
_CLOSER_OF = {r"\[": r"\]", r"\(": r"\)", "$$": "$$"}
_FENCE = re.compile(r"[ \t>]*```+[ \t]*(\w*)")
_CHECKED_LANGUAGES = {None, "latex", "tex", "math"}
"""Fence languages whose content is checked as LaTeX; ``None``: outside fences."""
_VERBATIM = {"verbatim", "lstlisting", "minted", "comment", "Verbatim"}

_FAMILIES = frozenset({Family.LATEX})


@dataclass(frozen=True, slots=True, kw_only=True)
class LatexRule:
    """A rule for balanced LaTeX. ``severity``: the severity of all violations."""

    severity: Severity = Severity.ERROR
    name: str = "latex"
    span: int | None = None

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return {Family.LATEX: self.severity}

    def check(self) -> LatexCheck:
        """Return the check of one answer."""
        return LatexCheck(self)


@dataclass(slots=True)
class _Open:
    r"""An open environment or delimiter.

    ``braces``, ``sides``: number of open groups and of open ``\left`` inside it.
    """

    opener: str
    at: int
    environment: bool
    braces: int = 0
    sides: int = 0


class LatexCheck:
    """The check of one answer, with the stack of open items.

    Only the first violation is reported, since later ones usually follow from it.
    """

    __slots__ = ("_done", "_fence", "_lines", "_rule", "_stack")

    def __init__(self, rule: LatexRule) -> None:
        self._rule = rule
        self._lines = Lines()
        self._stack: list[_Open] = []
        self._fence: str | None = None
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Check the lines that are complete."""
        if self._done:
            return ()
        lines = self._lines.feed(text)
        for line in lines:
            found = self._line(line, self._lines.at)
            if found:
                self._done = True
                return (found,)
            self._lines.at += len(line) + 1
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - other output does not close LaTeX
        """Check the last line, and return a violation if an item is still open."""
        if self._done:
            return ()
        found = self._line(self._lines.rest(), self._lines.at)
        if not found and self._stack:
            found = self._never_closed(self._stack[-1])
        return (found,) if found else ()

    def _line(self, line: str, at: int) -> Violation | None:
        fence = _FENCE.match(line) if "```" in line else None
        if fence:
            self._fence = fence[1].lower() if self._fence is None else None
        if fence or self._fence not in _CHECKED_LANGUAGES:
            return None
        # A blank line ends a paragraph, and inline mathematics cannot continue in the next one.
        if self._stack and self._stack[-1].opener == r"\(" and not line.strip():
            return self._never_closed(self._stack[-1])
        if not ("\\" in line or "$$" in line or (self._stack and ("{" in line or "}" in line))):
            return None
        if "`" in line:
            line = _CODE.sub(lambda code: " " * len(code[0]), line)
        for token in _TOKEN.finditer(line):
            found = self._token(token, at + token.start())
            if found:
                return found
        return None

    def _token(self, token: re.Match[str], at: int) -> Violation | None:
        command, environment, side, bracket, dollars, brace = token.groups()
        innermost = self._stack[-1] if self._stack else None
        if innermost and innermost.opener in _VERBATIM:
            if command == "end" and environment == innermost.opener:
                self._stack.pop()
            return None
        if command == "begin":
            self._stack.append(_Open(environment, at, environment=True))
        elif command == "end":
            return self._end(environment, at)
        elif dollars:
            return self._close("$$", at) if innermost and innermost.opener == "$$" else self._open("$$", at)
        elif bracket in _OPENER_OF:
            return self._close(_OPENER_OF[bracket], at)
        elif bracket:
            return self._open("\\" + bracket, at)
        elif innermost and side:
            innermost.sides += 1 if side == "left" else -1
        elif innermost and brace:
            innermost.braces += 1 if brace == "{" else -1
            if innermost.braces < 0:
                return self._violation(f"a brace in {_description(innermost)} closes nothing", at)
        return None

    def _open(self, opener: str, at: int) -> Violation | None:
        # Text inside mathematics, such as \text{\(x\)}, may contain mathematics. If it is not inside a group, the outer
        # mathematics was never closed.
        innermost = self._stack[-1] if self._stack else None
        if innermost and not innermost.environment and not innermost.braces:
            return self._never_closed(innermost)
        self._stack.append(_Open(opener, at, environment=False))
        return None

    def _close(self, opener: str, at: int) -> Violation | None:
        if not self._stack or self._stack[-1].opener != opener:
            if self._stack:
                return self._violation(f"{_description(self._stack[-1])} is not closed before {_CLOSER_OF[opener]}", at)
            return self._violation(f"{_CLOSER_OF[opener]} closes nothing", at)
        return self._check_closed(self._stack.pop())

    def _end(self, environment: str, at: int) -> Violation | None:
        if not self._stack:
            return self._violation("an environment is closed but was never opened", at)
        innermost = self._stack[-1]
        if innermost.opener != environment or not innermost.environment:
            return self._violation(f"{_description(innermost)} is not closed before the end of another", at)
        return self._check_closed(self._stack.pop())

    def _check_closed(self, closed: _Open) -> Violation | None:
        if closed.braces:
            return self._violation(f"a brace in {_description(closed)} is not closed", closed.at)
        if closed.sides:
            return self._violation(rf"\left and \right in {_description(closed)} do not pair", closed.at)
        return None

    def _never_closed(self, opened: _Open) -> Violation:
        return self._violation(f"{_description(opened)} is never closed", opened.at)

    def _violation(self, message: str, at: int) -> Violation:
        rule = self._rule
        return Violation(rule=rule.name, message=message, severity=rule.severity, at=at, families=_FAMILIES)


def _description(opened: _Open) -> str:
    """Return a description without the environment's name, since that name comes from the answer."""
    return "an environment" if opened.environment else opened.opener

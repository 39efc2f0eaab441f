r"""LaTeX that is broken: environments and delimiters that do not pair, groups in mathematics that do not close.

Judged line by line as each line is complete, outside of code fences and code spans. A single ``$`` is not judged: it
may be money.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from l0.values.rules import Ending, Severity, Violation

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
_CLOSES = {"]": r"\[", ")": r"\("}
_PAIR = {r"\[": r"\]", r"\(": r"\)", "$$": "$$"}
_FENCE = re.compile(r"[ \t>]*```+[ \t]*(\w*)")
_JUDGED = {None, "latex", "tex", "math"}
"""Languages of a code fence in which LaTeX is no example of something else; ``None`` is no fence."""
_VERBATIM = {"verbatim", "lstlisting", "minted", "comment", "Verbatim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatexRule:
    """``severity``: of everything that it finds."""

    severity: Severity = Severity.ERROR
    name: str = "latex"
    span: int | None = None

    def check(self) -> LatexCheck:
        """A check of one more answer."""
        return LatexCheck(self)


@dataclass(slots=True)
class _Open:
    """What was opened and is not closed yet. ``braces``, ``sides``: groups and ``\\left`` in it that are open."""

    what: str
    at: int
    environment: bool
    braces: int = 0
    sides: int = 0


class LatexCheck:
    """The stack of what is open. The first thing that does not fit is told, and nothing after it: the rest would only
    follow from it."""

    __slots__ = ("_done", "_fence", "_lines", "_rule", "_stack")

    def __init__(self, rule: LatexRule) -> None:
        self._rule = rule
        self._lines = Lines()
        self._stack: list[_Open] = []
        self._fence: str | None = None
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Judges the lines that are complete by now."""
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

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - what is open is, whatever follows
        """What the end leaves open."""
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
        if fence or self._fence not in _JUDGED:
            return None
        if self._stack and self._stack[-1].what == r"\(" and not line.strip():
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
        inside = self._stack[-1] if self._stack else None
        if inside and inside.what in _VERBATIM:
            if command == "end" and environment == inside.what:
                self._stack.pop()
            return None
        if command == "begin":
            self._stack.append(_Open(environment, at, environment=True))
        elif command == "end":
            return self._end(environment, at)
        elif dollars:
            return self._close("$$", at) if inside and inside.what == "$$" else self._open("$$", at)
        elif bracket in _CLOSES:
            return self._close(_CLOSES[bracket], at)
        elif bracket:
            return self._open("\\" + bracket, at)
        elif inside and side:
            inside.sides += 1 if side == "left" else -1
        elif inside and brace:
            inside.braces += 1 if brace == "{" else -1
            if inside.braces < 0:
                return self._say(f"a brace in {_shown(inside)} closes nothing", at)
        return None

    def _open(self, what: str, at: int) -> Violation | None:
        # Text within mathematics (\text{\(x\)}) may hold mathematics; without a group, one is not closed.
        inside = self._stack[-1] if self._stack else None
        if inside and not inside.environment and not inside.braces:
            return self._never_closed(inside)
        self._stack.append(_Open(what, at, environment=False))
        return None

    def _close(self, what: str, at: int) -> Violation | None:
        if not self._stack or self._stack[-1].what != what:
            if self._stack:
                return self._say(f"{_shown(self._stack[-1])} is not closed before {_PAIR[what]}", at)
            return self._say(f"{_PAIR[what]} closes nothing", at)
        return self._whole(self._stack.pop())

    def _end(self, environment: str, at: int) -> Violation | None:
        if not self._stack:
            return self._say("an environment ends that has not begun", at)
        inside = self._stack[-1]
        if inside.what != environment or not inside.environment:
            return self._say(f"{_shown(inside)} is not closed before the end of another", at)
        return self._whole(self._stack.pop())

    def _whole(self, closed: _Open) -> Violation | None:
        if closed.braces:
            return self._say(f"a brace in {_shown(closed)} is not closed", closed.at)
        if closed.sides:
            return self._say(rf"\left and \right in {_shown(closed)} do not pair", closed.at)
        return None

    def _never_closed(self, opened: _Open) -> Violation:
        return self._say(f"{_shown(opened)} is never closed", opened.at)

    def _say(self, message: str, at: int) -> Violation:
        return Violation(rule=self._rule.name, message=message, severity=self._rule.severity, at=at)


def _shown(opened: _Open) -> str:
    """Never the name that the answer gave an environment."""
    return "an environment" if opened.environment else opened.what

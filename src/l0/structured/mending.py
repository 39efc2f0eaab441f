"""One JSON value that does not parse, from its first bracket on: where it ends, and the edits that make it parse.

It reads as a parser would that forgives, and notes an edit for whatever it forgave. What it understands stays as it is,
character for character. Where two readings are possible it gives up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NoReturn

from .edits import Edit, EditKind
from .strings import CLOSING_QUOTES, mend_string

_CLOSERS = {"{": "}", "[": "]"}
_UNCLOSED = {"}": EditKind.UNCLOSED_OBJECT, "]": EditKind.UNCLOSED_ARRAY}

_blank = re.compile(r"[ \t\r\n]*+").match
_comment = re.compile(r"//[^\n]*+|#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?").match
_fence = re.compile(r"(?:`{3,}+|~{3,}+)[ \t]*+(?:\r?\n|\Z)").match
_bare_key = re.compile(r"[A-Za-z_$][\w$-]*+(?=[ \t]*+(?::|\Z))").match
_token = re.compile(r"""[^\s,:\[\]{}"'/#`]++""").match
_number = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+").fullmatch
_loose_number = re.compile(r"([+-]?)(0|[1-9][0-9]*+|(?=\.[0-9]))(?:(\.)([0-9]*+))?([eE][+-]?[0-9]++)?").fullmatch
_cut_number = re.compile(r"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+)(?:\.|[eE][+-]?)").fullmatch
_structure = re.compile(r"[{}\[\]:]").search
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), "true"),
    **dict.fromkeys(("false", "False", "FALSE"), "false"),
    **dict.fromkeys(("null", "Null", "NULL", "None", "nil", "undefined", "NaN", "Infinity", "-Infinity"), "null"),
}


class UnclearError(ValueError):
    """No repair is known, or more than one. ``at``: the place in the text."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class _Expect(Enum):
    VALUE = auto()
    KEY = auto()
    COLON = auto()
    NEXT = auto()


class Mender:
    """One value. `mend` once; then ``edits`` and ``end`` tell what came of it."""

    def __init__(self, text: str, at: int, end: int) -> None:
        self.edits: list[Edit] = []
        self.end = end
        """Where the text ends that belongs to the value."""
        self._text = text
        self._at = at
        self._open: list[str] = []
        self._closable = dict.fromkeys(_CLOSERS.values(), 0)
        """How many brackets are open of each kind, by what closes them."""
        self._comma: int | None = None
        """The comma that nothing has followed yet."""
        self._member = at
        """Where the last member of an object begins: its comma, or its key."""
        self._expect = _Expect.VALUE

    def mend(self) -> None:
        """Read the value.

        Raises:
            UnclearError: it could not be understood.
        """
        steps: dict[_Expect, Callable[[str], None]] = {
            _Expect.VALUE: self._value,
            _Expect.KEY: self._key,
            _Expect.COLON: self._colon,
            _Expect.NEXT: self._next,
        }
        while self._expect is not _Expect.NEXT or self._open:
            self._skip()
            if self._at >= self.end:
                self._cut()
                return
            steps[self._expect](self._text[self._at])
        self.end = self._at

    # What is expected, and what may stand there instead.

    def _value(self, char: str) -> None:
        if char in CLOSING_QUOTES:
            self._string()
            self._has(_Expect.NEXT)
        elif char in _CLOSERS:
            self._open.append(char)
            self._closable[_CLOSERS[char]] += 1
            self._at += 1
            self._has(_Expect.KEY if char == "{" else _Expect.VALUE)
        elif char in ",]}":
            if self._open[-1] == "{":
                self._note(EditKind.MISSING_VALUE, inserted="null")
                self._has(_Expect.NEXT)
            elif char == ",":
                self._extra_comma()
            else:
                self._close(char)
        elif char == "-" and self._at + 1 == self.end:
            self._note(EditKind.CUT_VALUE, removed=1)
            self._at = self.end
        else:
            self._word()
            self._has(_Expect.NEXT)

    def _key(self, char: str) -> None:
        if self._comma is None:
            self._member = self._at
        if char in CLOSING_QUOTES:
            self._string()
            self._has(_Expect.COLON)
        elif char == ",":
            self._extra_comma()
        elif char in "]}":
            self._close(char)
        elif bare := _bare_key(self._text, self._at, self.end):
            self._note(EditKind.BARE_KEY, inserted='"')
            self._at = bare.end()
            self._note(EditKind.BARE_KEY, inserted='"')
            self._has(_Expect.COLON)
        else:
            self._fail("a key cannot be read")

    def _colon(self, char: str) -> None:
        if char == ":":
            self._at += 1
        elif char in CLOSING_QUOTES or char in "{[-0123456789tfn":
            self._note(EditKind.MISSING_COLON, inserted=":")
        else:
            self._fail("a key without a colon")
        self._expect = _Expect.VALUE

    def _next(self, char: str) -> None:
        if char == ",":
            self._comma = self._member = self._at
            self._at += 1
        elif char in "]}":
            self._close(char)
            return
        elif self._apart(char):
            self._note(EditKind.MISSING_COMMA, inserted=",")
            self._member = self._at
        else:
            self._fail("a comma or a closing bracket was expected")
        self._expect = _Expect.KEY if self._open[-1] == "{" else _Expect.VALUE

    def _apart(self, char: str) -> bool:
        """Whether two values stand side by side: brackets or blanks between them, no stray text of a string."""
        return char in _CLOSERS or self._text[self._at - 1] in "]} \t\r\n"

    # Parts.

    def _string(self) -> None:
        self._at, edits = mend_string(self._text, self._at, self.end)
        self.edits += edits

    def _word(self) -> None:
        """A number or a word, or something like it."""
        found = _token(self._text, self._at, self.end)
        if found is None:
            self._fail("a value cannot be read")
        token = found[0]
        if _number(token) or _WORDS.get(token) == token:
            self._at = found.end()
            return
        if found.end() == self.end and self._cut_word(token):
            return
        if token in _WORDS:
            self._note(EditKind.WORD, removed=len(token), inserted=_WORDS[token])
        elif loose := _loose_number(token):
            sign, whole, point, fraction, exponent = loose.groups("")
            written = f"{sign.rstrip('+')}{whole or '0'}{point and '.'}{fraction or (point and '0')}{exponent}"
            self._note(EditKind.NUMBER, removed=len(token), inserted=written)
        else:
            self._fail("a value cannot be read")
        self._at = found.end()

    def _cut_word(self, token: str) -> bool:
        """Whether the text ends in the middle of this."""
        begun = next((word for word in _WORDS if word.startswith(token)), None)
        number = _cut_number(token)
        if begun is not None:
            self._note(EditKind.CUT_VALUE, removed=len(token), inserted=_WORDS[begun])
        elif number is not None:
            kept = number.end(1)
            self._note_at(EditKind.CUT_VALUE, self._at + kept, removed=len(token) - kept)
        else:
            return False
        self._at = self.end
        return True

    def _extra_comma(self) -> None:
        self._note(EditKind.EXTRA_COMMA, removed=1)
        self._at += 1

    def _close(self, char: str) -> None:
        """A closing bracket, which may close more than it says, or nothing."""
        if not self._closable[char]:
            self._note(EditKind.STRAY_BRACKET, removed=1)
            self._at += 1
            return
        self._drop_comma()
        while (closer := self._pop()) != char:
            self._note(_UNCLOSED[closer], inserted=closer)
        self._at += 1
        self._has(_Expect.NEXT)

    def _cut(self) -> None:
        """The text ends here: what was begun goes, and what is open is closed."""
        in_member = self._open and self._open[-1] == "{"
        if in_member and self._expect in (_Expect.COLON, _Expect.VALUE):
            if self._expect is _Expect.COLON and _structure(self._text, self._member, self.end):
                self._fail("a key that does not end")
            self.edits = [edit for edit in self.edits if edit.at < self._member]
            self._note_at(EditKind.CUT_MEMBER, self._member, removed=self.end - self._member)
        elif not self._open:
            self._fail("there is no value")
        else:
            self._drop_comma()
        self._at = self.end
        while self._open:
            closer = self._pop()
            self._note(_UNCLOSED[closer], inserted=closer)

    # Helpers.

    def _pop(self) -> str:
        """What closes the innermost bracket, which is open no more."""
        closer = _CLOSERS[self._open.pop()]
        self._closable[closer] -= 1
        return closer

    def _has(self, expect: _Expect) -> None:
        """Something stands behind the comma, if there was one."""
        self._comma = None
        self._expect = expect

    def _drop_comma(self) -> None:
        """Nothing stands behind the last comma."""
        if self._comma is None:
            return
        self._note_at(EditKind.EXTRA_COMMA, self._comma, removed=1)
        self._comma = None

    def _skip(self) -> None:
        """Blanks and comments. A closing fence ends the text."""
        while True:
            self._at = _blank(self._text, self._at, self.end).end()  # type: ignore[union-attr]  # matches the empty text
            comment = _comment(self._text, self._at, self.end)
            if comment is None:
                break
            self._note(EditKind.COMMENT, removed=len(comment[0]))
            self._at = comment.end()
        if _fence(self._text, self._at, self.end):
            self.end = self._at

    def _note(self, kind: EditKind, *, removed: int = 0, inserted: str = "") -> None:
        self._note_at(kind, self._at, removed=removed, inserted=inserted)

    def _note_at(self, kind: EditKind, at: int, *, removed: int = 0, inserted: str = "") -> None:
        self.edits.append(Edit(kind=kind, at=at, removed=removed, inserted=inserted))

    def _fail(self, why: str) -> NoReturn:
        raise UnclearError(why, self._at)

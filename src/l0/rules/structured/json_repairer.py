"""Repair one JSON value that does not parse, from its first bracket on: find its end and the edits that fix it.

The repairer reads like a tolerant parser, and records an edit for everything that JSON does not allow. All other text
stays unchanged, character for character. If two readings are possible, the repairer gives up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NoReturn

from .edits import Edit, EditKind
from .json_grammar import CLOSERS
from .json_strings import CLOSING_QUOTES, repair_string

_UNCLOSED = {"}": EditKind.UNCLOSED_OBJECT, "]": EditKind.UNCLOSED_ARRAY}

_blank = re.compile(r"[ \t\r\n]*+").match
_comment = re.compile(r"//[^\n]*+|#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?").match
_fence = re.compile(r"(?:`{3,}+|~{3,}+)[ \t]*+(?:\r?\n|\Z)").match
_bare_key = re.compile(r"[A-Za-z_$][\w$-]*+(?=[ \t]*+(?::|\Z))").match
_token = re.compile(r"""[^\s,:\[\]{}"'/#`]++""").match
_number = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+").fullmatch
_loose_number = re.compile(r"([+-]?)(0|[1-9][0-9]*+|(?=\.[0-9]))(?:(\.)([0-9]*+))?([eE][+-]?[0-9]++)?").fullmatch
_cut_number = re.compile(r"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+)(?:\.|[eE][+-]?)").fullmatch
_data = re.compile(r"""[,"{}\[\]]""").search
_unquoted_item = re.compile(r"#\w[^\s,]*+[ \t]*+,?[ \t]*+\r?").fullmatch
_structure = re.compile(r"[{}\[\]:]").search
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), "true"),
    **dict.fromkeys(("false", "False", "FALSE"), "false"),
    **dict.fromkeys(("null", "Null", "NULL", "None", "nil", "undefined", "NaN", "Infinity", "-Infinity"), "null"),
}


class UnclearError(ValueError):
    """No repair is known, or more than one. ``reason``: a phrase. ``at``: position of the defect in the text."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class _Expect(Enum):
    VALUE = auto()
    KEY = auto()
    COLON = auto()
    NEXT = auto()


class JsonRepairer:
    """The repair of one value. Call `repair` once; then ``edits`` and ``end`` hold the result."""

    def __init__(self, text: str, at: int, end: int) -> None:
        self.edits: list[Edit] = []
        self.end = end
        """End of the text that belongs to the value."""
        self._text = text
        self._at = at
        self._open: list[str] = []
        self._closable = dict.fromkeys(CLOSERS.values(), 0)
        """Number of open brackets of each kind, by closing bracket."""
        self._comma: int | None = None
        """Place of a comma that nothing has followed yet."""
        self._member = at
        """Start of the last member of an object: its comma or its key."""
        self._expect = _Expect.VALUE

    def repair(self) -> None:
        """Read the value and record edits.

        Raises:
            UnclearError: no single repair is possible.
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
                self._end_of_text()
                return
            steps[self._expect](self._text[self._at])
        self.end = self._at

    # One method per expected part. Each one also handles what may occur there by mistake.

    def _value(self, char: str) -> None:
        if char in CLOSING_QUOTES:
            self._string()
            self._expect_next(_Expect.NEXT)
        elif char in CLOSERS:
            self._open.append(char)
            self._closable[CLOSERS[char]] += 1
            self._at += 1
            self._expect_next(_Expect.KEY if char == "{" else _Expect.VALUE)
        elif char in ",]}":
            if self._open[-1] == "{":
                self._edit(EditKind.MISSING_VALUE, inserted="null")
                self._expect_next(_Expect.NEXT)
            elif char == ",":
                self._extra_comma()
            else:
                self._close(char)
        elif char == "-" and self._at + 1 == self.end:
            self._edit(EditKind.CUT_VALUE, removed=1)
            self._at = self.end
        else:
            self._word()
            self._expect_next(_Expect.NEXT)

    def _key(self, char: str) -> None:
        if self._comma is None:
            self._member = self._at
        if char in CLOSING_QUOTES:
            self._string()
            self._expect_next(_Expect.COLON)
        elif char == ",":
            self._extra_comma()
        elif char in "]}":
            self._close(char)
        elif bare := _bare_key(self._text, self._at, self.end):
            self._edit(EditKind.BARE_KEY, inserted='"')
            self._at = bare.end()
            self._edit(EditKind.BARE_KEY, inserted='"')
            self._expect_next(_Expect.COLON)
        else:
            self._fail("a key cannot be read")

    def _colon(self, char: str) -> None:
        if char == ":":
            self._at += 1
        elif char in CLOSING_QUOTES or char in "{[-0123456789tfn":
            self._edit(EditKind.MISSING_COLON, inserted=":")
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
        elif self._is_adjacent(char):
            self._edit(EditKind.MISSING_COMMA, inserted=",")
            self._member = self._at
        else:
            self._fail("a comma or a closing bracket was expected")
        self._expect = _Expect.KEY if self._open[-1] == "{" else _Expect.VALUE

    def _is_adjacent(self, char: str) -> bool:
        """Return True if only brackets or blanks separate two values, and no stray text of a string."""
        return char in CLOSERS or self._text[self._at - 1] in "]} \t\r\n"

    # Parts of values.

    def _string(self) -> None:
        self._at, edits = repair_string(self._text, self._at, self.end)
        self.edits += edits

    def _word(self) -> None:
        """Read a number, a literal, or something similar."""
        found = _token(self._text, self._at, self.end)
        if found is None:
            self._fail("a value cannot be read")
        token = found[0]
        if _number(token) or _WORDS.get(token) == token:
            self._at = found.end()
            return
        if found.end() == self.end and self._repair_cut_token(token):
            return
        if token in _WORDS:
            self._edit(EditKind.WORD, removed=len(token), inserted=_WORDS[token])
        elif loose := _loose_number(token):
            sign, whole, point, fraction, exponent = loose.groups("")
            written = f"{sign.rstrip('+')}{whole or '0'}{point and '.'}{fraction or (point and '0')}{exponent}"
            self._edit(EditKind.NUMBER, removed=len(token), inserted=written)
        else:
            self._fail("a value cannot be read")
        self._at = found.end()

    def _repair_cut_token(self, token: str) -> bool:
        """Complete or shorten a token that the end of the text cuts off. Return False if it is complete."""
        cut_word = next((word for word in _WORDS if word.startswith(token)), None)
        number = _cut_number(token)
        if cut_word is not None:
            self._edit(EditKind.CUT_VALUE, removed=len(token), inserted=_WORDS[cut_word])
        elif number is not None:
            kept = number.end(1)
            self._edit_at(EditKind.CUT_VALUE, self._at + kept, removed=len(token) - kept)
        else:
            return False
        self._at = self.end
        return True

    def _extra_comma(self) -> None:
        self._edit(EditKind.EXTRA_COMMA, removed=1)
        self._at += 1

    def _close(self, char: str) -> None:
        """Read a closing bracket. It may also close inner brackets, or match none."""
        if not self._closable[char]:
            self._edit(EditKind.STRAY_BRACKET, removed=1)
            self._at += 1
            return
        self._drop_comma()
        while (closer := self._pop()) != char:
            self._edit(_UNCLOSED[closer], inserted=closer)
        self._at += 1
        self._expect_next(_Expect.NEXT)

    def _end_of_text(self) -> None:
        """Handle the end of the text: remove incomplete parts and close open brackets."""
        in_member = self._open and self._open[-1] == "{"
        if in_member and self._expect in (_Expect.COLON, _Expect.VALUE):
            if self._expect is _Expect.COLON and _structure(self._text, self._member, self.end):
                self._fail("a key that does not end")
            self.edits = [edit for edit in self.edits if edit.at < self._member]
            self._edit_at(EditKind.CUT_MEMBER, self._member, removed=self.end - self._member)
        elif not self._open:
            self._fail("there is no value")
        else:
            self._drop_comma()
        self._at = self.end
        while self._open:
            closer = self._pop()
            self._edit(_UNCLOSED[closer], inserted=closer)

    # Helpers.

    def _pop(self) -> str:
        """Remove the innermost open bracket. Return its closing bracket."""
        closer = CLOSERS[self._open.pop()]
        self._closable[closer] -= 1
        return closer

    def _expect_next(self, expect: _Expect) -> None:
        """Record that something follows the comma, if there was one."""
        self._comma = None
        self._expect = expect

    def _drop_comma(self) -> None:
        """Remove the last comma, since nothing follows it."""
        if self._comma is None:
            return
        self._edit_at(EditKind.EXTRA_COMMA, self._comma, removed=1)
        self._comma = None

    def _skip(self) -> None:
        """Skip blanks and comments. A closing fence ends the text."""
        while True:
            self._at = _blank(self._text, self._at, self.end).end()  # type: ignore[union-attr]  # matches the empty text
            comment = _comment(self._text, self._at, self.end)
            if comment is None:
                break
            if self._may_be_value(comment):
                self._fail("a value cannot be read")
            self._edit(EditKind.COMMENT, removed=len(comment[0]))
            self._at = comment.end()
        if _fence(self._text, self._at, self.end):
            self.end = self._at

    def _may_be_value(self, comment: re.Match[str]) -> bool:
        """Return True if what looks like a comment to the end of the line may be data: a color, a channel or a path
        without quotes, with all that follows it."""
        text, ends_text = comment[0], comment.end() == self.end
        if text.startswith("/*"):
            return False
        if self._expect is _Expect.VALUE and self._open and self._open[-1] == "{":
            following = _blank(self._text, comment.end(), self.end).end()  # type: ignore[union-attr]  # as in `_skip`
            return following >= self.end or self._text[following] in ",]}"
        if self._expect is _Expect.VALUE and _unquoted_item(text):
            return True
        return ends_text and _data(text) is not None

    def _edit(self, kind: EditKind, *, removed: int = 0, inserted: str = "") -> None:
        self._edit_at(kind, self._at, removed=removed, inserted=inserted)

    def _edit_at(self, kind: EditKind, at: int, *, removed: int = 0, inserted: str = "") -> None:
        self.edits.append(Edit(kind=kind, at=at, removed=removed, inserted=inserted))

    def _fail(self, reason: str) -> NoReturn:
        raise UnclearError(reason, self._at)

"""Detect format collapse: an answer leaves the format in which it began.

Data (JSON, XML, rows of values) turns into prose, markers of a chat template leak, or the answer writes both sides of
a conversation that was not requested.
"""

from __future__ import annotations

import re
from typing import ClassVar

from ..families import Family
from ..shared_phrases import ASSISTANT_ROLES, USER_ROLES
from .detector import DriftFinding, Thresholds
from .segments import Segment, in_quotation

_TEMPLATE = re.compile(r"<\|[a-z_]{3,20}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</s>")
_SECTION = re.compile(r"###? ?(?:Instruction|Response|Anweisung|Antwort|Instrucción|Respuesta): *$")
_ROLES = (*USER_ROLES, *ASSISTANT_ROLES, "system")
_TURN = re.compile(rf"(?:\*\*)?({'|'.join(_ROLES)})(?:\*\*)?:")
_SPEAKER = re.compile(r"\W*\w+(?: \w+)?:")
_JSON = re.compile(r"\s*(?:\{\s*(?:[\"}]|$)|\[\s*(?:[\[{\"]|$))")
_XML = re.compile(r"\s*<(?:\?xml[^>]*>\s*<)?(?!(?:html|head|body|div|p|span|h\d|ul|ol|table|think)\b)[a-z][\w-]*>")
_AFTER_ELEMENT = re.compile(r"</[\w-]+>\s*(?:[^\s<]+\s+){4,}[^\s<]+")
"""The end of an element, and five words or more after it."""
_TOKEN = re.compile(r"[\"{}\[\]]|\\.?|[^\W\d_]{2,}")
_LITERALS = frozenset(("true", "false", "null", "NaN", "Infinity"))
_STRAY_WORDS = 3
"""Words in a row, outside of JSON strings, that count as prose."""
_PROSE_WORDS = 8
"""A line with this many words is not a row of values."""
_ROWS = 3
"""Rows that must come before a line of prose counts as a collapse."""
_FORMAT = frozenset({Family.FORMAT})
_LEAK = frozenset({Family.TEMPLATE_LEAK})
_BROKEN_JSON = frozenset({Family.FORMAT, Family.JSON})


class FormatCollapse:
    """Detects template markers anywhere, and prose in an answer that began as data."""

    MESSAGE: ClassVar[str] = "the answer leaves the format in which it began"
    FAMILIES: ClassVar = frozenset({Family.FORMAT, Family.TEMPLATE_LEAK, Family.JSON})
    USES_WINDOW: ClassVar[bool] = False
    __slots__ = ("_data", "_roles", "_sections", "_started")

    def __init__(self, _: Thresholds) -> None:
        self._started = False
        self._data: _Json | _Xml | _Rows | None = None  # the format in which the answer began; None: text
        self._roles: set[str] | None = set()  # the roles that have had a turn
        self._sections = 0

    def read(self, segment: Segment) -> DriftFinding | None:
        if not self._started and not segment.text.isspace():
            self._start(segment)
        return (self._data.read(segment) if self._data else None) or self._leak(segment)

    def _start(self, segment: Segment) -> None:
        self._started = True
        if _JSON.match(segment.text):
            self._data = _Json()
        elif _XML.match(segment.lowered):
            self._data = _Xml()
        elif segment.ends_line and _Rows.separator(segment.text):
            self._data = _Rows(segment.text)
        if _SPEAKER.match(segment.text):
            self._roles = None  # the answer began as a conversation: turns are its format

    def _leak(self, segment: Segment) -> DriftFinding | None:
        if segment.code_language is not None or segment.quoted:
            return None
        text = segment.text
        mark = _TEMPLATE.search(text) if "<" in text or "[" in text else None
        if mark and not _mentioned(text, mark.start()):
            return DriftFinding(at=segment.at + mark.start(), confidence=0.95, families=_LEAK)
        if not segment.starts_line:
            return None
        if _SECTION.match(text.rstrip("\n")):
            self._sections += 1
            # One heading alone stays below the default of `Drift.min_confidence`, and so does one role below.
            return DriftFinding(at=segment.at, confidence=min(0.9, 0.45 * self._sections), families=_LEAK)
        turn = _TURN.match(segment.lowered) if self._roles is not None else None
        if turn and self._roles is not None:
            self._roles.add(turn[1])
            confidence = 0.85 if len(self._roles) > 1 else 0.4
            return DriftFinding(at=segment.at, confidence=confidence, families=_FORMAT)
        return None


def _mentioned(text: str, place: int) -> bool:
    """Return True if the text at ``place`` is only mentioned: it is in quotation marks or in inline code."""
    return in_quotation(text, place) or text.count("`", 0, place) % 2 == 1


class _Json:
    """Counts words outside of JSON strings: between values, and after the end of the document."""

    __slots__ = ("_depth", "_escaped", "_in_string", "_since", "_stray")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = False
        self._stray = 0  # words outside of strings, in a row
        self._since = 0  # position of the first of them

    def read(self, segment: Segment) -> DriftFinding | None:
        begin = 1 if self._escaped else 0
        self._escaped = False
        for token in _TOKEN.finditer(segment.text, begin):
            sign = token[0]
            if sign == "\\":  # the last character of a segment that was cut in a long string
                self._escaped = True
            elif sign == '"':
                self._in_string = not self._in_string
            elif self._in_string or sign[0] == "\\":
                continue
            elif sign in "{[":
                self._depth += 1
                self._stray = 0
            elif sign in "}]":
                self._depth -= 1
            elif sign not in _LITERALS:
                self._stray += 1
                if self._stray == 1:
                    self._since = segment.at + token.start()
                if self._stray >= _STRAY_WORDS:
                    confidence = 0.9 if self._depth > 0 else 0.75
                    return DriftFinding(at=max(self._since, segment.at), confidence=confidence, families=_BROKEN_JSON)
        return None


class _Xml:
    """Detects prose between the elements of an answer that began as XML."""

    __slots__ = ()

    def read(self, segment: Segment) -> DriftFinding | None:
        prose = _AFTER_ELEMENT.search(segment.text)
        return DriftFinding(at=segment.at + prose.start(), confidence=0.7, families=_FORMAT) if prose else None


class _Rows:
    """Follows rows of values with the same separators until a line of prose."""

    __slots__ = ("_columns", "_rows", "_separator")

    def __init__(self, header: str) -> None:
        self._separator = self.separator(header)
        self._columns = header.count(self._separator)
        self._rows = 1

    @staticmethod
    def separator(line: str) -> str:
        """Return the separator of the values in a line, or an empty string if there is none."""
        mark = max(",;\t", key=line.count)
        return mark if line.count(mark) >= 2 and f"{mark} " not in line and line.count(" ") <= 2 else ""

    def read(self, segment: Segment) -> DriftFinding | None:
        text = segment.text
        if self._rows and segment.starts_line and text.count(self._separator) == self._columns:
            self._rows += 1
        elif self._rows > _ROWS and len(text.split()) >= _PROSE_WORDS:
            return DriftFinding(at=segment.at, confidence=0.7, families=_FORMAT)
        elif self._rows <= _ROWS:
            self._rows = 0
        return None

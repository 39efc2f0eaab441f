"""Values of an answer that is still streaming, by jiter's partial mode.

jiter has no incremental mode: a partial value is a parse of all that has come. So that a long answer does not cost the
square of its length, a new value is made only when the text has grown by a sixteenth since the last one (and by a
character, below 2,048 of them). All parses together then cost no more than a constant plus 17 parses of the whole.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import jiter

_ALWAYS = 2_048
_SHARE = 16
_begins = re.compile(r"\s*+(?:(?:`{3,}+|~{3,}+)[^\n]*+\n\s*+)?(?=[{\[])").match


class PartialValue:
    """One answer. ``value``: the newest value; ``None`` before the first.

    Objects and arrays, as they stand or in a Markdown fence; what follows them is passed over. A string is in the value
    as far as it has come (``strings=False``: once it is closed), and so is a number: it may still grow.
    """

    __slots__ = ("_due", "_length", "_mode", "_parts", "value")

    def __init__(self, *, strings: bool = True) -> None:
        self.value: Any = None
        self._mode: Literal["trailing-strings", "on"] = "trailing-strings" if strings else "on"
        self._parts: list[str] = []
        self._length = 0
        self._due = 0

    def feed(self, text: str) -> bool:
        """New text. True: ``value`` is a new one."""
        self._parts.append(text)
        self._length += len(text)
        return self._length >= self._due and self._parse()

    def finish(self) -> bool:
        """The answer is over: the last value, whatever has come since the one before. As `feed`."""
        return self._parse()

    def _parse(self) -> bool:
        text = "".join(self._parts)
        self._parts = [text]
        self._due = self._length + (1 if self._length < _ALWAYS else self._length // _SHARE)
        begins = _begins(text)
        if begins is None:
            return False
        try:
            value = jiter.from_json(text[begins.end() :].encode(), partial_mode=self._mode, allow_inf_nan=False)
        except ValueError:  # no JSON any more: the last value stands
            return False
        changed = value != self.value
        self.value = value
        return bool(changed)

"""Parse the values of an answer that is still streaming, by jiter's partial mode.

jiter has no incremental mode: each partial value needs a parse of the complete text so far. To avoid quadratic cost, a
new value is parsed only after the text has grown by a sixteenth (below 2,048 characters, by one character). All parses
together then cost at most a constant plus 17 parses of the complete text.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import jiter

_PARSE_EVERY_CHARACTER_BELOW = 2_048
_GROWTH_DIVISOR = 16
_value_start = re.compile(r"\s*+(?:(?:`{3,}+|~{3,}+)[^\n]*+\n\s*+)?(?=[{\[])").match


class PartialValue:
    """The partial value of one answer. ``value``: the newest value; ``None`` before the first.

    It reads objects and arrays, also inside a Markdown fence, and ignores text after them. An incomplete string is part
    of the value (with ``strings=False`` only once it is closed). So is an incomplete number, which may still grow.
    """

    __slots__ = ("_next_parse_at", "_length", "_mode", "_parts", "value")

    def __init__(self, *, strings: bool = True) -> None:
        self.value: Any = None
        self._mode: Literal["trailing-strings", "on"] = "trailing-strings" if strings else "on"
        self._parts: list[str] = []
        self._length = 0
        self._next_parse_at = 0

    def feed(self, text: str) -> bool:
        """Add new text. Return True if ``value`` changed."""
        self._parts.append(text)
        self._length += len(text)
        return self._length >= self._next_parse_at and self._parse()

    def finish(self) -> bool:
        """Parse the last value at the end of the answer. Return True if ``value`` changed."""
        return self._parse()

    def _parse(self) -> bool:
        text = "".join(self._parts)
        self._parts = [text]
        self._next_parse_at = self._length + (
            1 if self._length < _PARSE_EVERY_CHARACTER_BELOW else self._length // _GROWTH_DIVISOR
        )
        start = _value_start(text)
        if start is None:
            return False
        try:
            value = jiter.from_json(text[start.end() :].encode(), partial_mode=self._mode, allow_inf_nan=False)
        except ValueError:  # no longer JSON: keep the last value
            return False
        changed = value != self.value
        self.value = value
        return bool(changed)

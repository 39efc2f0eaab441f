"""Generate the function with which a template reads events and builds a copy of its object for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from .constructors.object_copy import ObjectCopy, compiled
from .event_values import END, NUMBER, STRING, text_of

_MAX_SOURCES = 128


class TextReader(Protocol):
    """The counters of a reader that a template advances."""

    text: list[str]
    content: int
    chars: int
    events: int


Read = Callable[[bytes, int, int, TextReader, int], tuple[list[Any], int, int]]
"""``read(raw, at, size, reader, number)`` reads events of ``raw`` from position ``at``. ``size``: the length of
``raw``.
``number``: the number of the next event, if events are numbered. It returns the objects, and the positions of the start
and the end of the last event."""
Factory = Callable[..., Read]
"""``factory(first, following, match, per_answer)`` returns the function for one answer. ``first``: the bytes before the
first value that varies within an answer. ``following``: the bytes after each such value. ``match``: the result of
`value_pattern`. ``per_answer``: the values that are the same in all events of the answer."""


def reader_factory(copy: ObjectCopy, order: Sequence[tuple[int, bool]], per_answer: int) -> Factory:
    """Return the generated factory.

    ``order``: the values that vary within an answer, in the order of their bytes. Each item is the number of the
    value's variable in ``copy`` (``h0`` is the text), and True if the value is a number. ``per_answer``: the number of
    variables
    ``p0``, ...
    """
    # In the generated code, `h0`, ... are the values that vary, `c0`, ... the bytes after each, and `f0`, ... the bytes
    # expected there.
    groups: list[str] = []
    same: list[str] = []
    body: list[str] = []
    for at, (variable, number) in enumerate(order):
        groups += [f"h{variable}", f"c{at}"]
        same.append(f"c{at} == f{at}")
        if number:
            body += [f"h{variable} = int(h{variable})", f"if h{variable} != number: break", "number += 1"]
        else:
            # 92 is a backslash: only a text with backslashes has JSON escapes.
            body.append(f"h{variable} = h{variable}.decode() if 92 not in h{variable} else text(h{variable})")
    inner = [
        "found = match(raw, at + skip)",
        "if found is None: break",
        f"{', '.join(groups)}, = found.groups()",
        f"if not ({' and '.join(same)}): break",
        *body,
        *copy.statements,
        f"items.append({copy.expression})",
        "texts.append(h0)",
        "chars += len(h0)",
        "start, at = at, found.end()",
    ]
    source = _SOURCE.format(
        constants="".join(f", k{number}" for number in range(len(copy.constants))),
        following="".join(f"f{at}, " for at in range(len(order))),
        per_answer=f"{''.join(f'p{number}, ' for number in range(per_answer))}= per_answer" if per_answer else "pass",
        inner="\n                ".join(inner),
    )
    return _with_constants(_function(source), copy.constants)


def _with_constants(function: Callable[..., Read], constants: list[Any]) -> Factory:
    def factory(first: bytes, following: Sequence[bytes], match: Any, per_answer: Sequence[Any]) -> Read:
        return function(text_of, first, following, match, per_answer, *constants)

    return factory


_SOURCE = """
def factory(text, first, following, match, per_answer{constants}):
    {following}= following
    {per_answer}
    skip = len(first)
    def read(raw, at, size, reader, number):
        items, texts, chars, start = [], reader.text, 0, at
        try:
            while at < size and raw.startswith(first, at):
                {inner}
        except ValueError:
            pass
        if items:
            count = len(items)
            reader.content += count
            reader.events += count
            reader.chars += chars
        return items, start, at
    return read
"""


@lru_cache(maxsize=_MAX_SOURCES)
def _function(source: str) -> Callable[..., Any]:
    return compiled(source, "factory")


@lru_cache(maxsize=_MAX_SOURCES)
def value_pattern(*values: tuple[bool, bool, int]) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Return the function that matches the values and the bytes after each. The caller compares those bytes.

    ``values``: for each value, True if it is the text, which is never empty; True if it is a number; and the number of
    bytes from its end to the next value, or to the end of the event.
    """
    parts = ((NUMBER if number else STRING % (b"++" if text else b"*+"), length) for text, number, length in values)
    return re.compile(b"".join(b"(%b)(.{%d})" % part for part in parts) + END, re.DOTALL).match

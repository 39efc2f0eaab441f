"""The conditions for a mutant: the bare SDK's objects and exceptions, one request, one span.

A mutant may end otherwise than under the bare SDK only if it takes away what an answer is judged by. The functions
named `decides` are the whole list of these.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from facts_mutants import Mutant, Path
from facts_runs import Got
from fidelity_check import structure

FULL = os.environ.get("TEST_FACTS") == "full"
"""All mutants in all ways; else a part of them, always the same, each in one way."""

_WHOLE: Path = ()
_TERMINAL: dict[str, tuple[int, frozenset[Path]]] = {
    "chat-no-done": (3, frozenset({_WHOLE, ("choices",), ("choices", 0), ("choices", 0, "finish_reason")})),
    "responses": (13, frozenset({_WHOLE, ("type",)})),
    "responses-numbered": (5, frozenset({_WHOLE, ("type",)})),
    "responses-incomplete": (7, frozenset({_WHOLE, ("type",)})),
    "responses-failed": (1, frozenset({_WHOLE, ("type",)})),
}
"""The place of the only terminal marker of a stream: without it the answer is cut off."""
_ORDER: dict[str, Path] = {"messages": ("index",), "responses-numbered": ("sequence_number",)}
"""Numbers by which the order of events is judged: another number means that events were lost, doubled or moved."""
_TEXTS = frozenset({"delta", "text", "arguments", "refusal"})
"""Fields of Responses whose deltas must add up to their final text: another text in one of them is proof."""
_OF_A_FAILURE = re.compile(r"l0: .*: failed (after|without) ")
"""The log line of a call that failed."""
_NUMBERS = frozenset({"number", "negative", "huge"})
_CONTENT: dict[str, frozenset[Path]] = {
    "chat": frozenset({("choices",), ("choices", 0), ("choices", 0, "message")}),
    "completions": frozenset({("choices",), ("choices", 0), ("choices", 0, "text")}),
    "responses": frozenset({("output",), ("error",)}),
    "messages": frozenset({("content",)}),
}
"""The fields that hold all content of a complete answer, or an error in its place."""


def decides(name: str, at: int, mutant: Mutant) -> bool:
    """Return True if a mutant of an event lacks the field by which the stream is judged."""
    place, paths = _TERMINAL.get(name, (-1, frozenset()))
    if at == place and mutant.path in paths:
        return True
    if name.startswith("responses") and mutant.path and mutant.path[-1] in _TEXTS:
        return mutant.kind in ("text", "empty text")
    return mutant.path == _ORDER.get(name) and mutant.kind in _NUMBERS


def fails(name: str) -> bool:
    """Return True if a stream ends with an event of its failure, which is followed by our exception."""
    return name == "responses-failed"


def decides_answer(mutant: Mutant) -> bool:
    """The same of a whole answer: nothing is left of it, not even its counts; the policy's `zero_output` says so."""
    return mutant.path == _WHOLE


def decides_explicitly(dialect: str, at: int | None, mutant: Mutant) -> bool:
    """The same in the explicit API, which reads items alone: one without content is empty, and adapters are chosen by
    the first item, which must be an object, and be called a message if it is one. ``at``: of the event; ``None`` for a
    whole answer."""
    if mutant.path == _WHOLE:
        return not at
    if dialect == "completions" and mutant.path == ("choices", 0, "index"):
        return mutant.kind in _NUMBERS  # of another choice than the first, whose text is the answer
    if dialect == "messages" and at is None and mutant.path == ("type",):
        return True
    return at is None and mutant.path in _CONTENT[dialect]


def sampled(mutants: Iterator[Mutant], name: str, one_in: float) -> Iterator[tuple[int, Mutant]]:
    """Some of the mutants, with a number that says in which way each is to be tried. Always the same ones."""
    for mutant in mutants:
        dice = crc32(f"{name} {mutant}".encode())
        if FULL or dice % 1000 < 1000 / one_in:
            yield dice // 1000, mutant


def faults(
    bare: Got, ours: Got, *, decided: bool = False, failing: bool = False, requests: int = 1, items: bool = True
) -> list[str]:
    """Return the errors in the telemetry of an answer. ``requests``: the number that the unchanged answer may need.
    ``items``: the user gets the SDK's objects. ``failing``: ours may raise after the last object."""
    found = [f"warned: {said}" for said in ours.warnings if ours.error is None or not _OF_A_FAILURE.match(said)]
    calls = [span for span in ours.spans if span.parent is None]
    if len(calls) != 1 or calls[0].end_time is None:
        found.append(f"{len(calls)} spans of a call")
    apart = _apart(bare.items, ours.items) if items else None
    if bare.error is not None:
        if not isinstance(ours.error, type(bare.error)):
            found.append(f"{ours.error!r} in place of {bare.error!r}")
    elif decided:
        apart = None
    elif ours.error is not None and not failing:
        found.append(f"raised {ours.error!r}")
    if bare.error is None and not decided and not failing and ours.requests > requests:
        found.append(f"{ours.requests} requests")
    return [*found, apart] if apart is not None else found


def _apart(bare: list[Any], ours: list[Any]) -> str | None:
    """The first difference. An event of ``null`` is nothing, for which the SDKs hand over ``None``."""
    theirs, mine = ([item for item in items if item is not None] for items in (bare, ours))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5 * limit)  # deep JSON is compared level by level
    try:
        return structure(theirs, mine)
    finally:
        sys.setrecursionlimit(limit)

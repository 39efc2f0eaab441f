"""The definition of a dialect, shared by all readers of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from l0.model.tolerant_reading import count_of, text_of

from .deltas import Delta, field

UsageFields = Mapping[str, tuple[str, ...]]
"""Map from the name of a count in `ResponseMetadata` to its path in the dialect's usage object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireDialect:
    """One wire format.

    ``deltas``: returns the deltas of one event, or of a complete answer sent in place of events. ``answer_deltas``:
    returns the deltas of a complete answer. ``holds_other``: returns True if the JSON of a complete answer contains
    something besides text. ``tool_call_ends_at_next``: no event ends a tool call, so the start of the next one does.
    ``input_excludes_cached``: the provider's input count excludes cached tokens; that of the OpenTelemetry conventions
    includes them. ``complete_reasons``: the finish reasons of an answer that the model ended, not a limit or a filter.
    """

    name: str
    deltas: Callable[[Any], list[Delta]]
    answer_deltas: Callable[[Any], list[Delta]]
    holds_other: Callable[[Mapping[str, Any]], bool]
    tool_call_ends_at_next: bool = False
    input_excludes_cached: bool = False
    complete_reasons: frozenset[str] = frozenset()


def counts_in(usage: Any, fields: UsageFields) -> dict[str, int]:
    """Return the token counts in a usage object, by the names of `ResponseMetadata`."""
    found: dict[str, int] = {}
    for name, path in fields.items():
        value = usage
        for step in path:
            value = field(value, step)
        count = count_of(value)
        if count is not None:
            found[name] = count
    return found


def add_counts(counts: dict[str, int], later: Mapping[str, int]) -> None:
    """Replace counts by later ones. Ignore a later 0, except for the output: a proxy that does not know a count sends 0
    at the end."""
    counts.update({name: n for name, n in later.items() if n or name == "output_tokens" or not counts.get(name)})


def extra_in(thing: Any, prefix: str, *names: str) -> dict[str, str]:
    """Return span attributes, by name, for the fields ``names`` of ``thing`` that are text."""
    return {f"{prefix}.response.{name}": text for name in names if (text := text_of(field(thing, name))) is not None}

"""Build the flow of a recorded answer: the content of each read and each delivery to the program, with their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import TypeVar

from l0.recording.arrived_text import Fragment, arrived_text
from l0.recording.recording import RecordedAttempt, RecordedCall

from .api_contract import ArrivedFragment, ArrivedRead, DeliveredItems, TokenFlow
from .recorded_times import milliseconds

MAX_STEPS = 5_000
"""Maximum number of reads, and of deliveries."""
MAX_CHARACTERS = 500_000
T = TypeVar("T")


def token_flow(recorded: RecordedCall) -> TokenFlow:
    """Return the flow. Consecutive reads of an attempt, and consecutive deliveries, are joined if there are many."""
    deliveries = recorded.deliveries
    steps = max(sum(len(attempt.reads) for attempt in recorded.attempts), len(deliveries))
    joined = max(ceil(steps / MAX_STEPS), 1)
    reads = [read for attempt in recorded.attempts for read in _reads(recorded, attempt, joined)]
    reads.sort(key=lambda read: read["at"])
    return TokenFlow(
        reads=reads,
        deliveries=[
            DeliveredItems(at=milliseconds(group[-1].at), items=sum(one.items for one in group), chars=group[-1].chars)
            for group in _groups(deliveries, joined)
        ],
        joined=joined,
        cut=_cut(reads),
    )


def _reads(recorded: RecordedCall, attempt: RecordedAttempt, joined: int) -> Iterator[ArrivedRead]:
    pairs = [*zip(attempt.reads, arrived_text(recorded, attempt), strict=True)]
    for group in _groups(pairs, joined):
        yield ArrivedRead(
            at=milliseconds(group[-1][0].at),
            attempt=attempt.number,
            bytes=sum(len(read.data) for read, _ in group),
            content=_together(fragment for _, content in group for fragment in content),
        )


def _together(fragments: Iterable[Fragment]) -> list[ArrivedFragment]:
    """Return the fragments, with consecutive fragments of one kind joined."""
    found: list[ArrivedFragment] = []
    for kind, text in fragments:
        if found and found[-1]["kind"] == kind:
            found[-1]["text"] += text
        else:
            found.append(ArrivedFragment(kind=kind, text=text))
    return found


def _cut(reads: Sequence[ArrivedRead]) -> bool:
    """Cut the text of the reads at the limit. Return True if there was more."""
    remaining = MAX_CHARACTERS
    cut = False
    for fragment in (fragment for read in reads for fragment in read["content"]):
        cut = cut or len(fragment["text"]) > remaining
        fragment["text"] = fragment["text"][:remaining]
        remaining -= len(fragment["text"])
    return cut


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]

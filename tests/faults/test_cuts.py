"""Answers cut off at every event and at random bytes: whole, or a proper part and an error; never silent or doubled."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from faults_kit import DIALECTS, Seen, Stage, difference, prefix_mismatch, sync_and_async
from traffic_kit import Sample, recorded, shipped

import l0
from l0.simulator.faults import Fault

BODIES_EACH = 5
BYTES_EACH = 50
LARGEST = 9_000


def samples() -> list[Sample]:
    """Bodies of moderate length, five of each dialect: shipped ones, and recorded ones if present."""
    found = []
    for dialect in DIALECTS:
        mine = [sample for sample in (*recorded(), *shipped()) if sample.dialect == dialect and sample.choices == 1]
        mine = [sample for sample in mine if len(sample.content) <= LARGEST]
        found += random.Random(20).sample(mine, min(BODIES_EACH, len(mine)))
    return found


def cuts(sample: Sample) -> Iterator[Fault]:
    """Before every event, and at bytes: a close that looks proper, and one that does not, in turn."""
    makes = (Fault.clean_end, Fault.cut)
    for event in range(sample.content.count(b"data:")):
        yield makes[event % 2](at_event=event)
    rnd = random.Random(str(sample))
    for number in range(BYTES_EACH):
        yield makes[number % 2](at_byte=rnd.randrange(len(sample.content)))


@pytest.fixture(scope="module")
def whole(stage: Stage) -> Iterator[dict[Sample, list[Any]]]:
    l0.uninstrument()
    found = {sample: stage.call(sample, sync=True).chunks for sample in samples()}
    stage.on(l0.Policy(truncation="strict"))
    yield found
    l0.uninstrument()


@sync_and_async
@pytest.mark.parametrize("sample", samples(), ids=str)
def test_cut_body_is_retried_or_raised(
    stage: Stage, whole: dict[Sample, list[Any]], sample: Sample, sync: bool
) -> None:
    for number, fault in enumerate(cuts(sample)):
        if number // 2 % 2 != sync:  # each flavour takes half of the cuts, event and byte, proper and not
            seen = stage.call(sample, fault, sync=sync)
            told = judge(sample.dialect, seen, whole[sample])
            assert told is None, f"{fault}: {told} ({len(seen.chunks)} chunks, {seen.requests} requests)"


def judge(dialect: str, seen: Seen, whole: list[Any]) -> str | None:
    """Return the error in the user's result; ``None`` if there is none."""
    if seen.error is None:
        if seen.requests == 1 and len(seen.chunks) < len(whole):
            return prefix_mismatch(seen.chunks, whole) or _unfinished(dialect, seen.chunks)
        return difference(seen.chunks, whole)
    if not isinstance(seen.error, l0.StreamInterrupted):
        return f"raised {seen.error!r}"
    if not seen.chunks:
        return f"nothing was handed over, and still it was not repeated: {seen.error!r}"
    return prefix_mismatch(seen.chunks, whole)


def _unfinished(dialect: str, chunks: list[Any]) -> str | None:
    """An answer that says why it ended is whole, though what follows (usage, the terminal event) was cut off."""
    reasons = {
        "chat": lambda one: [choice.finish_reason for choice in one.choices],
        "completions": lambda one: [choice.finish_reason for choice in one.choices],
        "responses": lambda one: [one.type in ("response.completed", "response.incomplete")],
        "messages": lambda one: [one.type == "message_delta" and one.delta.stop_reason],
    }
    return None if any(any(reasons[dialect](chunk)) for chunk in chunks) else "a part was handed over as the whole"

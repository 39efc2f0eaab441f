"""Recorded bodies of real providers, recorded through the real SDKs and replayed: equal bytes and equal objects."""

import asyncio
import os
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

import pytest
from recordings import needs_traffic
from traffic_kit import Player, Received, Sample, difference, recorded, shipped

import l0
from l0.recording.decision_rerun import differing
from l0.recording.recording import Recording
from l0.testing import replay

FULL = os.environ.get("TEST_REPLAY") == "full"
SHARE = 8
"""A run that is not full takes one body of so many."""
STRICT = l0.Policy(truncation="strict")
Play = Callable[[Player, Sample], Received]
SAMPLES = [pytest.param(recorded(), marks=needs_traffic), shipped()]


def played(folder: Path | None, player: Player, samples: Sequence[Sample], play: Play) -> list[Received]:
    """Return what the user of an SDK gets for each sample. All calls are recorded in ``folder``; ``None``: none."""
    l0.instrument(STRICT, record=folder or False)
    try:
        return [play(player, sample) for sample in samples]
    finally:
        l0.uninstrument()


@pytest.mark.parametrize("samples", SAMPLES, ids=["real", "shipped"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_bodies_are_recorded_and_replayed_without_a_difference(
    loop: asyncio.AbstractEventLoop, player: Player, tmp_path: Path, samples: Sequence[Sample], sync: bool
) -> None:
    samples = samples if FULL else samples[sync::SHARE]
    plain, first = (
        played(folder, player, samples, lambda one, sample: one.play(sample, sync=sync))
        for folder in (None, tmp_path / "first")
    )
    assert len(first) == len(samples) > 0
    with replay(tmp_path / "first", speed=inf) as server:
        again = Player(server, loop)
        second = played(tmp_path / "second", again, samples, lambda one, sample: one.ask(sample, sync=sync))
        again.close()
        assert (server.unmatched, server.remaining) == ([], 0)
    for sample, unrecorded, one, other in zip(samples, plain, first, second, strict=True):
        assert difference(unrecorded.chunks, one.chunks) is None, sample
        assert difference(one.chunks, other.chunks) is None, sample
        assert str(unrecorded.error) == str(one.error) == str(other.error), sample
    complete = 0  # the SDKs stop reading at an error event
    with Recording.open(tmp_path / "first") as recording, Recording.open(tmp_path / "second") as repeated:
        for sample, call, same in zip(samples, recording, repeated, strict=True):
            attempt = call.attempts[0]
            assert sample.content.startswith(attempt.body)
            assert (attempt.ending == "eof") == (attempt.body == sample.content)
            complete += attempt.ending == "eof"
            assert [attempt.body for attempt in same.attempts] == [attempt.body for attempt in call.attempts]
            assert differing(call) == differing(same) == []
    assert complete >= 0.9 * len(samples)

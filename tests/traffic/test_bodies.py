"""Recorded bodies of real providers reach the user of the real SDKs unchanged, however they are cut."""

import random

import pytest
from installed import HAS_RESPONSES
from recordings import needs_traffic
from traffic_kit import Player, Received, Sample, difference, recorded, shipped

import l0
from l0.simulator.playback import Chunks

SAMPLES = (*recorded(), *shipped())
Bare = dict[Sample, Received]
SMALL = 1_500
"""Bytes up to which a body is also sent byte by byte."""
BROKEN = {"truncated", "empty", "not_a_stream"}


@needs_traffic
def test_recorded_bodies_are_at_hand() -> None:
    """Skip visibly if only the shipped bodies are present. Fail if the folder of the recordings is configured."""
    assert len(recorded()) > (200 if HAS_RESPONSES else 100)


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_body_is_received_as_without_l0(player: Player, bare: Bare, sample: Sample, sync: bool) -> None:
    assert bare[sample].chunks, bare[sample].error
    for chunks in cuts(sample, sync=sync):
        told = compare(bare[sample], player.play(sample, sync=sync, chunks=chunks))
        assert told is None, f"cut into {chunks}: {told}"


def cuts(sample: Sample, *, sync: bool) -> list[Chunks]:
    """Return the cuts of a body: per event or at once, and at a random length; small ones byte by byte."""
    rnd = random.Random(f"{sample}{sync}")
    found: list[Chunks] = ["event" if sync else "one", rnd.choice([rnd.randrange(20, 90), rnd.randrange(90, 4_000)])]
    return [*found, "byte"] if len(sample.content) <= SMALL else found


def compare(bare: Received, ours: Received) -> str | None:
    """The same chunks; the same error, or one that names what is missing if the bare SDK is silent."""
    if bare.error is None and isinstance(ours.error, l0.StreamInterrupted) and ours.error.reason in BROKEN:
        return difference(bare.chunks, ours.chunks)
    if not isinstance(ours.error, type(bare.error)) or str(bare.error) != str(ours.error):
        return f"ended with {ours.error!r}, not {bare.error!r}"
    return difference(bare.chunks, ours.chunks)

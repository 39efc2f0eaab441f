"""Recording adds a fixed number of calls to each chunk and to each call of the user, and none once it is off again."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median_low

import pytest
from calls_per_token import LONG, SHORT, count, reading

import l0

CASES = [(api, sync) for api in ("chat", "responses", "messages") for sync in (True, False)]
IDS = [f"{api} {'sync' if sync else 'async'}" for api, sync in CASES]
# What a chunk in its own read costs on the thread of the caller: one generator, the appended read (its two times, its
# size), and the delivery; in async code, the generator again after its wait. Python 3.11 is the reference; later ones
# inline some calls and need no more.
PER_CHUNK = {"sync": 7, "async": 8}
# What a call costs there: its events, the steps of its machine, its request, the head of its answer, and the reads that
# bring no text.
PER_CALL = {"sync": 95, "async": 106}


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    l0.uninstrument()


def own_calls(api: str, sync: bool, tokens: int) -> int:
    for _ in range(2):  # the first answers compile constructors and fill caches
        reading(api, sync, tokens)()
    # Beside threads that earlier tests left, one reading in hundreds counts a call less.
    return median_low(count(reading(api, sync, tokens))[0] for _ in range(3))


def both(api: str, sync: bool) -> tuple[int, int]:
    return own_calls(api, sync, SHORT), own_calls(api, sync, LONG)


@pytest.mark.parametrize(("api", "sync"), CASES, ids=IDS)
def test_recording_costs_a_chunk_and_a_call_no_more_calls_than_it_did(api: str, sync: bool, tmp_path: Path) -> None:
    l0.instrument()
    before = both(api, sync)
    l0.instrument(record=tmp_path)
    short, long = (now - then for now, then in zip(both(api, sync), before, strict=True))
    per_chunk = (long - short) / (LONG - SHORT)
    print(f"{per_chunk} calls a chunk, {short - SHORT * per_chunk:.0f} a call")
    flavour = "sync" if sync else "async"
    assert 0 < per_chunk <= PER_CHUNK[flavour]
    assert 0 < short - SHORT * per_chunk <= PER_CALL[flavour]
    l0.instrument(record=False)
    assert both(api, sync) == before


def cyclic_objects(read: Callable[[], None]) -> int:
    """The objects that ``read`` leaves to the garbage collector."""
    read()
    gc.collect()
    gc.disable()
    try:
        read()
        l0.flush_recording()  # which drops the events
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_a_recorded_call_leaves_no_more_to_the_garbage_collector(api: str, tmp_path: Path) -> None:
    """Requests, with their long prompts, would stay in memory until it comes."""

    def read() -> None:
        reading(api, True, SHORT)()

    l0.instrument()
    before = cyclic_objects(read)
    l0.instrument(record=tmp_path)
    assert cyclic_objects(read) <= before

"""The first-content times of a fleet as one process sees them: what Redis has sent, and what it does not know yet."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from l0.shared_state.fleet.fleet_quantiles import FleetQuantiles
from l0.shared_state.quantiles import LAST, MIN_COUNT, Quantiles

FLEET: Any = SimpleNamespace(add=lambda _: None)
SERIES = ("openai", "gpt-4o", "small")
times = st.lists(st.floats(0, 100), max_size=2 * LAST)


def entries(values: list[float]) -> list[tuple[str, tuple[str, str]]]:
    return [(f"{number}-1", ("s", repr(value))) for number, value in enumerate(values)]


@given(times, st.floats(0, 1))
def test_without_redis_quantiles_are_those_of_the_process(samples: list[float], wanted: float) -> None:
    copy, alone = FleetQuantiles(FLEET, SERIES), Quantiles()
    for sample in [*samples, -1.0, float("nan")]:
        copy.add(sample)
        alone.add(sample)
    assert (len(copy), copy.quantile(wanted)) == (len(alone), alone.quantile(wanted))


@given(times, times)
def test_samples_of_others_count_as_well(ours: list[float], theirs: list[float]) -> None:
    copy, alone = FleetQuantiles(FLEET, SERIES), Quantiles()
    for sample in ours:
        copy.add(sample)
    sent = [float(value) for value in copy.arguments("")[3:]]
    copy.apply(FLEET, entries([*theirs, *sent]))
    for sample in [*theirs, *ours]:
        alone.add(sample)
    assert (copy.p95, copy.deadline(None)) == (alone.p95, alone.deadline(None))
    assert not copy.changed


def test_new_process_adapts_to_what_others_have_seen() -> None:
    copy = FleetQuantiles(FLEET, SERIES)
    assert copy.p95 is None
    copy.apply(FLEET, entries([1.5] * MIN_COUNT))
    assert copy.p95 == 1.5
    assert copy.arguments("")[0] == f"{MIN_COUNT - 1}-1"


def test_samples_that_were_lost_on_the_way_are_sent_again() -> None:
    copy = FleetQuantiles(FLEET, SERIES)
    copy.add(1.0)
    copy.arguments("")
    copy.add(2.0)
    assert copy.arguments("")[3:] == ("1.0", "2.0")
    assert len(copy) == 2

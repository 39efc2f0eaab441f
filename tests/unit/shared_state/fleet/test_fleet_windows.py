"""The SLO windows of a fleet as one process sees them: its own events and those that others have told Redis."""

from hypothesis import given
from hypothesis import strategies as st

from l0.shared_state.fleet.fleet_windows import FleetWindows
from l0.slo.burn import HOUR, Count
from l0.slo.rolling_windows import RINGS, Windows

START = 1_700_000_000.0
STEP_S = RINGS[0][0]
events = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["good", "bad", "exchange"])), max_size=120)


class Totals:
    """The totals in Redis."""

    def __init__(self) -> None:
        self.count = Count()

    def exchange(self, windows: FleetWindows, at: float) -> None:
        self.count += windows.unconfirmed()
        windows.confirm(self.count, at)


@given(events)
def test_every_process_sees_the_events_of_all(steps: list[tuple[int, str]]) -> None:
    copies, totals, alone, at = [FleetWindows(START) for _ in range(3)], Totals(), Windows(START), START
    for copy in copies:
        totals.exchange(copy, at)
    for number, step in steps:
        at += STEP_S / 4
        if step == "exchange":
            totals.exchange(copies[number], at)
        else:
            copies[number].add(at, good=step == "good")
            alone.add(at, good=step == "good")
    for copy in [*copies, *copies]:
        totals.exchange(copy, at)
    assert {copy.over(HOUR, at + STEP_S) for copy in copies} == {alone.over(HOUR, at + STEP_S)}
    assert sum((copy.count for copy in copies), Count()) == alone.count
    assert not any(copy.changed for copy in copies)


def test_events_before_the_first_answer_are_not_those_of_others() -> None:
    copy, totals = FleetWindows(START), Totals()
    totals.count = Count(5, 50)
    copy.add(START, good=False)
    totals.exchange(copy, START)
    assert copy.over(HOUR, START + STEP_S) == Count(1, 1)


def test_redis_that_has_lost_its_data_takes_nothing_away() -> None:
    copy, totals = FleetWindows(START), Totals()
    totals.exchange(copy, START)
    totals.count = Count(3, 30)
    totals.exchange(copy, START)
    totals.count = Count()
    totals.exchange(copy, START)
    assert copy.over(HOUR, START + STEP_S) == Count(3, 30)


def test_only_own_events_are_stored() -> None:
    copy, totals = FleetWindows(START), Totals()
    totals.exchange(copy, START)
    totals.count = Count(3, 30)
    copy.add(START, good=True)
    totals.exchange(copy, START)
    assert {bucket.count for bucket in copy.unsaved()} == {Count(0, 1)}

"""The breaker of a fleet as one process sees it: it follows Redis, and without Redis the rules of a process."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import Clock

from l0.shared_state.breaker import COOLDOWN, SAMPLES, Breaker, BreakerPermit, BreakerState
from l0.shared_state.fleet.fleet_breaker import LEASE_S, FleetBreaker, counts_of_others

TARGET = ("openai", "gpt-4o")


class SilentFleet:
    """A fleet whose Redis never answers. ``away``: the fleet knows that."""

    def __init__(self, *, away: bool) -> None:
        self.away, self.member = away, "me"
        self.asked: list[Any] = []

    def request(self, _: object, operation: str) -> Any:
        if self.away:
            return None
        self.asked.append(SimpleNamespace(operation=operation, ended=False, granted=None))
        return self.asked[-1]

    def add(self, _: object) -> None:
        """Nothing is exchanged."""

    def exchange_soon(self) -> None:
        """Nothing is exchanged."""


def copy_of(fleet: SilentFleet, time: Clock) -> FleetBreaker:
    return FleetBreaker(fleet, TARGET, time)  # type: ignore[arg-type]


def answer(
    copy: FleetBreaker,
    state: str = "",
    *,
    operation: str = "",
    granted: bool = False,
    elsewhere: bool = False,
    age: float = 0,
) -> None:
    """Let Redis answer; nobody has counted anything."""
    request: Any = SimpleNamespace(operation=operation, granted=None)
    copy.arguments(operation)
    copy.apply(request, (int(granted), state, round(1000 * age), 0, 0, int(elsewhere)))


@given(st.lists(st.sampled_from(["succeed", "fail", "release", "later"]), max_size=120))
def test_breaker_without_redis_follows_the_rules_of_a_process(events: list[str]) -> None:
    time = Clock()
    copy, alone = copy_of(SilentFleet(away=True), time), Breaker(time)
    permits: list[tuple[BreakerPermit, BreakerPermit]] = []
    for event in events:
        if event == "later":
            time.now += COOLDOWN / 3
            continue
        permit, expected = copy.admit(), alone.admit()
        assert (permit is None) == (expected is None)
        if permit is not None and expected is not None:
            permits.append((permit, expected))
        for one in permits.pop(0) if permits else ():
            getattr(one, event)()
        assert copy.state is alone.state


def test_copy_takes_over_the_state_of_the_fleet() -> None:
    time = Clock()
    copy = copy_of(SilentFleet(away=False), time)
    answer(copy, "open", age=COOLDOWN - 1)
    assert copy.state is BreakerState.OPEN
    assert copy.admit() is None
    assert "open for another 1.0 s" in copy.description
    answer(copy, "closed")
    assert copy.admit() is not None


def test_unknown_state_changes_nothing() -> None:
    copy = copy_of(SilentFleet(away=False), Clock())
    answer(copy, "open")
    answer(copy)
    assert copy.state is BreakerState.OPEN


def test_failures_of_others_trip_the_breaker() -> None:
    time = Clock()
    copy = copy_of(SilentFleet(away=False), time)
    answer(copy)
    time.now += 1
    request: Any = SimpleNamespace(operation="", granted=None)
    copy.arguments("")
    copy.apply(request, (0, "", 0, SAMPLES - 1, SAMPLES - 1, 0))
    permit = copy.admit()
    assert permit is not None
    permit.fail()
    assert copy.state is BreakerState.OPEN
    assert copy.arguments("")[0] == "trip"


def test_call_is_refused_until_redis_has_said_who_probes() -> None:
    time, fleet = Clock(), SilentFleet(away=False)
    copy = copy_of(fleet, time)
    answer(copy, "open", age=COOLDOWN)
    assert [copy.admit(), copy.admit()] == [None, None]
    assert [request.operation for request in fleet.asked] == ["probe"]  # it is asked once
    answer(copy, "half_open", operation="probe", granted=True)  # too late for the first call
    permit = copy.admit()
    assert permit is not None
    assert permit.probe
    assert permit.changed_to is BreakerState.HALF_OPEN
    assert copy.admit() is None
    assert copy.arguments("")[0] == "held"
    permit.succeed()
    assert copy.arguments("")[0] == "recovered"


def test_lease_that_nobody_uses_is_not_kept() -> None:
    time = Clock()
    copy = copy_of(SilentFleet(away=False), time)
    answer(copy, "open", age=COOLDOWN)
    copy.admit()
    answer(copy, "half_open", operation="probe", granted=True)
    assert copy.arguments("")[0] == "held"
    time.now += LEASE_S + 1
    assert copy.arguments("")[0] == ""


def test_nobody_asks_while_another_process_probes() -> None:
    fleet = SilentFleet(away=False)
    copy = copy_of(fleet, Clock())
    answer(copy, "half_open", elsewhere=True)
    assert copy.admit() is None
    assert fleet.asked == []


def test_slow_redis_delays_a_probe_by_one_cooldown_at_most() -> None:
    time, fleet = Clock(), SilentFleet(away=False)
    copy = copy_of(fleet, time)
    answer(copy, "open", age=COOLDOWN)
    assert copy.admit() is None
    time.now += COOLDOWN + 1
    permit = copy.admit()
    assert permit is not None
    assert permit.probe


def test_change_that_redis_does_not_know_is_not_overwritten() -> None:
    time = Clock()
    copy = copy_of(SilentFleet(away=False), time)
    answer(copy, "open", age=COOLDOWN)
    answer(copy, "half_open", operation="probe", granted=True)
    permit = copy.admit()
    assert permit is not None
    copy.arguments("")
    permit.release()  # after the arguments were read
    request: Any = SimpleNamespace(operation="", granted=None)
    copy.apply(request, (0, "half_open", 0, 0, 0, 0))
    assert copy.arguments("")[0] == "released"


@pytest.mark.parametrize(
    ("before", "own", "after", "expected"),
    [
        ((1, 10), (1, 2), (4, 20), (2, 8)),
        ((0, 0), (0, 3), (0, 3), (0, 0)),
        ((9, 90), (0, 1), (0, 1), (0, 0)),  # Redis has lost its data
    ],
)
def test_outcomes_of_others(
    before: tuple[int, int], own: tuple[int, int], after: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert counts_of_others(before, own, after) == expected

"""The scripts in Redis keep the rules of a process for all processes, whatever the order of their requests."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from fleet_kit import DirectFleet
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import Clock, make_failure
from redis_server import RedisServer

from l0.model.failure import Category, Cause
from l0.shared_state.breaker import SAMPLES, BreakerPermit, BreakerState
from l0.shared_state.budget import CAPACITY, FLOOR, Budget
from l0.shared_state.fleet.fleet_breaker import FleetBreaker
from l0.shared_state.fleet.fleet_budget import FleetBudget
from l0.shared_state.fleet.fleet_quantiles import FleetQuantiles
from l0.shared_state.quantiles import LAST
from l0.shared_state.slo_tracker import SloTracker
from l0.slo.judging import AttemptRecord

TARGET = ("a provider: one", "gpt/4o")
MEMBERS = 3
steps = st.lists(st.tuples(st.integers(0, MEMBERS - 1), st.integers(0, 9)), max_size=80)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator["redis.Redis"]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    with redis.Redis.from_url(server.url, decode_responses=True) as made:
        yield made
    server.kill()


def exchange_all(fleets: list[DirectFleet]) -> None:
    """Let every process know what each has to tell."""
    for fleet in [*fleets, *fleets]:
        fleet.exchange()


@given(steps)
@settings(max_examples=60, deadline=None)
def test_copies_of_a_budget_spend_what_one_budget_does(client: "redis.Redis", events: list[tuple[int, int]]) -> None:
    client.flushall()
    fleets = [DirectFleet(client, str(number)) for number in range(MEMBERS)]
    copies, alone = [FleetBudget(fleet, TARGET) for fleet in fleets], Budget()
    for number, event in events:
        if event < 5:
            copies[number].succeed()
            alone.succeed()
        else:
            exchange_all(fleets)
            assert copies[number].spend() == alone.spend()
            exchange_all(fleets)
    exchange_all(fleets)
    assert {copy.level for copy in copies} == {alone.level}


@given(steps)
@settings(max_examples=60, deadline=None)
def test_copies_of_a_budget_without_news_of_each_other_spend_no_more(
    client: "redis.Redis", events: list[tuple[int, int]]
) -> None:
    client.flushall()
    copies = [FleetBudget(DirectFleet(client, str(number)), TARGET) for number in range(MEMBERS)]
    spent = successes = 0
    for number, event in events:
        if event < 3:
            copies[number].succeed()
            successes += 1
        else:
            spent += copies[number].spend()
    assert spent <= CAPACITY - FLOOR + 1 + 0.1 * successes


def tripped(client: "redis.Redis") -> tuple[list[DirectFleet], list[FleetBreaker]]:
    """Return processes whose breaker is open, and may be probed."""
    client.flushall()
    clock = Clock()
    fleets = [DirectFleet(client, str(number)) for number in range(MEMBERS)]
    copies = [FleetBreaker(fleet, TARGET, clock, cooldown=0) for fleet in fleets]
    exchange_all(fleets)
    clock.now += 1
    for number in range(SAMPLES):
        permit = copies[number % MEMBERS].admit()
        assert permit is not None
        permit.fail()
        exchange_all(fleets)
    assert {copy.state for copy in copies} == {BreakerState.OPEN}
    return fleets, copies


@given(steps)
@settings(max_examples=60, deadline=None)
def test_one_process_at_a_time_has_the_probe(client: "redis.Redis", events: list[tuple[int, int]]) -> None:
    fleets, copies = tripped(client)
    probes: dict[int, BreakerPermit] = {}
    for number, event in events:
        closed = copies[number].state is BreakerState.CLOSED
        if event < 5:
            permit = copies[number].admit()
            if permit is not None and permit.probe:
                assert probes == {}
                probes[number] = permit
            assert closed or permit is None or permit.probe
        elif event < 8:
            fleets[number].exchange()
        elif number in probes:
            permit = probes.pop(number)
            (permit.fail if event == 8 else permit.release)()
            fleets[number].exchange()


def test_recovery_is_known_to_all(client: "redis.Redis") -> None:
    fleets, copies = tripped(client)
    probe = copies[0].admit()
    assert probe is not None
    exchange_all(fleets)
    assert {copy.state for copy in copies} == {BreakerState.HALF_OPEN}
    assert copies[1].admit() is None
    probe.succeed()
    exchange_all(fleets)
    assert {copy.state for copy in copies} == {BreakerState.CLOSED}


def test_open_breaker_survives_a_redis_that_has_lost_its_data(client: "redis.Redis") -> None:
    fleets, copies = tripped(client)
    client.flushall()
    newcomer: Any = DirectFleet(client, "new")
    copy = FleetBreaker(newcomer, TARGET, Clock(), cooldown=0)
    exchange_all([newcomer, *fleets])
    assert {one.state for one in [copy, *copies]} == {BreakerState.OPEN}


def test_budget_survives_a_redis_that_has_lost_its_data(client: "redis.Redis") -> None:
    client.flushall()
    fleet = DirectFleet(client, "one")
    copy = FleetBudget(fleet, TARGET)
    assert [copy.spend() for _ in range(6)] == [True] * 5 + [False]
    client.flushall()
    fleet.exchange()
    copy.succeed()
    fleet.exchange()
    assert copy.level == pytest.approx(FLOOR + 0.1)


def test_latest_samples_of_all_processes_are_kept(client: "redis.Redis") -> None:
    client.flushall()
    fleets = [DirectFleet(client, str(number)) for number in range(MEMBERS)]
    copies = [FleetQuantiles(fleet, (*TARGET, "small")) for fleet in fleets]
    for number in range(2 * LAST):
        copies[number % MEMBERS].add(number)
        if not number % 7:
            exchange_all(fleets)
    exchange_all(fleets)
    assert {copy.p95 for copy in copies} == {copies[0].p95}
    assert copies[0].quantile(0) == pytest.approx(LAST, abs=7)  # as fine as the exchanges
    newcomer: Any = DirectFleet(client, "new")
    copy = FleetQuantiles(newcomer, (*TARGET, "small"))
    newcomer.exchange()
    assert copy.p95 == copies[0].p95


def attempt(*, failed: bool) -> AttemptRecord:
    """Return an attempt that the provider answered, or refused."""
    failure = make_failure(Cause.UNAVAILABLE, category=Category.TRANSIENT) if failed else None
    return AttemptRecord(streaming=True, failure=failure, opened=not failed, waited=0.1, first_content=0.2)


def test_objectives_cover_the_calls_of_all_processes(client: "redis.Redis") -> None:
    client.flushall()
    fleets = [DirectFleet(client, str(number)) for number in range(MEMBERS)]
    trackers = [SloTracker(Clock()) for _ in fleets]
    for tracker, fleet in zip(trackers, fleets, strict=True):
        tracker.share(fleet)
        assert tracker.attempt_counts(TARGET, 600) == (0, 0)
    exchange_all(fleets)
    for number in range(30):
        trackers[number % MEMBERS].record_attempt(TARGET, attempt(failed=number < 10))
    exchange_all(fleets)
    assert {tracker.attempt_counts(TARGET, 600) for tracker in trackers} == {(10, 30)}
    reports = [tracker.report().statuses for tracker in trackers]
    assert reports == [reports[0]] * MEMBERS
    assert max(standing.count.total for standing in reports[0]) == 30
    own = [counts.count.total for tracker in trackers for counts in tracker.tallies() if counts.count.total]
    assert max(own) == 10

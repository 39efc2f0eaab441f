"""A provider fails all calls of a fleet: the extra requests stay within one budget, with Redis and without."""

from fleet_kit import PROCESSES, fleet
from redis_server import RedisServer

from l0.shared_state.budget import CAPACITY, FLOOR
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

CALLS = 20
"""Calls of each process per phase."""
OF_ALL = PROCESSES * CALLS
BUCKET = round(CAPACITY - FLOOR)
MOST = 1.1
"""Requests per call."""


def storm(sim: Simulator, phases: int) -> None:
    """Let the provider fail, whatever the calls do."""
    sim.script(*[Fault.status(503)] * 7 * phases * OF_ALL)


def test_storm_while_redis_is_killed_and_comes_back(sim: Simulator, redis_server: RedisServer) -> None:
    storm(sim, phases=4)
    with fleet(sim, redis_server.url, L0_BUDGET="true") as callers:
        assert callers.call(CALLS) == {"failed": OF_ALL}
        # A process that Redis does not answer in time spends at most its share, one token, without asking.
        assert BUCKET <= len(sim.requests) - OF_ALL <= BUCKET + PROCESSES
        redis_server.kill()
        callers.call(CALLS)
        callers.wait_for(lambda status: status["away"])
        callers.call(CALLS)
        redis_server.start()
        callers.wait_for(lambda status: not status["away"])
        callers.call(CALLS)
    assert len(sim.requests) <= MOST * 4 * OF_ALL


def test_storm_that_begins_while_redis_is_away(sim: Simulator, redis_server: RedisServer) -> None:
    storm(sim, phases=1)
    with fleet(sim, redis_server.url, L0_BUDGET="true") as callers:
        redis_server.kill()
        callers.wait_for(lambda status: status["away"])
        callers.call(CALLS)
    assert len(sim.requests) <= MOST * OF_ALL

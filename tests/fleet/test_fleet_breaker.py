"""All processes of a fleet follow one breaker: it trips on the failures of all, and one process makes the probe."""

from collections import Counter

from fleet_kit import PROCESSES, Caller, Callers, fleet
from redis_server import RedisServer

from l0.shared_state.breaker import SAMPLES
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

FEW = -(-SAMPLES // PROCESSES)
"""Calls of each process that together are enough to trip the breaker; those of one process are not."""


def test_one_process_probes_for_all(sim: Simulator, redis_server: RedisServer) -> None:
    with fleet(sim, redis_server.url, cooldown_s=1, lease_s=5, L0_BREAKER="true", L0_RETRY_MAX_RETRIES="0") as callers:
        trip(sim, callers)
        probing = wait_for_probe(sim, callers)
        others = Callers(caller for caller in callers if caller is not probing)
        assert others.call(20) == {"refused": 20 * len(others)}
        assert len(sim.requests) == 1
        probing.process.kill()
        ended = Counter[str]()
        while not ended["whole"]:
            ended += others.call(1)
        others.wait_for(lambda status: status["breaker"] == "closed")
        assert others.call(2) == {"whole": 2 * len(others)}


def trip(sim: Simulator, callers: Callers) -> None:
    """Make calls that fail until all processes have opened the breaker. Failures of others are known a moment later."""
    sim.script(*[Fault.status(503)] * 7 * FEW * PROCESSES)
    callers.call(FEW)
    while not all(status["breaker"] == "open" for status in callers.ask("status")):
        callers.call(1)
    assert len(sim.requests) < SAMPLES * PROCESSES  # no process has tripped it alone
    sim.reset()


def wait_for_probe(sim: Simulator, callers: Callers) -> Caller:
    """Call in all processes until one of them waits for an answer, which the provider does not give."""
    sim.script(Fault.no_headers())
    calling: list[Caller] = []
    while not (sim.requests and len(calling) == 1):
        for caller in callers:
            if not sim.requests and caller not in calling:
                caller.send("call 1")
                calling.append(caller)
        for caller in [each for each in calling if not each.answers.empty()]:
            assert caller.answer() == {"refused": 1}
            calling.remove(caller)
    return calling[0]

"""Faults that apply to a share of the requests, or to the first ones."""

import openai
import pytest

from l0.simulator.fault_limits import FaultLimits
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.testing import simulator

DOWN = Fault.status(503)
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def outcomes(client: openai.OpenAI, count: int, text: str | None = None) -> str:
    """Return one digit per request: 1 if it failed."""
    found = ""
    for _ in range(count):
        try:
            client.chat.completions.create(**ASKED, extra_headers={"x-l0-simulate": text} if text else None)  # type: ignore[call-overload]
            found += "0"
        except openai.InternalServerError:
            found += "1"
    return found


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_rate_is_the_share_of_requests_with_the_fault(rate: float) -> None:
    limits, fault = FaultLimits(seed=1), DOWN.limited(rate=rate)
    hits = [limits.applied(fault, index, "text") for index in range(2000)]
    assert set(hits) <= {DOWN, Fault()}
    assert abs(hits.count(DOWN) / 2000 - rate) < 0.04
    assert hits == [FaultLimits(seed=1).applied(fault, index, "other") for index in range(2000)]
    assert rate in (0, 1) or hits != [FaultLimits(seed=2).applied(fault, index, "text") for index in range(2000)]


def test_parts_are_drawn_and_counted_separately() -> None:
    limits = FaultLimits(seed=0)
    fault = DOWN.limited(rate=0.5) | Fault.cut().limited(rate=0.5) | Fault.bom()
    assert {limits.applied(fault, index, "") for index in range(100)} == {
        DOWN | Fault.cut() | Fault.bom(),
        DOWN | Fault.bom(),
        Fault.cut() | Fault.bom(),
        Fault.bom(),
    }


def test_times_count_the_requests_with_the_same_text() -> None:
    limits, fault = FaultLimits(seed=0), DOWN.limited(times=2)
    assert [bool(limits.applied(fault, index, "a")) for index in range(4)] == [True, True, False, False]
    assert limits.applied(fault, 4, "b") == DOWN
    limits.clear()
    assert limits.applied(fault, 5, "a") == DOWN


def test_times_count_only_the_requests_that_the_rate_selects() -> None:
    limits, fault = FaultLimits(seed=0), DOWN.limited(rate=0.2, times=3)
    hits = [bool(limits.applied(fault, index, "a")) for index in range(1000)]
    assert sum(hits) == 3
    assert not all(hits[:3])


def test_limits_of_a_header_apply_to_real_calls(client: openai.OpenAI, sim: Simulator) -> None:
    assert outcomes(client, 4, "status 503 times=2") == "1100"
    found = outcomes(client, 40, "status 503 rate=0.3")
    assert 4 <= found.count("1") <= 20
    with simulator() as again, client.with_options(base_url=again.openai) as other:
        assert outcomes(other, 4, "ok") == "0000"
        assert outcomes(other, 40, "status 503 rate=0.3") == found
    assert [received.answered for received in sim.requests[:4]] == ["status 503", "status 503", "ok", "ok"]


def test_limits_of_the_script(client: openai.OpenAI, sim: Simulator) -> None:
    sim.script(*["status 503 times=1"] * 3)
    assert outcomes(client, 4) == "1000"

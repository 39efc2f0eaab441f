"""Consensus of real SDK streams with faults: right answers, honest failures, no request left at the server."""

import json

import pytest
from orchestration_kit import run

import l0
from l0.orchestration.results import BranchStatus
from l0.simulator.corpus import bundled_answer

GREETING = bundled_answer("greeting").text
OTHER = "answer languages"
STALLED = "stall at_event=2"


def test_two_of_three_decide_and_the_third_is_not_waited_for(sim, spans):
    async def journey(made):
        return await l0.Consensus.run([made.chat(), made.messages(), made.chat(STALLED)])

    found = run(sim, journey)
    assert (found.value, found.status, found.supporters) == (GREETING, "agreed", (0, 1))
    assert found.early
    assert found.branches[2].status is BranchStatus.CANCELLED
    assert sum(request.disconnected for request in sim.requests) == len(sim.requests) - 2


@pytest.mark.parametrize("fault", ["cut at_event=3", "status 500", "no-terminal", "clean-end at_event=2"])
def test_who_breaks_has_no_vote(sim, spans, fault):
    async def journey(made):
        return await l0.Consensus.run([made.chat(fault), made.chat(), made.messages()])

    spans.instrument(l0.Policy(truncation="strict"))
    found = run(sim, journey, max_retries=0)
    assert (found.value, found.status) == (GREETING, "agreed")
    assert found.agreement == pytest.approx(2 / 3)


def test_a_retry_below_is_not_seen_above(sim, spans):
    async def journey(made):
        sim.script("status 503", "status 503", "status 503")
        return await l0.Consensus.strict([made.chat(), made.chat(), made.messages()])

    found = run(sim, journey)
    assert (found.value, found.agreement) == (GREETING, 1.0)
    assert len(sim.requests) == 6


def test_missing_agreement_raises_an_error_with_the_reason(sim, spans):
    async def journey(made):
        with pytest.raises(l0.ConsensusError) as raised:
            await l0.Consensus.run([made.chat(), made.chat(OTHER), made.chat("cut at_event=3")])
        return raised.value

    error = run(sim, journey, max_retries=0)
    assert "33% agree, 60% required, and the vote is tied" in str(error)
    assert error.agreement == pytest.approx(1 / 3)
    assert isinstance(error.__cause__, ExceptionGroup)
    assert [type(one) for one in error.__cause__.exceptions if isinstance(one, l0.StreamInterrupted)]


def test_strict_ends_with_the_first_that_differs(sim, spans):
    async def journey(made):
        with pytest.raises(l0.ConsensusError):
            await l0.Consensus.strict([made.chat(), made.chat(OTHER), made.chat(STALLED)])

    run(sim, journey)
    assert [request.finished for request in sim.requests].count(False) <= 1


def test_one_survivor_is_no_consensus(sim, spans):
    async def journey(made):
        with pytest.raises(l0.ConsensusError, match="33% agree"):
            await l0.Consensus.run([made.chat("status 400"), made.chat("status 400"), made.chat()])
        with pytest.raises(l0.ConsensusError, match="no task gave an answer"):
            await l0.Consensus.run([made.chat("status 400"), made.chat("status 400")])

    run(sim, journey, max_retries=0)
    assert len(sim.requests) == 5


def test_structured_answers_are_decided_field_by_field(sim, spans):
    people = [{"name": "Ada", "born": 1815}, {"name": "Ada", "born": 1816}, {"name": "Ada", "born": 1815}]

    async def journey(made):
        work = [made.chat() for _ in people]
        left = iter(people)
        return await l0.Consensus.run(work, parse=lambda text: next(left), threshold=1.0)

    found = run(sim, journey)
    assert found.value == {"name": "Ada", "born": 1815}
    assert found.fields["name"].agreement in (1.0, pytest.approx(2 / 3))
    assert json.dumps(found.value)


def test_whole_answers_are_compared_by_their_text(sim, spans):
    async def journey(made):
        return await l0.Consensus.run([made.chat(stream=False), made.messages(), made.chat(stream=False)])

    assert run(sim, journey).value == GREETING


def test_options_of_l0_are_tasks_too(sim, spans):
    async def journey(made):
        work = [{"stream": made.chat(), "timeout": l0.Timeout()}, {"stream": made.messages()}, made.chat(STALLED)]
        return await l0.Consensus.run(work)

    found = run(sim, journey)
    assert (found.value, found.early) == (GREETING, True)
    assert found.branches[0].usage.characters == len(GREETING)

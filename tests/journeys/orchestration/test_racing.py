"""Races and fan-outs of real SDK streams: the right one wins, nobody is left at the server, all is one trace."""

import asyncio

import openai
import pytest
from installed import needs_responses
from orchestration_kit import run

import l0
from l0.orchestration.results import BranchStatus
from l0.simulator.corpus import bundled_answer

GREETING = bundled_answer("greeting").text
STALLED = "stall at_event=2"


def ways(made):
    return {"chat": made.chat, "messages": made.messages}


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("fault", [STALLED, "no-headers", "pings", "slow-drip interval=0.5"])
def test_who_hangs_loses_and_is_closed(sim, spans, api, fault):
    async def journey(made):
        make = ways(made)[api]
        return await l0.race([make(fault), make(), make(fault)])

    won = run(sim, journey)
    assert (won.value, won.winner) == (GREETING, 1)
    assert [branch.status for branch in won.branches] == [
        BranchStatus.CANCELLED,
        BranchStatus.OK,
        BranchStatus.CANCELLED,
    ]
    ends = sorted((request.finished, request.disconnected) for request in sim.requests)
    assert ends in ([(False, True), (False, True), (True, False)], [(False, True), (True, False)], [(True, False)])


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("fault", ["cut at_event=3", "reset at_event=3", "clean-end at_event=3", "status 400", "empty"])
def test_who_breaks_is_out_of_the_race(sim, spans, api, fault):
    async def journey(made):
        make = ways(made)[api]
        return await l0.race([make(fault), make("slow-drip interval=0.02")])

    spans.instrument(l0.Policy(truncation="strict"))
    won = run(sim, journey, max_retries=0)
    assert (won.value, won.winner) == (GREETING, 1)
    assert won.branches[0].status is BranchStatus.FAILED
    assert won.branches[0].error is not None


def test_failed_race_reports_every_reason(sim, spans):
    async def journey(made):
        with pytest.raises(l0.NoAnswerError) as raised:
            await l0.race([made.chat("status 400"), made.chat("cut at_event=4"), made.messages("status 500")])
        return raised.value.exceptions

    bad, cut, broken = run(sim, journey, max_retries=0)
    assert isinstance(bad, openai.BadRequestError)
    assert isinstance(cut, l0.StreamInterrupted)
    assert cut.partial_text == ""  # a race delivers a complete answer only
    assert "characters had arrived (none of them delivered)" in str(cut)
    assert type(broken).__name__ == "InternalServerError"
    assert len(sim.requests) == 3


def test_a_bare_clients_truncated_stream_does_not_win(sim):
    async def journey(made):
        return await l0.race([made.chat("clean-end at_event=3"), made.messages("slow-drip interval=0.02")])

    won = run(sim, journey, max_retries=0)
    assert (won.value, won.winner) == (GREETING, 1)
    assert won.branches[0].error.reason == "truncated"


@needs_responses
def test_an_error_inside_the_stream_is_no_answer(sim, spans):
    async def journey(made):
        return await l0.race([made.responses("failed at_event=4"), made.responses("slow-drip interval=0.02")])

    won = run(sim, journey, max_retries=0)
    assert (won.value, won.winner) == (GREETING, 1)
    assert won.branches[0].status is BranchStatus.FAILED


def test_what_the_race_has_cost_is_known(sim, spans):
    async def journey(made):
        return await l0.race([made.messages("stall at_event=5"), made.messages("slow-drip interval=0.02")])

    won = run(sim, journey)
    assert won.branches[0].status is BranchStatus.CANCELLED
    assert won.branches[0].usage.characters > 0
    assert won.branches[0].usage.input_tokens > 0
    assert won.usage.output_tokens >= won.branches[1].usage.output_tokens > 0


@pytest.mark.parametrize("sort", ["race", "parallel"])
def test_all_branches_are_one_trace(sim, spans, sort):
    async def journey(made):
        with spans.tracer.start_as_current_span("request"):
            work = [made.chat(), made.chat(STALLED if sort == "race" else "ok")]
            return await getattr(l0, sort)(work)

    run(sim, journey)
    assert len({span.context.trace_id for span in spans.all}) == 1
    by_name = {}
    for span in spans.all:
        by_name.setdefault(span.name, []).append(span)
    (fan,), (request,) = by_name[sort], by_name["request"]
    assert fan.parent.span_id == request.context.span_id
    each = by_name[f"{sort} branch"]
    assert {span.parent.span_id for span in each} == {fan.context.span_id}
    assert {span.attributes["l0.branch.index"] for span in each} == {0, 1}
    outcomes = sorted(span.attributes["l0.branch.outcome"] for span in each)
    assert outcomes == (["cancelled", "ok"] if sort == "race" else ["ok", "ok"])
    calls = by_name["chat gpt-4o"]
    assert {span.parent.span_id for span in calls} == {span.context.span_id for span in each}


def test_race_without_a_winner_is_failed_in_the_trace(sim, spans):
    async def journey(made):
        with pytest.raises(l0.NoAnswerError):
            await l0.race([made.chat("status 400"), made.chat("status 400")])

    run(sim, journey, max_retries=0)
    (fan,) = [span for span in spans.all if span.name == "race"]
    assert (fan.status.status_code.name, fan.attributes["error.type"]) == ("ERROR", "NoAnswerError")


def test_a_hundred_streams_at_once_leave_nothing_behind(sim, spans):
    async def journey(made):
        return await l0.parallel([made.chat() for _ in range(100)])

    results = run(sim, journey)
    assert results.values == [GREETING] * 100
    assert len(sim.requests) == 100
    assert {request.disconnected for request in sim.requests} == {False}


def test_a_cancelled_fan_out_leaves_nothing_behind(sim, spans):
    async def journey(made):
        async def leave():
            while len(sim.requests) < 10:
                await asyncio.sleep(0.005)
            raise LookupError("seen enough")

        with pytest.raises(LookupError):
            await l0.parallel([*(made.chat(STALLED) for _ in range(10)), leave], fail_fast=True)

    run(sim, journey)
    assert {request.disconnected for request in sim.requests} == {True}


def test_windows_over_a_document(sim, spans):
    document = "It was a dark and stormy night. " * 40

    async def journey(made):
        window = l0.Window.create(document, size=300, overlap=30, strategy="char")
        wishes = ["ok", "cut at_event=3", "ok"]
        results = await window.process_all(
            lambda chunk: made.chat(wishes[chunk.index] if chunk.index < 3 else "ok")(), concurrency=3
        )
        return results, len(list(window))

    results, count = run(sim, journey, max_retries=0)
    assert results.stats.count == count == len(sim.requests)
    assert results.stats.failed == 1
    assert isinstance(results[1].error, l0.StreamInterrupted)

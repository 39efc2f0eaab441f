"""A second request beside a slow one: the first to bring content is the answer, and nothing is left of the other."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from faults_kit import SDKS, Stage, body_of, sync_and_async
from installed import needs_responses
from makers import settled
from traffic_kit import Sample, difference

import l0
from l0.config import CONFIG
from l0.model.call import Outcome
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.testing import simulator

SOON = l0.Policy(hedge=l0.Hedge(after=400))
NO_HEADERS = Fault.no_headers()
HEADERS_ONLY = Fault.stall(at_event=0)
HANGS = 120.0
"""Seconds that only a hang takes."""
slow = pytest.mark.parametrize("fault", [NO_HEADERS, HEADERS_ONLY], ids=["no headers", "no content"])
rerun = pytest.mark.parametrize("dialect", ["chat", "completions", "messages"])


@pytest.fixture(autouse=True)
def on(stage: Stage) -> Iterator[None]:
    stage.on(SOON)
    yield
    l0.uninstrument()


def different(stage: Stage, sample: Sample, chunks: list[Any]) -> str | None:
    """Return the difference of chunks from those of an undisturbed answer."""
    return difference(chunks, stage.call(sample, sync=True).chunks)


def left(stage: Stage) -> int:
    """Requests that the server is still serving, once it has had the time to notice that a client left."""
    deadline = time.monotonic() + HANGS
    while any(not one.finished and not one.disconnected for one in stage.sim.requests):
        if time.monotonic() > deadline:
            break
        if stage.loop.is_running():
            raise AssertionError("only between calls")
        stage.loop.run_until_complete(asyncio.sleep(0.005))
    return sum(not one.finished and not one.disconnected for one in stage.sim.requests)


@sync_and_async
@slow
@rerun
def test_hedge_wins_if_the_first_request_is_slow(stage, dialect, fault, sync):
    sample = body_of(dialect)
    seen = stage.call(sample, fault, sync=sync)
    assert seen.error is None
    attempts = [span for span in stage.exporter.get_finished_spans() if span.parent is not None]
    assert not different(stage, sample, seen.chunks)
    assert seen.requests == 2
    assert seen.span["l0.outcome"] == Outcome.RECOVERED_HEDGE
    assert seen.span["l0.attempts"] == 2
    assert [span.attributes.get("l0.attempt.hedge") for span in attempts] == [None, True]
    assert [span.attributes.get("l0.attempt.lost") for span in attempts] == [True, None]


@sync_and_async
def test_a_loser_is_closed_at_once(stage, sync):
    stage.call(body_of("chat"), HEADERS_ONLY, sync=sync)
    assert left(stage) == 0


def test_a_sync_loser_without_headers_closes_itself_when_they_come(stage, clock):
    before = set(threading.enumerate())
    stage.call(body_of("chat"), Fault.no_headers(seconds=1.0), sync=True)
    mine = [
        thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("l0-attempt-")
    ]
    with clock.waiting():
        for thread in mine:
            thread.join(HANGS)
    assert mine
    assert not any(thread.is_alive() for thread in mine)
    assert left(stage) == 0


def test_a_dropped_stream_is_closed_while_the_loser_waits_for_its_headers(stage):
    before = set(threading.enumerate())
    stage.exporter.clear()
    with simulator() as sim, openai.OpenAI(api_key="k", base_url=sim.openai, timeout=HANGS) as client:
        sim.script(Reply(fault=NO_HEADERS), Reply())
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        next(stream)
        (loser,) = [one for one in threading.enumerate() if one not in before and one.name == "l0-attempt-1"]
        del stream
        settled()
        outcomes = [span.attributes["l0.outcome"] for span in stage.exporter.get_finished_spans() if not span.parent]
        assert outcomes == [Outcome.CANCELLED]
        assert loser.is_alive()
    loser.join(HANGS)


@sync_and_async
def test_first_request_wins_if_the_hedge_is_slower(stage, sync):
    sample = body_of("chat")
    stage.sim.reset()
    seen = stage.call(sample, Fault.stall(at_event=0, seconds=1.5), HEADERS_ONLY, sync=sync)
    assert seen.error is None
    assert not different(stage, sample, seen.chunks)
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.OK)
    assert left(stage) == 0


@sync_and_async
def test_a_quick_answer_is_not_hedged(stage, sync):
    with l0.policy(hedge=l0.Hedge(after=60_000)):
        seen = stage.call(body_of("chat"), sync=sync)
    assert (seen.requests, seen.span["l0.outcome"]) == (1, Outcome.OK)


@sync_and_async
def test_a_first_that_fails_while_the_hedge_runs_is_no_failure_of_the_call(stage, sync):
    sample = body_of("chat")
    late = Fault.stall(at_event=0, seconds=1.5) | Fault.cut(at_event=0)
    seen = stage.call(sample, late, Fault.stall(at_event=0, seconds=2.0), sync=sync)
    assert seen.error is None
    assert not different(stage, sample, seen.chunks)
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.RECOVERED_HEDGE)


@sync_and_async
def test_where_both_fail_the_call_goes_on_as_after_one_failure(stage, sync):
    sample = body_of("chat")
    failing = Fault.stall(at_event=0, seconds=2.0) | Fault.cut(at_event=0)
    seen = stage.call(sample, failing, failing, sync=sync)
    assert seen.error is None
    assert not different(stage, sample, seen.chunks)
    assert (seen.requests, seen.span["l0.outcome"]) == (3, Outcome.RECOVERED_RETRY)


@sync_and_async
@pytest.mark.parametrize("fault", [HEADERS_ONLY, NO_HEADERS], ids=["after the headers", "before them"])
def test_the_first_token_has_its_deadline_in_a_race_too(stage, fault, sync):
    limit = l0.Timeout(initial_token=2_000)
    policy = l0.Policy(hedge=l0.Hedge(after=1_000), timeout=limit, retry=l0.Retry(max_retries=0))
    with l0.policy(policy):
        seen = stage.call(body_of("chat"), fault, fault, sync=sync)
    assert isinstance(seen.error, openai.APITimeoutError)
    assert seen.requests == 2
    assert left(stage) == 0
    with l0.policy(l0.Policy(hedge=policy.hedge, timeout=policy.timeout)):
        seen = stage.call(body_of("chat"), fault, fault, sync=sync)
    assert (seen.error, seen.requests) == (None, 3)  # repeated as the SDK repeats a timeout; that one is not hedged


@needs_responses
@sync_and_async
@pytest.mark.parametrize(("more", "requests"), [({"store": True}, 2), ({"conversation": "conv_1"}, 1)])
def test_only_answers_without_an_effect_are_hedged(stage, sync, more, requests):
    seen = stage.call(body_of("responses"), Fault.stall(at_event=0, seconds=1.5), sync=sync, **more)
    assert seen.error is None
    assert seen.requests == requests


@sync_and_async
def test_hedge_delay_defaults_to_the_latency_quantile(stage, sync):
    sample, usual = body_of("chat"), Fault.stall(at_event=0, seconds=0.05)
    CONFIG.shared_state.first_token_latencies.renew()
    with l0.policy(hedge=True):
        for _ in range(20):
            assert stage.call(sample, usual, sync=sync).requests == 1
        seen = stage.call(sample, HEADERS_ONLY, sync=sync)
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.RECOVERED_HEDGE)


def test_a_cancelled_call_leaves_neither(stage):
    client: Any = SDKS["openai"].AsyncOpenAI(api_key="k", base_url=stage.sim.openai, timeout=120)

    async def cancelled() -> None:
        asked = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        call = asyncio.ensure_future(asked)
        async with asyncio.timeout(HANGS):
            while len(stage.sim.requests) < 2:
                await asyncio.sleep(0.005)
        call.cancel()
        await call

    stage.sim.reset()
    stage.sim.script(*[Reply(body=RecordedBody(content=body_of("chat").content), fault=HEADERS_ONLY)] * 2)
    with pytest.raises(asyncio.CancelledError):
        stage.loop.run_until_complete(cancelled())
    assert left(stage) == 0
    assert len(stage.sim.requests) == 2
    stage.loop.run_until_complete(client.close())

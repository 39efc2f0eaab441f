"""Everything that reads whole answers repeats a call that broke after its first word: nobody has seen a part."""

import pytest
from installed import needs_chat_helpers
from orchestration_kit import run

import l0
from l0.simulator.corpus import bundled_answer

GREETING = bundled_answer("greeting").text
BROKEN = ["reset at_event=3", "cut at_event=3", "stall at_event=3"]


async def raced(task):
    return (await l0.race([task])).value


async def in_parallel(task):
    return (await l0.parallel([task])).values[0]


async def in_sequence(task):
    return (await l0.sequential([task])).values[0]


async def in_batches(task):
    return (await l0.batched([task], size=2)).values[0]


async def in_a_pool(task):
    async with l0.Pool(2) as pool:
        return await pool.run(task)


async def in_a_pipeline(task):
    return (await l0.Pipeline(l0.Step(name="ask", run=lambda _: task())).run("x")).value


async def in_windows(task):
    return (await l0.Window.create("a document").process_all(lambda chunk: task())).values[0]


async def by_consensus(task):
    return (await l0.Consensus.run([task, task])).value


READERS = [raced, in_parallel, in_sequence, in_batches, in_a_pool, in_a_pipeline, in_windows, by_consensus]


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_stream_that_broke_after_its_first_word_is_retried(sim, spans, reader, api):
    async def journey(made):
        sim.script(BROKEN[0], BROKEN[1])
        return await reader(getattr(made, api)())

    assert run(sim, journey) == GREETING
    assert len(sim.requests) == (4 if reader is by_consensus else 3)


@pytest.mark.parametrize("hold", ["first_content", "verified"])
def test_policy_limits_the_retries_of_a_whole_answer(sim, spans, hold):
    async def journey(made):
        sim.script(*BROKEN[:2] * 2)
        return await l0.parallel([made.chat()])

    retry = l0.Retry(max_retries=2, base_delay=0.0, max_delay=0.0)
    spans.instrument(l0.Policy(retry=retry, hold=hold))
    results = run(sim, journey)
    assert isinstance(results[0].error, l0.StreamInterrupted)
    assert len(sim.requests) == 3


@needs_chat_helpers
def test_helper_that_broke_after_its_first_word_is_retried(sim, spans):
    async def journey(made):
        sim.script(BROKEN[0])
        messages = [{"role": "user", "content": "hi"}]
        return await l0.race([lambda: made.chat_client.chat.completions.stream(model="gpt-4o", messages=messages)])

    assert run(sim, journey).value == GREETING
    assert len(sim.requests) == 2


def test_part_that_the_task_has_read_is_not_retried(sim, spans):
    async def journey(made):
        async def task():
            stream = await made.chat("reset at_event=3")()
            await anext(stream)
            return stream

        return await l0.parallel([task])

    results = run(sim, journey)
    assert isinstance(results[0].error, l0.StreamInterrupted)
    assert len(sim.requests) == 1


def test_mapping_of_options_is_retried(sim, spans):
    async def journey(made):
        sim.script(BROKEN[0])
        return await l0.race([{"stream": made.chat()}])

    assert run(sim, journey).value == GREETING
    assert len(sim.requests) == 2

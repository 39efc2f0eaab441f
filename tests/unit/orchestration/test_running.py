"""Side by side, one after the other, batch by batch."""

import asyncio
from itertools import count, islice

import pytest
from orchestration_tasks import Gate, run, saying, turn

from l0.orchestration.results import Status
from l0.orchestration.running import batched, parallel, sequential
from l0.values.policy import PolicyError

ALL = [
    parallel,
    lambda work, **options: parallel(work, concurrency=2, **options),
    sequential,
    lambda work, **options: batched(work, size=2, **options),
]
each_way = pytest.mark.parametrize("go", ALL, ids=["parallel", "two at a time", "sequential", "batched"])


@each_way
def test_answers_come_in_the_tasks_order(go):
    results = run(go([saying(index) for index in range(5)]))
    assert results.values == [0, 1, 2, 3, 4]
    assert [branch.index for branch in results] == [0, 1, 2, 3, 4]
    assert (results.stats.count, results.stats.succeeded, results.stats.success_rate) == (5, 5, 100.0)
    assert results[1].value == results[1:2][0].value == 1


@each_way
def test_failures_are_results(go):
    gone = ConnectionError("gone")
    results = run(go([saying(0), saying(gone), saying(2), saying(3)]))
    assert results.succeeded == [0, 2, 3]
    assert results.errors == [gone]
    assert results.stats.success_rate == 75.0
    with pytest.raises(ExceptionGroup, match="1 of 4 tasks failed") as raised:
        _ = results.values
    assert raised.value.exceptions == (gone,)


@each_way
def test_or_end_it_where_that_is_asked_for(go):
    begun: list[int] = []

    def task(index):
        async def work():
            begun.append(index)
            if index == 0:
                raise ConnectionError("gone")
            await asyncio.Event().wait()

        return work

    with pytest.raises(ConnectionError, match="gone"):
        run(go([task(index) for index in range(4)], fail_fast=True))
    assert begun[0] == 0


@each_way
def test_each_is_told_of_as_it_ends(go):
    told = []

    async def hear(branch):
        await asyncio.sleep(0)
        told.append(branch.index)

    run(go([saying(index) for index in range(4)], on_result=hear))
    assert sorted(told) == [0, 1, 2, 3]


@each_way
def test_nothing_to_do_is_no_error(go):
    results = run(go([]))
    assert (len(results), results.values, results.stats.success_rate) == (0, [], 100.0)


@each_way
def test_what_is_no_task_is_said_before_anything_is_begun(go):
    begun = Gate()
    with pytest.raises(PolicyError, match="a function without arguments"):
        run(go([begun, "text"]))
    assert not begun.begun


def test_a_batch_waits_for_the_one_before():
    gates = [Gate(index) for index in range(3)]

    async def main():
        running = asyncio.ensure_future(batched(gates, size=2))
        await turn()
        gates[0].open()
        await turn()
        begun = gates[2].begun
        gates[1].open()
        await turn()
        gates[2].open()
        return begun, (await running).values

    assert run(main()) == (False, [0, 1, 2])


def test_tasks_are_taken_as_others_end():
    taken: list[int] = []

    def endless():
        for index in count():
            taken.append(index)
            yield saying(index)

    results = run(parallel(islice(endless(), 1000), concurrency=3, keep=False, on_result=lambda branch: None))
    assert (results.stats.count, len(results)) == (1000, 0)
    with pytest.raises(ValueError, match="were not kept"):
        _ = results.values


def test_the_first_failure_ends_tasks_without_end():
    taken: list[int] = []

    def endless():
        for index in count():
            taken.append(index)
            yield saying(LookupError() if index == 5 else index)

    with pytest.raises(LookupError):
        run(parallel(endless(), concurrency=3, fail_fast=True))
    assert len(taken) < 15


def test_a_failure_that_is_raised_keeps_its_cause():
    async def task():
        raise LookupError("mine") from OSError("below")

    with pytest.raises(LookupError) as raised:
        run(parallel([task], fail_fast=True))
    assert isinstance(raised.value.__cause__, OSError)


def test_a_callback_that_raises_changes_nothing(caplog):
    def told(branch):
        raise ValueError("mine")

    assert run(parallel([saying(1), saying(2)], on_result=told)).values == [1, 2]
    assert caplog.text.count("on_result failed and is ignored") == 2


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("parallel.concurrency", lambda: parallel(iter([saying(1)]))),
        ("parallel.concurrency", lambda: parallel([saying(1)], concurrency=0)),
        ("parallel.concurrency", lambda: parallel([saying(1)], concurrency=True)),
        ("batched.size", lambda: batched([saying(1)], size=0)),
        ("on_result", lambda: parallel([saying(1)], on_result=5)),
    ],
)
def test_what_is_not_allowed_is_said(field, call):
    with pytest.raises(PolicyError, match=field):
        run(call())


@each_way
def test_options_that_are_none_are_said(go):
    with pytest.raises(TypeError, match="'fail_fats' is no option; there are fail_fast"):
        run(go([saying(1)], fail_fats=True))
    with pytest.raises(PolicyError, match="progress"):
        run(go([saying(1)], progress=True))


def test_cancelled_ones_are_no_answers():
    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    results = run(parallel([cancels_itself, saying(1)]))
    assert [branch.status for branch in results] == [Status.CANCELLED, Status.OK]

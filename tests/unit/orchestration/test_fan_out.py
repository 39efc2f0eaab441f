"""`parallel`, `sequential` and `batched`."""

import asyncio
from itertools import count, islice

import pytest
from orchestration_tasks import Gate, returning, run, turn

from l0.model.policy import PolicyError
from l0.orchestration.fan_out import batched, parallel, sequential
from l0.orchestration.results import BranchStatus

ALL = [
    parallel,
    lambda work, **options: parallel(work, concurrency=2, **options),
    sequential,
    lambda work, **options: batched(work, size=2, **options),
]
each_way = pytest.mark.parametrize("go", ALL, ids=["parallel", "two at a time", "sequential", "batched"])


@each_way
def test_results_are_in_task_order(go):
    results = run(go([returning(index) for index in range(5)]))
    assert results.values == [0, 1, 2, 3, 4]
    assert [branch.index for branch in results] == [0, 1, 2, 3, 4]
    assert (results.stats.count, results.stats.succeeded, results.stats.success_rate) == (5, 5, 100.0)
    assert results[1].value == results[1:2][0].value == 1


@each_way
def test_results_contain_failures(go):
    failure = ConnectionError("gone")
    results = run(go([returning(0), returning(failure), returning(2), returning(3)]))
    assert results.succeeded == [0, 2, 3]
    assert results.errors == [failure]
    assert results.stats.success_rate == 75.0
    with pytest.raises(ExceptionGroup, match="1 of 4 tasks failed") as raised:
        _ = results.values
    assert raised.value.exceptions == (failure,)


@each_way
def test_fail_fast_cancels_the_other_tasks(go):
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
def test_on_result_is_called_when_a_task_ends(go):
    notified = []

    async def on_result(branch):
        await asyncio.sleep(0)
        notified.append(branch.index)

    run(go([returning(index) for index in range(4)], on_result=on_result))
    assert sorted(notified) == [0, 1, 2, 3]


@each_way
def test_results_of_no_tasks_are_empty(go):
    results = run(go([]))
    assert (len(results), results.values, results.stats.success_rate) == (0, [], 100.0)


@each_way
def test_invalid_task_is_rejected_before_any_task_starts(go):
    begun = Gate()
    with pytest.raises(PolicyError, match="a function without arguments"):
        run(go([begun, "text"]))
    assert not begun.begun


def test_batch_waits_for_the_previous_batch():
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


def test_parallel_takes_tasks_of_an_iterator_on_demand():
    taken: list[int] = []

    def endless():
        for index in count():
            taken.append(index)
            yield returning(index)

    results = run(parallel(islice(endless(), 1000), concurrency=3, keep=False, on_result=lambda branch: None))
    assert (results.stats.count, len(results)) == (1000, 0)
    with pytest.raises(ValueError, match="were not kept"):
        _ = results.values


def test_fail_fast_ends_an_infinite_iterator_of_tasks():
    taken: list[int] = []

    def endless():
        for index in count():
            taken.append(index)
            yield returning(LookupError() if index == 5 else index)

    with pytest.raises(LookupError):
        run(parallel(endless(), concurrency=3, fail_fast=True))
    assert len(taken) < 15


def test_fail_fast_error_keeps_its_cause():
    async def task():
        raise LookupError("mine") from OSError("below")

    with pytest.raises(LookupError) as raised:
        run(parallel([task], fail_fast=True))
    assert isinstance(raised.value.__cause__, OSError)


def test_on_result_error_is_logged_and_ignored(caplog):
    def on_result(branch):
        raise ValueError("mine")

    assert run(parallel([returning(1), returning(2)], on_result=on_result)).values == [1, 2]
    assert caplog.text.count("on_result failed and is ignored") == 2


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("parallel.concurrency", lambda: parallel(iter([returning(1)]))),
        ("parallel.concurrency", lambda: parallel([returning(1)], concurrency=0)),
        ("parallel.concurrency", lambda: parallel([returning(1)], concurrency=True)),
        ("batched.size", lambda: batched([returning(1)], size=0)),
        ("on_result", lambda: parallel([returning(1)], on_result=5)),
    ],
)
def test_invalid_arguments_raise_policy_error(field, call):
    with pytest.raises(PolicyError, match=field):
        run(call())


@each_way
def test_unknown_options_raise_type_error(go):
    with pytest.raises(TypeError, match=r"fail_fats: no such option; did you mean fail_fast\?"):
        run(go([returning(1)], fail_fats=True))
    with pytest.raises(PolicyError, match="progress"):
        run(go([returning(1)], progress=True))


def test_task_that_cancels_itself_is_a_failure():
    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    results = run(parallel([cancels_itself, returning(1)]))
    assert [branch.status for branch in results] == [BranchStatus.CANCELLED, BranchStatus.OK]

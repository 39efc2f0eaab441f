"""Scope of branches: every task that is started in it ends in it."""

import asyncio
from functools import partial

import pytest
from orchestration_tasks import Gate, returning, run, turn

from l0.orchestration import task_group
from l0.orchestration.fan_out import parallel
from l0.orchestration.results import BranchStatus
from l0.telemetry.fan_out_spans import FanOutSpan


def recorder(stop=lambda branch: False):
    ended = []

    def on_end(branch):
        ended.append(branch)
        return stop(branch)

    return ended, on_end


def test_branches_all_notify_and_end():
    ended, on_end = recorder()
    left = run(
        task_group.run(
            [returning(1), returning(ValueError("no")), returning(3)], on_end, FanOutSpan("test"), concurrency=3
        )
    )
    assert left == []
    assert [(one.index, one.status) for one in ended] == [
        (0, BranchStatus.OK),
        (1, BranchStatus.FAILED),
        (2, BranchStatus.OK),
    ]


def test_branches_are_cancelled_and_awaited_if_the_callback_returns_true():
    slow = Gate()
    ended, on_end = recorder(lambda branch: branch.index == 1)
    left = run(task_group.run([slow, returning(1)], on_end, FanOutSpan("test"), concurrency=2))
    assert [one.index for one in ended] == [1]
    assert [(one.index, one.status) for one in left] == [(0, BranchStatus.CANCELLED)]
    assert slow.cancelled


def test_branches_respect_the_concurrency_limit():
    gates = [Gate() for _ in range(4)]

    async def main():
        ended, on_end = recorder()
        running = asyncio.ensure_future(task_group.run(iter(gates), on_end, FanOutSpan("test"), concurrency=2))
        await turn()
        begun = [gate.begun for gate in gates]
        gates[1].open()
        await turn()
        after = [gate.begun for gate in gates]
        for gate in (gates[0], gates[2]):
            gate.open()
        await turn()
        gates[3].open()
        await running
        return begun, after, [one.index for one in ended]

    begun, after, order = run(main())
    assert begun == [True, True, False, False]
    assert after == [True, True, True, False]
    assert order[0] == 1
    assert sorted(order) == [0, 1, 2, 3]


def test_cancellation_from_outside_cancels_all_branches():
    gates = [Gate(), Gate()]

    async def main():
        running = asyncio.ensure_future(task_group.run(gates, recorder()[1], FanOutSpan("test"), concurrency=2))
        await turn()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(main())
    assert all(gate.cancelled for gate in gates)


def test_callback_error_ends_the_scope():
    slow = Gate()

    def on_end(branch):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(task_group.run([slow, returning(1)], on_end, FanOutSpan("test"), concurrency=2))
    assert slow.cancelled


def test_branch_fails_if_something_it_awaits_is_cancelled():
    async def task():
        inner = asyncio.ensure_future(asyncio.sleep(3600))
        inner.cancel()
        await inner

    ended, on_end = recorder()
    run(task_group.run([task, returning(1)], on_end, FanOutSpan("test"), concurrency=1))
    assert [one.status for one in ended] == [BranchStatus.FAILED, BranchStatus.OK]
    assert isinstance(ended[0].error, RuntimeError)
    assert isinstance(ended[0].error.__cause__, asyncio.CancelledError)


def test_branch_in_a_pending_callback_counts_as_cancelled():
    async def on_end(branch):
        if branch.index == 0:
            await asyncio.Event().wait()
        return True

    (left,) = run(task_group.run([returning(1), returning(2)], on_end, FanOutSpan("test"), concurrency=2))
    assert (left.index, left.status, left.value) == (0, BranchStatus.CANCELLED, None)


def test_system_exit_is_not_a_branch_failure():
    class End(BaseException):
        pass

    async def task():
        raise End

    with pytest.raises(BaseExceptionGroup) as raised:
        run(task_group.run([task], recorder()[1], FanOutSpan("test"), concurrency=1))
    assert raised.group_contains(End)


def failing_together(*errors):
    """Create tasks that fail in the same turn of the event loop."""
    opened = asyncio.Event()

    async def fail(error):
        asyncio.get_running_loop().call_soon(opened.set)
        await opened.wait()
        raise error

    return [partial(fail, error) for error in errors]


def test_fail_fast_raises_the_first_of_several_failures():
    async def main():
        await parallel(failing_together(KeyError("first"), ValueError("second")), fail_fast=True)

    with pytest.raises(KeyError) as raised:
        run(main())
    assert raised.value.__notes__ == ["l0: another task failed, too: ValueError: second"]


def test_fail_fast_raises_the_failure_even_if_a_cancelled_task_fails():
    async def main():
        async def fails_at_its_end():
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("at its end")

        async def fails():
            await asyncio.sleep(0)
            raise KeyError("first")

        await parallel([fails_at_its_end, fails], fail_fast=True)

    with pytest.raises(KeyError):
        run(main())


def test_on_result_gets_the_failure_that_ends_the_run():
    seen = []

    async def main():
        async def fails():
            raise KeyError("gone")

        await parallel([fails], fail_fast=True, on_result=lambda branch: seen.append(branch.status))

    with pytest.raises(KeyError):
        run(main())
    assert seen == [BranchStatus.FAILED]

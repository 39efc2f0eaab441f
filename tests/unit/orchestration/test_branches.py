"""The scope: what is begun ends in it, whatever ends it."""

import asyncio

import pytest
from orchestration_tasks import Gate, run, saying, turn

from l0.orchestration import branches
from l0.orchestration.results import Status
from l0.telemetry.branches import Fan


def heard(stop=lambda branch: False):
    ended = []

    def told(branch):
        ended.append(branch)
        return stop(branch)

    return ended, told


def test_all_are_heard_of_and_none_is_left():
    ended, told = heard()
    left = run(branches.run([saying(1), saying(ValueError("no")), saying(3)], told, Fan("test"), at_once=3))
    assert left == []
    assert [(one.index, one.status) for one in ended] == [(0, Status.OK), (1, Status.FAILED), (2, Status.OK)]


def test_enough_cancels_the_others_and_waits_for_them():
    slow = Gate()
    ended, told = heard(lambda branch: branch.index == 1)
    left = run(branches.run([slow, saying(1)], told, Fan("test"), at_once=2))
    assert [one.index for one in ended] == [1]
    assert [(one.index, one.status) for one in left] == [(0, Status.CANCELLED)]
    assert slow.cancelled


def test_no_more_than_allowed_are_begun_and_each_as_late_as_can_be():
    gates = [Gate() for _ in range(4)]

    async def main():
        ended, told = heard()
        running = asyncio.ensure_future(branches.run(iter(gates), told, Fan("test"), at_once=2))
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


def test_a_cancellation_from_outside_reaches_all():
    gates = [Gate(), Gate()]

    async def main():
        running = asyncio.ensure_future(branches.run(gates, heard()[1], Fan("test"), at_once=2))
        await turn()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(main())
    assert all(gate.cancelled for gate in gates)


def test_what_the_listener_raises_ends_the_scope():
    slow = Gate()

    def told(branch):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(branches.run([slow, saying(1)], told, Fan("test"), at_once=2))
    assert slow.cancelled


def test_a_task_that_waits_for_something_cancelled_has_failed():
    async def task():
        inner = asyncio.ensure_future(asyncio.sleep(3600))
        inner.cancel()
        await inner

    ended, told = heard()
    run(branches.run([task, saying(1)], told, Fan("test"), at_once=1))
    assert [one.status for one in ended] == [Status.FAILED, Status.OK]
    assert isinstance(ended[0].error, RuntimeError)
    assert isinstance(ended[0].error.__cause__, asyncio.CancelledError)


def test_a_branch_that_is_being_judged_when_enough_is_heard_still_counts():
    async def told(branch):
        if branch.index == 0:
            await asyncio.Event().wait()
        return True

    (left,) = run(branches.run([saying(1), saying(2)], told, Fan("test"), at_once=2))
    assert (left.index, left.status, left.value) == (0, Status.CANCELLED, None)


def test_a_programs_end_is_no_failure_of_a_task():
    class End(BaseException):
        pass

    async def task():
        raise End

    with pytest.raises(BaseExceptionGroup) as raised:
        run(branches.run([task], heard()[1], Fan("test"), at_once=1))
    assert raised.group_contains(End)

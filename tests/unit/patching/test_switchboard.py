"""The default policy and its override: for a block, in this thread or task, and nowhere else."""

import asyncio
import contextvars
import threading

import pytest

from l0.patching.switchboard import SWITCHBOARD, Switchboard, policy
from l0.values.policy import Hold, Policy, PolicyError, Retry, Timeout

FAST, SLOW = Timeout(total=1000), Timeout(total=9000)


@pytest.fixture(autouse=True)
def _clean():
    before = SWITCHBOARD._default
    yield
    SWITCHBOARD.set_default(before)


def test_the_default_is_what_was_set_last():
    SWITCHBOARD.set_default(Policy(timeout=FAST))
    assert SWITCHBOARD.policy().timeout is FAST
    SWITCHBOARD.set_default(None)
    assert SWITCHBOARD.policy() == Policy()


@pytest.mark.parametrize("given", [5, "strict", Timeout(), {}])
def test_a_default_that_is_no_policy_is_refused_and_changes_nothing(given):
    SWITCHBOARD.set_default(Policy(timeout=FAST))
    with pytest.raises(PolicyError) as raised:
        SWITCHBOARD.set_default(given)
    assert (raised.value.field, raised.value.given) == ("policy", given)
    assert SWITCHBOARD.policy().timeout is FAST


def test_blocks_nest_and_end():
    SWITCHBOARD.set_default(Policy(timeout=FAST))
    with policy(retry=Retry(attempts=1)) as outer:
        assert outer.timeout is FAST
        with policy(timeout=SLOW) as inner:
            assert SWITCHBOARD.policy() is inner
            assert (inner.timeout, inner.retry) == (SLOW, Retry(attempts=1))
        assert SWITCHBOARD.policy() is outer
        with policy(Policy(hold=Hold(frames=1))):
            assert SWITCHBOARD.policy().timeout is None
    assert SWITCHBOARD.policy().timeout is FAST


def test_an_error_in_the_block_ends_it_too():
    with pytest.raises(KeyError), policy(timeout=FAST):
        raise KeyError
    assert SWITCHBOARD.policy().timeout is None


def test_fields_come_on_top_of_a_policy_that_is_given():
    with policy(Policy.batch(), timeout=FAST) as chosen:
        assert chosen.timeout is FAST
        assert chosen.retry == Policy.batch().retry


def test_a_field_can_be_set_back_to_none():
    with policy(Policy.interactive(), timeout=None) as chosen:
        assert chosen.timeout is None


def test_threads_start_from_the_default():
    seen = []
    with policy(timeout=FAST):
        thread = threading.Thread(target=lambda: seen.append(SWITCHBOARD.policy().timeout))
        thread.start()
        thread.join()
        carried = contextvars.copy_context()
    thread = threading.Thread(target=lambda: seen.append(carried.run(SWITCHBOARD.policy).timeout))
    thread.start()
    thread.join()
    assert seen == [None, FAST]


def test_tasks_take_their_makers_policy_and_keep_their_own_to_themselves():
    async def child(started: asyncio.Event, proceed: asyncio.Event) -> Timeout | None:
        inherited = SWITCHBOARD.policy().timeout
        with policy(timeout=SLOW):
            started.set()
            await proceed.wait()
        return inherited

    async def main() -> None:
        started, proceed = asyncio.Event(), asyncio.Event()
        with policy(timeout=FAST):
            task = asyncio.create_task(child(started, proceed))
            await started.wait()
            assert SWITCHBOARD.policy().timeout is FAST
        proceed.set()
        assert await task is FAST
        assert SWITCHBOARD.policy().timeout is None

    asyncio.run(main())


@pytest.mark.parametrize("field", ["timeouts", "attempts", "fallback_to"])
def test_a_field_that_does_not_exist_is_named_with_those_that_do(field):
    with pytest.raises(PolicyError) as raised, policy(**{field: 1}):
        pass
    assert (raised.value.field, raised.value.given) == (f"policy.{field}", 1)
    for known in ("timeout", "retry", "truncation", "hold"):
        assert known in raised.value.allowed


def test_a_bad_value_is_refused_before_the_block():
    with pytest.raises(PolicyError, match=r"Policy\.truncation"), policy(truncation="loud"):
        pytest.fail("the block ran")
    with pytest.raises(PolicyError), policy(5):
        pytest.fail("the block ran")


# Observers


class Watching:
    def __init__(self, answer):
        self.answer = answer

    def watch(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_those_who_listen_are_asked_once_a_call_and_those_who_fail_are_left_out():
    board, watcher = Switchboard(), object()
    board.observe([Watching(None), Watching(RuntimeError("broken")), Watching(watcher)])
    assert board.watch(None) == [watcher]
    board.observe([])
    assert board.watch(None) == []


def test_each_sdk_has_the_observers_that_it_was_given():
    board, one, other, both = Switchboard(), object(), object(), object()
    board.observe([Watching(one)], "openai")
    board.observe([Watching(other)], "anthropic")
    assert [board.watch(None, sdk) for sdk in ("openai", "anthropic", None)] == [[one], [other], [other]]
    board.observe([Watching(both)])
    assert [board.watch(None, sdk) for sdk in ("openai", "anthropic", None)] == [[both], [both], [both]]

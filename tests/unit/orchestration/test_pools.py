"""Pools: a concurrency limit shared by several callers."""

import asyncio

import pytest
from orchestration_tasks import Gate, returning, run, turn

from l0.model.policy import PolicyError
from l0.orchestration.pools import Pool


def test_pool_limits_concurrent_tasks():
    gates = [Gate(index) for index in range(3)]

    async def main():
        async with Pool(2) as pool:
            callers = [asyncio.ensure_future(pool.run(gate)) for gate in gates]
            await turn()
            seen = (pool.running, pool.waiting, gates[2].begun)
            for gate in gates[:2]:
                gate.open()
            await turn()
            gates[2].open()
            return seen, await asyncio.gather(*callers)

    assert run(main()) == ((2, 1, False), [0, 1, 2])


def test_pool_slot_is_free_after_a_failure():
    async def main():
        pool = Pool(1)
        with pytest.raises(ConnectionError):
            await pool.run(returning(ConnectionError("gone")))
        return await pool.run(returning("next")), pool.running, pool.waiting

    assert run(main()) == ("next", 0, 0)


def test_pool_slot_is_free_after_a_cancellation():
    first, second = Gate(), Gate()

    async def main():
        pool = Pool(1)
        callers = [asyncio.ensure_future(pool.run(gate)) for gate in (first, second)]
        await turn()
        for caller in reversed(callers):
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        return await pool.run(returning("next")), pool.running, pool.waiting

    assert run(main()) == ("next", 0, 0)
    assert first.cancelled
    assert not second.begun


def test_pool_map():
    async def main():
        async with Pool(2) as pool:
            return await pool.map(lambda item: returning(item * 2)(), range(5))

    assert run(main()).values == [0, 2, 4, 6, 8]


def test_closed_pool_rejects_tasks():
    slow = Gate("done")

    async def main():
        pool = Pool(1)
        async with pool:
            caller = asyncio.ensure_future(pool.run(slow))
            await turn()
            late = asyncio.ensure_future(pool.run(returning("late")))
            asyncio.get_running_loop().call_later(0.01, slow.open)
        assert await caller == "done"
        with pytest.raises(RuntimeError, match="closed"):
            await pool.run(returning("never"))
        return (await asyncio.gather(late, return_exceptions=True))[0]

    assert isinstance(run(main()), RuntimeError | str)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2"])
def test_pool_rejects_invalid_sizes(size):
    with pytest.raises(PolicyError, match=r"Pool\.size"):
        Pool(size)

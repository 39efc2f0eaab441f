"""Event loops: orchestration requires asyncio, and raises under another loop before any task starts."""

import pytest
import trio

from l0 import Consensus, Pipeline, Pool, Window, batched, l0, parallel, race, sequential

begun = []


async def task(*_):
    begun.append(True)


DOORS = {
    "race": lambda: race([task]),
    "parallel": lambda: parallel([task, task]),
    "sequential": lambda: sequential([task]),
    "batched": lambda: batched([task], size=1),
    "pool": lambda: Pool(1).run(task),
    "pool, many": lambda: Pool(1).map(task, ["a"]),
    "pipeline": lambda: Pipeline(task).run("a"),
    "consensus": lambda: Consensus.run([task, task]),
    "windows": lambda: Window.create("a b", tokenizer="estimate").process_all(task),
    "windows in order": lambda: Window.create("a b", tokenizer="estimate").process_sequential(task),
}


@pytest.mark.parametrize("entry_point", DOORS.values(), ids=list(DOORS))
def test_orchestration_raises_under_trio(entry_point):
    begun.clear()

    async def main():
        with pytest.raises(RuntimeError, match=r"requires asyncio.*in your own nursery"):
            await entry_point()

    trio.run(main)
    assert begun == []


def test_l0_in_a_trio_nursery_works_as_advised():
    answers = {}

    async def ask(name):
        answers[name] = await (await l0(lambda: [name, "!"])).read()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a")
            nursery.start_soon(ask, "b")

    trio.run(main)
    assert answers == {"a": "a!", "b": "b!"}

"""asyncio only: under another event loop it says so, before anything is begun."""

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


@pytest.mark.parametrize("door", DOORS.values(), ids=list(DOORS))
def test_trio_is_refused_by_name(door):
    begun.clear()

    async def main():
        with pytest.raises(RuntimeError, match=r"needs asyncio.*in a nursery of yours"):
            await door()

    trio.run(main)
    assert begun == []


def test_what_the_error_advises_works():
    answers = {}

    async def ask(name):
        answers[name] = await (await l0(lambda: [name, "!"])).read()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a")
            nursery.start_soon(ask, "b")

    trio.run(main)
    assert answers == {"a": "a!", "b": "b!"}

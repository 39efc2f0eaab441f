"""Run in its own process: a child that is forked while another thread holds every lock that l0 has made.

Arguments: the base URLs of an OpenAI and an Anthropic API, and a file for the SLO windows. Prints the places in the
code that create locks.

The child then uses all of l0 and ends. If it waits for one of these locks, it prints the stack and fails.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import warnings
from collections.abc import AsyncIterator
from typing import Any

warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, in newer Pythons
LIMIT = 90
made: list[tuple[str, Any]] = []
"""Locks that code of L0 created, with the places that created them."""


def recording(make: Any) -> Any:
    def record() -> Any:
        lock, frame = make(), sys._getframe(1)
        for _ in range(4):  # `threading.Condition` and `threading.Event` make theirs further down
            module = frame.f_globals["__name__"]
            if module.startswith("l0") and not module.startswith(("l0.simulator", "l0.testing")):
                made.append((f"{module}:{frame.f_lineno}", lock))
            if module != "threading" or frame.f_back is None:
                break
            frame = frame.f_back
        return lock

    return record


threading.Lock, threading.RLock = recording(threading.Lock), recording(threading.RLock)

import anthropic  # noqa: E402 - with the locks above
import openai  # noqa: E402

import l0  # noqa: E402

POLICY = l0.Policy(
    breaker=True,
    budget=True,
    adaptive=True,
    hedge=l0.Hedge(after=5_000),
    timeout=l0.Timeout(initial_token=60_000, inter_token=60_000, total=60_000),
    retry=l0.Retry(max_retries=2, base_delay=0.01),
)
REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def use(url: str, anthropic_url: str, store: str) -> None:
    """All that takes locks."""
    l0.slo.start(store=store)
    l0.instrument(POLICY)
    with openai.OpenAI(api_key="k", base_url=url) as client:
        assert len(list(client.chat.completions.create(**REQUEST, stream=True))) > 3
        client.chat.completions.create(**REQUEST)
        half_read = client.chat.completions.create(**REQUEST, stream=True)
        next(half_read)
        del half_read
    with anthropic.Anthropic(api_key="k", base_url=anthropic_url) as claude:
        assert list(claude.messages.create(**REQUEST, max_tokens=4096, stream=True))

    async def ask() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=url) as a_client:
            assert [chunk async for chunk in await a_client.chat.completions.create(**REQUEST, stream=True)]
        assert [event async for event in await l0.run(texts)]

    asyncio.run(ask())
    with l0.policy(POLICY):
        assert l0.slo.report().statuses
    l0.register_adapter(Adapter())


async def texts() -> AsyncIterator[str]:
    """A source of the explicit API."""
    yield "some"
    yield " text"


class Adapter:
    """Of the application's."""

    name = "none"

    def recognizes(self, item: object) -> bool:
        return False

    def decoder(self) -> Any:
        raise NotImplementedError


def main(url: str, anthropic_url: str, store: str) -> None:
    use(url, anthropic_url, store)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        for _, lock in made:
            lock.acquire(timeout=0.2)  # else a thread of l0's has it: all the better
        held.set()
        let_go.wait()

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(*sorted({place for place, _ in made}), flush=True)
        os._exit(status)
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    use(url, anthropic_url, store)
    l0.uninstrument()
    l0.slo.stop()


main(*sys.argv[1:])

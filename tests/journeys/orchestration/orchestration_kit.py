"""Clients whose requests say what the simulator is to do with them, and a run that leaves nothing behind."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep

from journeys_kit import async_chat_client, async_claude
from makers import collected


class Provider:
    """Tasks that are real SDK calls. ``wish``: in the simulator's grammar, of this one request."""

    def __init__(self, chat, claude):
        self.chat_client = chat
        self._claude = claude

    def chat(self, wish="ok", **options):
        """A task that returns a stream of chat completions."""
        return lambda: self.chat_client.chat.completions.create(
            model="gpt-4o", messages=[_asking(wish)], **({"stream": True} | options)
        )

    def responses(self, wish="ok"):
        """A task that returns a stream of the Responses API."""
        return lambda: self.chat_client.responses.create(
            model="gpt-4o", input=_asking(wish)["content"], store=False, stream=True
        )

    def messages(self, wish="ok"):
        """A task that returns a stream of messages."""
        return lambda: self._claude.messages.create(
            model="claude-test", max_tokens=4096, messages=[_asking(wish)], stream=True
        )


def _asking(wish):
    return {"role": "user", "content": f"[[simulate: {wish}]]"}


@asynccontextmanager
async def provider(sim, **options):
    """Clients of both SDKs, closed at the end."""
    async with async_chat_client(sim, **options) as chat, async_claude(sim, **options) as claude:
        yield Provider(chat, claude)


def run(sim, journey, **options):
    """Run a journey. Afterwards nothing is left of it: no task, no descriptor here, no request at the server."""

    async def main():
        async with provider(sim, **options) as made:
            found = await journey(made)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert left == set()
            return found

    run_once(sim, options)
    before = descriptors()
    sim.reset()
    found = asyncio.run(main())
    collected()
    assert sim.wait_idle(120), "the server still works on a request"
    assert settled(before), "descriptors are left open"
    return found


def settled(before, within=120.0):
    """Return True if no more descriptors are open than before, after a wait of up to ``within`` seconds.

    The server, in this process too, closes its ends a little later than the clients theirs.
    """
    until = monotonic() + within
    while descriptors() > before and monotonic() < until:
        sleep(0.005)
    return descriptors() <= before


_warm = set()


def run_once(sim, options):
    """Make a first call: what it loads and opens for good is not a leak."""
    if "warm" not in _warm:
        _warm.add("warm")

        async def main():
            async with provider(sim, **options) as made:
                async for _ in await made.chat()():
                    pass
                async for _ in await made.messages()():
                    pass

        asyncio.run(main())
        collected()


def descriptors():
    """Return the open descriptors of this process; none if the system does not list them."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0

"""Remember for each kind of transport whether its bodies may be read directly.

`direct_proof` decides that once per process and kind, at the first streamed body; meanwhile other bodies are read as
usual. A verdict holds for the functions that direct reading bypasses: if another library patches one of them, bodies
are read as usual until it is restored. A proof that fails in any way forbids direct reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from types import FunctionType
from typing import Any

from l0.model.errors import raised
from l0.shared_state.forks import FORK_GATE, renew_in_child

from .direct_reading import DirectConnection

LONGEST_WAIT_S = 0.5
"""The longest wait of an async answer for the proof of its transport, which takes 0.1 s on an idle machine."""


def _key(connection: DirectConnection) -> Hashable:
    return tuple([getattr(type(owner), name) for owner, name in connection.bypassed])


def _patched(connection: DirectConnection) -> str:
    """Describe a bypassed function that must be called because another library replaced it; ``""`` if there is none."""
    for owner, name in connection.bypassed:
        kind = type(owner)
        function = getattr(kind, name)
        own = isinstance(function, FunctionType) and _package(function) == _package(kind)
        if not own or hasattr(function, "__wrapped__"):
            return f"{kind.__module__}.{kind.__qualname__}.{name} is patched"
    return ""


def _package(owned: Any) -> str:
    """Return the package of a class or function. httpcore sets the module of its public classes to the package."""
    name: str = owned.__module__
    return name.partition(".")[0]


class Proofs:
    """The verdicts of this process, by the functions that direct reading bypasses."""

    def __init__(self) -> None:
        self._reasons: dict[Hashable, str] = {}
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the proofs that run: in a forked child their threads do not exist."""
        self._running: dict[Hashable, object] = {}

    def verdict(self, connection: DirectConnection) -> bool | None:
        """Return True if bodies like this one may be read directly; ``None`` if that is not known yet."""
        reason = self._reasons.get(_key(connection))
        return None if reason is None else not reason

    def prove(self, connection: DirectConnection) -> bool:
        """Run the proof for a sync connection, unless it runs already. Return True if it holds."""
        key, claim = _key(connection), object()
        if self._running.setdefault(key, claim) is claim:
            self._run(key, connection)
        return self._reasons.get(key) == ""

    async def aprove(self, connection: DirectConnection) -> bool:
        """As `prove`, for an async connection: the proof runs in its own thread and event loop.

        The proof takes hundreds of turns of an event loop, and a turn takes long if hundreds of tasks share the loop.
        The answer waits for at most `LONGEST_WAIT_S`. Then it is read as usual, and the proof continues.
        """
        key, claim = _key(connection), object()
        if self._running.setdefault(key, claim) is claim:
            import anyio  # a dependency of both SDKs

            ended, call_soon = anyio.Event(), _call_soon()

            def run() -> None:
                self._run(key, connection)
                with suppress(Exception):  # the loop may have ended meanwhile
                    call_soon(ended.set)

            try:
                Thread(target=run, name="l0-direct-proof", daemon=True).start()
            except RuntimeError:  # too many threads: a later body tries again
                self._running.pop(key, None)
                return False
            with anyio.move_on_after(LONGEST_WAIT_S):
                await ended.wait()
        return self._reasons.get(key) == ""

    def _run(self, key: Hashable, connection: DirectConnection) -> None:
        try:
            with FORK_GATE:  # the proof imports modules, and a forked child would wait for their locks forever
                from .direct_proof import Transport, reason_against  # once per process

                self._reasons[key] = _patched(connection) or reason_against(Transport.of(connection))
        except Exception:  # no defect may reach the user's call
            self._reasons[key] = f"the proof failed: {raised()}"
        finally:  # a proof that a signal interrupts has no verdict, and runs again
            self._running.pop(key, None)


def _call_soon() -> Callable[[Callable[[], object]], object]:
    """Return the function by which other threads schedule a call in the running event loop."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        trio: Any = import_module("trio")
        call_soon: Callable[[Callable[[], object]], object] = trio.lowlevel.current_trio_token().run_sync_soon
        return call_soon


PROOFS = Proofs()

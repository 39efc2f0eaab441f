"""Run a source of an answer through the engine."""

from __future__ import annotations

from typing import Any, Unpack

from l0.drivers import asynchronous, sync
from l0.drivers.session import Session
from l0.patching.switchboard import SWITCHBOARD

from .bodies import AsyncBody, SyncBody
from .options import Asked, Options, ask
from .state import State
from .stream import Stream, SyncStream
from .upstream import FactoryUpstream
from .watching import CallWatch


async def run(stream: Any, **options: Unpack[Options]) -> Stream:
    """Ask a source for an answer; returns as soon as the source is there, and raises what a failed call raises.

    ``stream``: a function without arguments that returns a stream, an iterator of text or of anything an adapter knows,
    sync or async, an awaitable of these, or a whole answer. It is called once an attempt. (A stream itself will do as
    well; it cannot be asked again.) Options: see `Options`.

    What is awaited here is the opening: ``asyncio.wait_for(l0(...), 30)`` bounds that, and cancels it cleanly. Reading
    comes after; ``Timeout(total=...)`` bounds the whole. Raises `PolicyError` for an option that is not allowed, and
    `UnknownStreamError` for a source that nobody knows.
    """
    asked = ask(stream, options, sync=False)
    session, upstream, state = _begin(asked)
    body = AsyncBody(session, upstream)
    try:
        await asynchronous.request(session, body)
    except BaseException as error:
        upstream.raised = error if isinstance(error, Exception) else upstream.raised
        session.close()
        await body.close()
        raise
    return Stream(session, body, asked.callbacks, state)


def run_sync(stream: Any, **options: Unpack[Options]) -> SyncStream:
    """As `run`, in sync code, with sync sources."""
    asked = ask(stream, options, sync=True)
    session, upstream, state = _begin(asked)
    body = SyncBody(session, upstream)
    try:
        sync.request(session, body)
    except BaseException as error:
        upstream.raised = error if isinstance(error, Exception) else upstream.raised
        session.close()
        body.close()
        raise
    return SyncStream(session, body, asked.callbacks, state)


def _begin(asked: Asked) -> tuple[Session, FactoryUpstream, State]:
    call = asked.call()
    watch = CallWatch(call)
    state = State(interval=call.policy.check_intervals.checkpoint, violations=asked.found)
    upstream = FactoryUpstream(asked.sources, asked.callbacks, state, watch)
    session = Session(call, upstream, [watch] if watch.heard else [], SWITCHBOARD.health)
    upstream.history = lambda: session.failures
    return session, upstream, state

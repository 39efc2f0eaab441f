"""The driver of asynchronous calls. Its twin is `sync`; what they decide stands in `session`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from time import perf_counter
from typing import Any, Protocol, assert_never

from l0.engine.commands import Finish, Open, Raise, Relay, Wait

from .hedging import AsyncSender, arace
from .pump import Pump
from .session import Session
from .timers import deadline_reads, sleep


class AsyncBody(Protocol):
    """The body of one call's answer, whichever attempt is serving it."""

    def start(self) -> tuple[AsyncIterator[Any], Pump]:
        """Raw reads of the present attempt, and what turns them into the user's objects."""
        ...

    def end(self, error: BaseException) -> Any:
        """What to take in the place of a read that raised ``error``; ``None`` where it is for the session to judge."""

    async def reopen(self, options: Any) -> None:
        """Send the request again; the user's response object shows the new one from then on."""

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """Read the end of a body whose answer is whole, within a moment, so that its connection is used again."""

    async def close(self) -> None:
        """Release the connection."""


async def request(session: Session, sender: AsyncSender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    while True:
        match session.command:
            case Open() as command:
                try:
                    answer = await _serve(session, command, sender)
                    if session.command is not command:
                        continue
                    sender.attach(answer)
                except BaseException as error:
                    session.failed(error)
                    continue
                if session.call.streaming:
                    return answer
                session.answered(answer)
                if isinstance(session.command, Finish):
                    return answer
            case Wait() as command:
                await _sleep(session, command)
            case Raise() as command:
                raise session.error(command)
            case Relay() | Finish():
                return None
            case unknown:
                assert_never(unknown)


async def _serve(session: Session, command: Open, sender: AsyncSender) -> Any:
    after = session.hedge_after
    if after is not None:
        return await arace(session, command, sender, after)
    with session.sending(command) as options:
        return await sender.send(options)


async def relay(session: Session, body: AsyncBody) -> AsyncIterator[Any]:  # noqa: C901, PLR0915 - calls cost, per chunk
    """Hand out an answer, whatever number of attempts it takes."""
    try:
        while await _proceed(session, body):
            if type(session.command) is not Relay:
                continue
            session.busy, session.closing = True, False
            chunks, pump = body.start()
            session.reads(pump)
            timed, took, one = session.timed, session.took, pump.one
            reads = deadline_reads(chunks.__anext__, session.clocks) if session.clocks is not None else None
            read = reads.read if reads is not None else chunks.__anext__
            since, handing = 0.0, False
            try:
                while type(session.command) is Relay:
                    if timed:
                        since = perf_counter()
                    session.busy = True
                    try:
                        raw = await read()
                        items: list[Any] = []
                        command, free = session.command, session.free if one is not None else 0
                        while free and one is not None and (item := one(raw)) is not None:
                            free -= 1
                            if not free:
                                rejected = session.looked(item)
                                if rejected is not None:
                                    items = rejected
                                    break
                                free = session.due
                            handing, since = True, 0.0
                            yield item
                            handing = False
                            if session.command is not command:
                                break
                            raw = await read()
                        else:
                            items = took(raw, since)
                    except BaseException as error:
                        if handing:  # the consumer's
                            raise
                        last = body.end(error)
                        items = session.ceased(error, since) if last is None else took(last, since)
                    for item in items:
                        yield item
                session.closing = True
            finally:
                if reads is not None:
                    reads.close()
            if pump.reader.finished:
                await body.drain(chunks)
            elif isinstance(chunks, AsyncGenerator):
                await chunks.aclose()  # left to the collector it would close what the next attempt reads
    finally:
        session.released()
        if not sys.is_finalizing():  # closing at interpreter shutdown can crash CPython 3.13
            await body.close()


async def _proceed(session: Session, body: AsyncBody) -> bool:
    """Obey what is commanded between two bodies. Whether there is more to come."""
    match session.command:
        case Open() as command:
            await _reopen(session, command, body)
        case Wait() as command:
            await body.close()
            await _sleep(session, command)
        case Raise() as command:
            if command.failure.typed:
                return False
            raise session.error(command)
        case Finish():
            return False
        case Relay():
            pass
        case unknown:
            assert_never(unknown)
    return True


async def _reopen(session: Session, command: Open, body: AsyncBody) -> None:
    try:
        with session.sending(command) as options:
            await body.reopen(options)
    except BaseException as error:
        session.failed(error)


async def _sleep(session: Session, command: Wait) -> None:
    try:
        await sleep(command.seconds, session)
    except BaseException:
        session.close()
        raise
    session.slept()

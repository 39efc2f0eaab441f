"""The driver of asynchronous calls. Its twin is `sync`; what they decide stands in `runtime`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from time import perf_counter
from typing import Any, Protocol, assert_never

from l0.engine.commands import Finish, Open, Raise, Relay, Wait

from .async_deadlines import deadline_reads, sleep
from .body_parser import BodyParser
from .call_runtime import CallRuntime
from .hedge import AsyncSender, arace


class AsyncAttemptBody(Protocol):
    """The body of one call's answer, whichever attempt is serving it."""

    def start(self) -> tuple[AsyncIterator[Any], BodyParser]:
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


async def request(runtime: CallRuntime, sender: AsyncSender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    while True:
        match runtime.command:
            case Open() as command:
                try:
                    answer = await _serve(runtime, command, sender)
                    if runtime.command is not command:
                        continue
                    sender.attach(answer)
                except BaseException as error:
                    runtime.failed(error)
                    continue
                if runtime.call.streaming:
                    return answer
                runtime.answered(answer)
                if isinstance(runtime.command, Finish):
                    return answer
            case Wait() as command:
                await _sleep(runtime, command)
            case Raise() as command:
                raise runtime.error(command)
            case Relay() | Finish():
                return None
            case unknown:
                assert_never(unknown)


async def _serve(runtime: CallRuntime, command: Open, sender: AsyncSender) -> Any:
    after = runtime.hedge_after
    if after is not None:
        return await arace(runtime, command, sender, after)
    with runtime.sending(command) as options:
        return await sender.send(options)


async def relay(runtime: CallRuntime, body: AsyncAttemptBody) -> AsyncIterator[Any]:  # noqa: C901, PLR0915 - calls cost, per chunk
    """Hand out an answer, whatever number of attempts it takes."""
    try:
        while await _proceed(runtime, body):
            if type(runtime.command) is not Relay:
                continue
            runtime.busy, runtime.closing = True, False
            chunks, parser = body.start()
            runtime.reads(parser)
            timed, on_read, one = runtime.timed, runtime.on_read, parser.one
            reads = deadline_reads(chunks.__anext__, runtime.clocks) if runtime.clocks is not None else None
            read = reads.read if reads is not None else chunks.__anext__
            since, handing = 0.0, False
            try:
                while type(runtime.command) is Relay:
                    if timed:
                        since = perf_counter()
                    runtime.busy = True
                    try:
                        raw = await read()
                        items: list[Any] = []
                        command, free = runtime.command, runtime.free if one is not None else 0
                        while free and one is not None and (item := one(raw)) is not None:
                            free -= 1
                            if not free:
                                rejected = runtime.evaluate_rules(item)
                                if rejected is not None:
                                    items = rejected
                                    break
                                free = runtime.due
                            handing, since = True, 0.0
                            yield item
                            handing = False
                            if runtime.command is not command:
                                break
                            raw = await read()
                        else:
                            items = on_read(raw, since)
                    except BaseException as error:
                        if handing:  # the consumer's
                            raise
                        last = body.end(error)
                        items = runtime.on_read_stopped(error, since) if last is None else on_read(last, since)
                    for item in items:
                        yield item
                runtime.closing = True
            finally:
                if reads is not None:
                    reads.close()
            if parser.reader.finished:
                await body.drain(chunks)
            elif isinstance(chunks, AsyncGenerator):
                await chunks.aclose()  # left to the collector it would close what the next attempt reads
    finally:
        runtime.released()
        if not sys.is_finalizing():  # closing at interpreter shutdown can crash CPython 3.13
            await body.close()


async def _proceed(runtime: CallRuntime, body: AsyncAttemptBody) -> bool:
    """Obey what is commanded between two bodies. Whether there is more to come."""
    match runtime.command:
        case Open() as command:
            await _reopen(runtime, command, body)
        case Wait() as command:
            await body.close()
            await _sleep(runtime, command)
        case Raise() as command:
            if command.failure.typed:
                return False
            raise runtime.error(command)
        case Finish():
            return False
        case Relay():
            pass
        case unknown:
            assert_never(unknown)
    return True


async def _reopen(runtime: CallRuntime, command: Open, body: AsyncAttemptBody) -> None:
    try:
        with runtime.sending(command) as options:
            await body.reopen(options)
    except BaseException as error:
        runtime.failed(error)


async def _sleep(runtime: CallRuntime, command: Wait) -> None:
    try:
        await sleep(command.seconds, runtime)
    except BaseException:
        runtime.close()
        raise
    runtime.slept()

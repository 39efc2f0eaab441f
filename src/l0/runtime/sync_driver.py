"""The driver of synchronous calls. Its twin is `asynchronous`; what they decide stands in `runtime`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any, Protocol, assert_never

from l0.engine.commands import Finish, Open, Raise, Relay, Wait

from .async_deadlines import rest
from .body_parser import BodyParser
from .call_runtime import CallRuntime
from .hedge import Sender, race
from .watchdog import WATCHDOG, BoundedReads, ReadDeadline

_DRAIN = 0.1
"""Seconds that a finished answer's body may take to end, so that its connection can be used again."""


class AttemptBody(Protocol):
    """The body of one call's answer, whichever attempt is serving it."""

    def start(self) -> tuple[Iterator[Any], BodyParser]:
        """Raw reads of the present attempt, and what turns them into the user's objects."""
        ...

    def reopen(self, options: Any) -> None:
        """Send the request again; the user's response object shows the new one from then on."""

    def read_deadline(self) -> ReadDeadline | None:
        """A watch on the connection in use; ``None`` where it cannot be shut on its own."""

    def close(self) -> None:
        """Release the connection."""


def request(runtime: CallRuntime, sender: Sender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    while True:
        match runtime.command:
            case Open() as command:
                try:
                    answer = _serve(runtime, command, sender)
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
                _sleep(runtime, command)
            case Raise() as command:
                raise runtime.error(command)
            case Relay() | Finish():
                return None
            case unknown:
                assert_never(unknown)


def _serve(runtime: CallRuntime, command: Open, sender: Sender) -> Any:
    after = runtime.hedge_after
    if after is not None:
        return race(runtime, command, sender, after)
    with runtime.sending(command) as options:
        return sender.send(options)


def relay(runtime: CallRuntime, body: AttemptBody) -> Iterator[Any]:
    """Hand out an answer, whatever number of attempts it takes."""
    dropped = False
    try:
        while True:
            match runtime.command:
                case Relay():
                    yield from _read(runtime, body)
                case Open() as command:
                    _reopen(runtime, command, body)
                case Wait() as command:
                    body.close()
                    _sleep(runtime, command)
                case Raise() as command:
                    if command.failure.typed:
                        return
                    raise runtime.error(command)
                case Finish():
                    return
                case unknown:
                    assert_never(unknown)
    except GeneratorExit:  # from the garbage collector, as likely as not
        dropped = True
        raise
    finally:
        if sys.is_finalizing():  # closing at interpreter shutdown can crash CPython 3.13
            pass
        elif dropped:
            runtime.abandon(partial(_release, runtime, body))
        else:
            _release(runtime, body)


def _release(runtime: CallRuntime, body: AttemptBody) -> None:
    runtime.released()
    body.close()


def _read(runtime: CallRuntime, body: AttemptBody) -> Iterator[Any]:
    runtime.busy, runtime.closing = True, False
    chunks, parser = body.start()
    runtime.reads(parser)
    on_read, timed = runtime.on_read, runtime.timed
    read_deadline = body.read_deadline() if runtime.clocks is not None else None
    reads = BoundedReads(chunks.__next__, read_deadline, runtime.clocks) if read_deadline and runtime.clocks else None
    read = reads.read if reads is not None else chunks.__next__
    since = 0.0
    try:
        while type(runtime.command) is Relay:
            if timed:
                since = perf_counter()
            runtime.busy = True
            try:
                items = on_read(read(), since)
            except BaseException as error:
                items = runtime.on_read_stopped(error, since)
            yield from items
        runtime.closing = True
    finally:
        if reads is not None:
            reads.close()
    if parser.reader.finished:
        _drain(chunks, body)


def _drain(chunks: Iterator[Any], body: AttemptBody) -> None:
    """Read the end of a body whose answer is whole: a connection that was read to its end is used again."""
    read_deadline = body.read_deadline()
    if read_deadline is None or not WATCHDOG.arm(read_deadline, perf_counter() + _DRAIN):
        return
    try:
        for _ in chunks:
            pass
    except Exception:  # the answer is complete; only the connection is lost
        pass
    finally:
        read_deadline.over = True


def _reopen(runtime: CallRuntime, command: Open, body: AttemptBody) -> None:
    try:
        with runtime.sending(command) as options:
            body.reopen(options)
    except BaseException as error:
        runtime.failed(error)


def _sleep(runtime: CallRuntime, command: Wait) -> None:
    try:
        rest(command.seconds, runtime)
    except BaseException:
        runtime.close()
        raise
    runtime.slept()

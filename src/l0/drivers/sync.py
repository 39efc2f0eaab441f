"""The driver of synchronous calls. Its twin is `asynchronous`; what they decide stands in `session`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any, Protocol, assert_never

from l0.engine.commands import Finish, Open, Raise, Relay, Wait

from .hedging import Sender, race
from .pump import Pump
from .session import Session
from .timers import rest
from .watchdog import WATCHDOG, Watch, WatchedReads

_DRAIN = 0.1
"""Seconds that a finished answer's body may take to end, so that its connection can be used again."""


class Body(Protocol):
    """The body of one call's answer, whichever attempt is serving it."""

    def start(self) -> tuple[Iterator[Any], Pump]:
        """Raw reads of the present attempt, and what turns them into the user's objects."""
        ...

    def reopen(self, options: Any) -> None:
        """Send the request again; the user's response object shows the new one from then on."""

    def watch(self) -> Watch | None:
        """A watch on the connection in use; ``None`` where it cannot be shut on its own."""

    def close(self) -> None:
        """Release the connection."""


def request(session: Session, sender: Sender) -> Any:
    """Serve one call up to its answer, or to the headers of its stream."""
    while True:
        match session.command:
            case Open() as command:
                try:
                    answer = _serve(session, command, sender)
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
                _sleep(session, command)
            case Raise() as command:
                raise session.error(command)
            case Relay() | Finish():
                return None
            case unknown:
                assert_never(unknown)


def _serve(session: Session, command: Open, sender: Sender) -> Any:
    after = session.hedge_after
    if after is not None:
        return race(session, command, sender, after)
    with session.sending(command) as options:
        return sender.send(options)


def relay(session: Session, body: Body) -> Iterator[Any]:
    """Hand out an answer, whatever number of attempts it takes."""
    dropped = False
    try:
        while True:
            match session.command:
                case Relay():
                    yield from _read(session, body)
                case Open() as command:
                    _reopen(session, command, body)
                case Wait() as command:
                    body.close()
                    _sleep(session, command)
                case Raise() as command:
                    if command.failure.typed:
                        return
                    raise session.error(command)
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
            session.abandon(partial(_release, session, body))
        else:
            _release(session, body)


def _release(session: Session, body: Body) -> None:
    session.released()
    body.close()


def _read(session: Session, body: Body) -> Iterator[Any]:
    session.busy, session.closing = True, False
    chunks, pump = body.start()
    session.reads(pump)
    took, timed = session.took, session.timed
    watch = body.watch() if session.clocks is not None else None
    reads = WatchedReads(chunks.__next__, watch, session.clocks) if watch and session.clocks else None
    read = reads.read if reads is not None else chunks.__next__
    since = 0.0
    try:
        while type(session.command) is Relay:
            if timed:
                since = perf_counter()
            session.busy = True
            try:
                items = took(read(), since)
            except BaseException as error:
                items = session.ceased(error, since)
            yield from items
        session.closing = True
    finally:
        if reads is not None:
            reads.close()
    if pump.reader.finished:
        _drain(chunks, body)


def _drain(chunks: Iterator[Any], body: Body) -> None:
    """Read the end of a body whose answer is whole: a connection that was read to its end is used again."""
    watch = body.watch()
    if watch is None or not WATCHDOG.arm(watch, perf_counter() + _DRAIN):
        return
    try:
        for _ in chunks:
            pass
    except Exception:  # the answer is complete; only the connection is lost
        pass
    finally:
        watch.over = True


def _reopen(session: Session, command: Open, body: Body) -> None:
    try:
        with session.sending(command) as options:
            body.reopen(options)
    except BaseException as error:
        session.failed(error)


def _sleep(session: Session, command: Wait) -> None:
    try:
        rest(command.seconds, session)
    except BaseException:
        session.close()
        raise
    session.slept()

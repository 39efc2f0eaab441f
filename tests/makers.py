"""Calls, what is told of them, and clocks, for tests of the engine and of what obeys or listens to it."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import SystemRandom
from types import FrameType
from typing import Any, TypeVar

from l0.engine.machine import Machine
from l0.model.call import Call, Outcome, RetrySafety
from l0.model.call_events import CallEnded, StreamStats
from l0.model.failure import Cause, Failure
from l0.model.policy import Policy
from l0.runtime.finalizers import LATER

T = TypeVar("T")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def free_port() -> int:
    """Return a free port for a server that a test starts later. No system gives ports of this range to connections: one
    that another test opens meanwhile cannot take it."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port


def make_call(**changes: Any) -> Call:
    """A streamed chat call that the SDK would retry twice."""
    fields: dict[str, Any] = {
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-4o",
        "dialect": "chat",
        "streaming": True,
        "origin": "https://api.example.com",
        "host": "api.example.com",
        "port": 443,
        "retry_safety": RetrySafety.SAFE,
        "max_retries": 2,
        "policy": Policy(),
        "strict": True,
    }
    return Call(**fields | changes)


def make_machine(call: Call | None = None, *, backoff: float = 0.25, **more: Any) -> Machine:
    """A machine whose dice always fall on one half, and whose SDK would always wait for ``backoff`` seconds."""
    return Machine(call or make_call(), lambda: 0.5, lambda _number, _failure: backoff, **more)


def make_failure(cause: Cause = Cause.RESET, **fields: Any) -> Failure:
    """A failure that the SDK would retry."""
    return Failure(cause=cause, message="made for a test", **{"sdk_retries": True} | fields)


def make_stats(**changes: Any) -> StreamStats:
    """Of an answer that came smoothly: its first content a second after the request, its end a second later."""
    fields: dict[str, Any] = {
        "chunks": 2,
        "first_chunk": 1.5,
        "last_chunk": 2.0,
        "first_content": 1.0,
        "duration": 2.0,
        "stalls": 0,
        "gap_max": 0.1,
        "gap_p50": 0.1,
        "gap_p95": 0.1,
        "gap_p99": 0.1,
        "jitter": 0.0,
        "smoothness": 100.0,
        "wire_bytes": 10,
        "held_s": 0.0,
    }
    return StreamStats(**fields | changes)


def make_end(**changes: Any) -> CallEnded:
    """Of a call that went well at once."""
    fields: dict[str, Any] = {
        "outcome": Outcome.OK,
        "failure": None,
        "failures": (),
        "attempts": 1,
        "leg": 0,
        "resume_points": (),
        "metadata": None,
        "stream_stats": make_stats(),
        "text": "",
        "at": 9.0,
    }
    return CallEnded(**fields | changes)


@contextmanager
def held_elsewhere(*locks: Any) -> Iterator[None]:
    """Another thread, which a forked child does not have, holds these locks."""
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            taken.set()
            let_go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    try:
        yield
    finally:
        let_go.set()
        holder.join()


def in_child(check: Callable[[], bool], seconds: float = 10) -> bytes:
    """Return the result of ``check`` in a forked child: ``b"yes"``, ``b"no"``, or ``b""`` if it fails or hangs."""
    answer, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(say, b"yes" if check() else b"no")
        finally:
            os._exit(0)
    os.close(say)
    said = b"" if not select.select([answer], [], [], seconds)[0] else os.read(answer, 3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(answer)
    return said


def collected() -> None:
    """Collect garbage. `gc.collect` returns at once, with nothing done, while another thread collects."""
    threads: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            threads.append(threading.get_ident())

    gc.callbacks.append(note)
    try:
        while threading.get_ident() not in threads:
            gc.collect()
            time.sleep(0)
    finally:
        gc.callbacks.remove(note)


def python_calls(run: Callable[[], T]) -> tuple[int, T]:
    """Run a function. Return the number of Python functions that it called in this thread, and its result."""
    calls = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        result = run()
    finally:
        sys.setprofile(before)
    return calls, result


def settled() -> None:
    """Collect abandoned streams, and wait until observers were notified of their end."""
    collected()
    LATER.finish()

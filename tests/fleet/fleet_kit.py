"""Processes that call a provider, as one fleet."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import redis

from l0.shared_state.fleet.fleet import Fleet, FleetRequest, Replica
from l0.simulator.server import Simulator

PROCESSES = 8
PATIENCE_S = 120
"""More than anything here takes; only a hang exceeds it."""


class Caller:
    """One process. `answers` has its lines."""

    def __init__(self, *arguments: str, environ: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("caller.py"), *arguments],
            env=os.environ | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answers: Queue[dict[str, Any]] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(json.loads(line))

    def send(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        return self.answers.get(timeout=PATIENCE_S)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Callers(list[Caller]):
    """All processes of the fleet."""

    def ask(self, command: str) -> list[dict[str, Any]]:
        """Send a command to all at once, and return their answers."""
        for caller in self:
            caller.send(command)
        return [caller.answer() for caller in self]

    def call(self, number: int) -> Counter[str]:
        """Make so many calls in each process, and return how they ended."""
        return sum(map(Counter, self.ask(f"call {number}")), Counter[str]())

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the status of every process meets a condition."""
        while not all(map(condition, self.ask("status"))):
            pass


@contextmanager
def fleet(
    sim: Simulator, url: str, *, cooldown_s: float = 30, lease_s: float = 10, members: int = PROCESSES, **environ: str
) -> Iterator[Callers]:
    """Yield processes that are connected to Redis."""
    retry = {"L0_RETRY_ATTEMPTS": "3", "L0_RETRY_MAX_RETRIES": "6", "L0_RETRY_BASE_DELAY": "0"}
    settings = {"L0_FLEET": url} | retry | environ
    ways = [("sync", "async")[number % 2] for number in range(members)]
    callers = Callers(Caller(sim.openai, way, str(cooldown_s), str(lease_s), environ=settings) for way in ways)
    try:
        for caller in callers:
            caller.answer()
        callers.wait_for(lambda status: status["members"] == members)
        yield callers
    finally:
        for caller in callers:
            caller.end()


class DirectFleet(Fleet):
    """A member of a fleet without a thread: it asks Redis at once, and exchanges when it is told to."""

    def __init__(self, client: "redis.Redis", member: str) -> None:
        super().__init__("redis://127.0.0.1")
        self.member, self._redis = member, client

    def request(self, replica: Replica, operation: str) -> FleetRequest:
        self._exchange([request := FleetRequest(replica, operation)])
        return request

    def exchange_soon(self) -> None:
        """Wait for the next exchange."""

    def exchange(self) -> None:
        """Tell Redis of all changes, and learn those of others."""
        self._exchange([FleetRequest(replica) for replica in self._all()])
        assert not self.away

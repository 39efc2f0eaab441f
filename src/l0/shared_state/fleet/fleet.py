"""The connection of this process to Redis, and the daemon thread that alone uses it.

The thread exchanges the changes of all replicas with Redis a few times per second, in one round trip. A call that needs
the decision of the whole fleet asks the thread, and waits for at most `LONGEST_WAIT_S`, whatever the connection does.
While Redis is slow, no call waits. While Redis is away, no call asks, until the thread reaches Redis again.
`Fleet.state` says which of these is the case; its changes are counted and logged.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4
from weakref import WeakSet

from l0.model.privacy import without_credentials

from ..auto_reset_event import AutoResetEvent
from ..forks import renew_in_child

if TYPE_CHECKING:
    from redis import Redis

_log = logging.getLogger("l0")

LONGEST_WAIT_S = 0.002
"""Longest time for which a call waits for Redis."""
INTERVAL_S = 0.2
"""Time between two exchanges."""
IDLE_INTERVAL_S = 1.0
"""Time between two exchanges of a process without changes; also the time between two attempts to reach Redis."""
SOCKET_TIMEOUT_S = 1.0
"""Time without an answer after which Redis counts as away. Only the thread waits that long."""
MEMBER_S = 5
"""Time in s without an exchange after which a process no longer counts as a member."""
STOPPING_S = 0.3
"""Longest wait at process exit for the last exchange."""
QUIET_S = 60.0
"""Shortest time between two log lines that Redis is slow, and between two that it is away."""
_MEMBERS_KEY = "l0:members"
_MEMBERS = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class FleetState(StrEnum):
    """The way in which this process shares its state with the fleet."""

    SHARED = "shared"
    """Redis decides for all processes."""
    SLOW = "slow"
    """Redis answers too late: changes are exchanged, but no call waits for a decision."""
    AWAY = "away"
    """Redis does not answer: replicas follow the local rules."""


class Replica(Protocol):
    """This process's copy of one thing that the fleet shares. ``script``: the Lua code that keeps it at ``key``."""

    script: str
    key: str

    @property
    def changed(self) -> bool:
        """True if there are changes to send to Redis."""
        ...

    def arguments(self, operation: str) -> Sequence[str | int]:
        """Return the arguments of the script: the changes since the last answer, and an operation such as ``take``."""
        ...

    def apply(self, request: FleetRequest, answer: Any) -> None:
        """Update the copy from the answer. `arguments` and `apply` run on the fleet's thread."""
        ...


class FleetRequest:
    """One request of a replica. ``operation``: empty for an exchange of changes."""

    __slots__ = ("_waiting", "cancelled", "ended", "granted", "operation", "replica")

    def __init__(self, replica: Replica, operation: str = "") -> None:
        self.replica = replica
        self.operation = operation
        self.granted: bool | None = None
        """The answer to the operation; ``None`` if there is none yet."""
        self.cancelled = False
        """True if the caller has decided without an answer."""
        self.ended = False
        """True if there is an answer, or there will be none."""
        self._waiting = _thread.allocate_lock()
        self._waiting.acquire()

    def wait(self, seconds: float) -> bool:
        """Wait for the answer. Return False if it does not come in time."""
        return self._waiting.acquire(timeout=seconds)

    def end(self) -> None:
        """Wake the caller."""
        self.ended = True
        with suppress(RuntimeError):  # it has ended already
            self._waiting.release()


class Fleet:
    """The fleet that shares one database of Redis. ``url``: in redis-py's form. `begin` starts to connect."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = without_credentials(url)
        self.renew()
        renew_in_child(self)
        atexit.register(self.stop)

    def renew(self) -> None:
        """Reset to the state before the first exchange. A forked child has neither the thread nor the connection."""
        self.member = uuid4().hex
        """The name of this process in the fleet."""
        self.members = 1
        """The number of processes in the fleet, as far as this one knows."""
        self.state = FleetState.SHARED
        self.changes: dict[str, int] = dict.fromkeys(FleetState, 0)
        """The number of changes to each state."""
        self._logged = FleetState.SHARED
        """The state that the latest log line reported."""
        self._quiet_until = dict.fromkeys(FleetState, 0.0)
        self._lock = threading.RLock()
        self._replicas: WeakSet[Replica] = WeakSet()
        self._requests: deque[FleetRequest] = deque()
        self._wake = AutoResetEvent()
        self._starting = threading.Lock()  # only tried, never waited for
        self._thread: threading.Thread | None = None
        self._ending = False
        self._redis: Redis | None = None

    @property
    def away(self) -> bool:
        """True while Redis does not answer."""
        return self.state is FleetState.AWAY

    def begin(self) -> None:
        """Start the thread if it does not run. Never blocks; costs one comparison if it runs."""
        if self._thread is not None or self._ending or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="l0-fleet", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the limit of threads: the next call tries again
            self._enter(FleetState.AWAY)
        finally:
            self._starting.release()

    def stop(self) -> None:
        """Exchange the last changes, and end the thread."""
        atexit.unregister(self.stop)
        self._ending = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOPPING_S)

    def add(self, replica: Replica) -> None:
        """Exchange the changes of this replica from now on. Only a weak reference is kept."""
        with self._lock:
            self._replicas.add(replica)

    def request(self, replica: Replica, operation: str) -> FleetRequest | None:
        """Send an operation, and return its request after waiting briefly for the answer, which may still be missing.

        Return ``None`` if Redis is away.
        """
        self.begin()
        if self.away:
            return None
        request = FleetRequest(replica, operation)
        self._requests.append(request)
        self._wake.set()
        if self.state is FleetState.SHARED and not request.wait(LONGEST_WAIT_S):
            self._enter(FleetState.SLOW)  # until the thread has seen a fast exchange
        return request

    def exchange_soon(self) -> None:
        """Wake the thread, so that it exchanges changes at once."""
        self._wake.set()

    def _run(self) -> None:
        exchange_all_at = 0.0
        """The time of the next exchange of all replicas. Until then, replicas without changes are left out."""
        while not self._ending:
            self._wake.wait(INTERVAL_S)
            exchange_all = monotonic() >= exchange_all_at
            if self.away and not exchange_all:
                continue
            requests = [self._requests.popleft() for _ in range(len(self._requests))]
            due = [replica for replica in self._all() if exchange_all or replica.changed]
            if exchange_all or due or requests:
                self._exchange([*map(FleetRequest, due), *(request for request in requests if not request.cancelled)])
            if exchange_all or self.away:
                exchange_all_at = monotonic() + IDLE_INTERVAL_S
        if not self.away:
            self._exchange([FleetRequest(replica) for replica in self._all() if replica.changed])

    def _all(self) -> list[Replica]:
        with self._lock:
            return list(self._replicas)

    def _exchange(self, requests: Sequence[FleetRequest]) -> None:
        """Send all requests in one round trip, and give each replica its answer."""
        began_at = monotonic()
        try:
            members, *answers = self._send(requests)
            self.members = max(int(members), 1)
            for request, answer in zip(requests, answers, strict=True):
                request.replica.apply(request, answer)
                request.end()
        except Exception as error:  # from redis-py, the system, or as an answer: the thread must not end
            self._mark_away(requests)
            self._log_state(type(error).__name__)
            return
        if self.away or monotonic() - began_at <= LONGEST_WAIT_S:
            self._enter(FleetState.SHARED)
        self._log_state()

    def _send(self, requests: Sequence[FleetRequest]) -> list[Any]:
        if self._redis is None:
            self._redis = connect(self.url, SOCKET_TIMEOUT_S)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.eval(_MEMBERS, 1, _MEMBERS_KEY, self.member, MEMBER_S)
            for request in requests:
                replica = request.replica
                pipeline.eval(replica.script, 1, replica.key, *replica.arguments(request.operation))
            return pipeline.execute()

    def _mark_away(self, requests: Sequence[FleetRequest]) -> None:
        self._enter(FleetState.AWAY)
        for request in (*requests, *(self._requests.popleft() for _ in range(len(self._requests)))):
            request.end()

    def _enter(self, state: FleetState) -> None:
        """Change the state, and count the change.

        A call may report that Redis is slow after the thread has found that it is away; the state then stays ``AWAY``.
        """
        with self._lock:
            if state is self.state or (state is FleetState.SLOW and self.away):
                return
            self.state = state
            self.changes[state] += 1

    def _log_state(self, error: str = "") -> None:
        """Log the state, unless the latest line reported it. A recovery is logged only if the problem was."""
        state, now = self.state, monotonic()
        if state is self._logged or self._ending or now < self._quiet_until[state]:
            return
        before, self._logged = self._logged, state
        if state is FleetState.SHARED:
            how = "is fast" if before is FleetState.SLOW else "answers"
            _log.info("Redis at %s %s again: retry budgets and breakers are shared.", self.name, how)
            return
        self._quiet_until[state] = now + QUIET_S
        if state is FleetState.SLOW:
            _log.warning(
                "Redis at %s took longer than %g ms: no call waits for it until it is fast again.",
                self.name,
                1000 * LONGEST_WAIT_S,
            )
            return
        _log.warning(
            "Redis at %s does not answer (%s): each process follows its own retry budgets and breakers until it does.",
            self.name,
            error,
        )


def connect(url: str, timeout_s: float) -> Redis:
    """Return a client that gives up after ``timeout_s`` and does not retry."""
    from redis import Redis  # the extra `redis`
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )

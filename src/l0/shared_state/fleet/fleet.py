"""The connection of this process to Redis, and the daemon thread that alone uses it.

The thread exchanges the changes of all replicas with Redis a few times per second, in one round trip. A call that needs
the decision of the whole fleet asks the thread and waits for at most `LONGEST_WAIT_S`, whatever the connection does. If
Redis is slow no call waits, and if it is away no call asks, until the thread has found that it is back.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
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
_MEMBERS_KEY = "l0:members"
_MEMBERS = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class Replica(Protocol):
    """This process's copy of one thing that the fleet shares. ``script``: the Lua code that keeps it at ``key``."""

    script: str
    key: str

    @property
    def changed(self) -> bool:
        """True if there is something to tell Redis."""
        ...

    def arguments(self, wish: str) -> Sequence[str | int]:
        """Return the arguments of the script: the changes since the last answer, and a wish, such as ``take``."""
        ...

    def answered(self, question: Question, answer: Any) -> None:
        """Take over the answer. Both methods run on the fleet's thread."""
        ...


class Question:
    """One request of a replica. ``wish``: empty for an exchange of changes."""

    __slots__ = ("_waiting", "cancelled", "ended", "granted", "replica", "wish")

    def __init__(self, replica: Replica, wish: str = "") -> None:
        self.replica = replica
        self.wish = wish
        self.granted: bool | None = None
        """The answer to the wish; ``None`` if there is none yet."""
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
    """The fleet that shares one database of Redis. ``url``: as redis-py takes it. `begin` connects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = without_credentials(url)
        self._warned = False
        self.renew()
        renew_in_child(self)
        atexit.register(self.stop)

    def renew(self) -> None:
        """Reset to the state before the first exchange. A forked child has neither the thread nor the connection."""
        self.member = uuid4().hex
        """The name of this process in the fleet."""
        self.members = 1
        """The number of processes in the fleet, as far as this one knows."""
        self.away = False
        """True while Redis does not answer: replicas follow the local rules."""
        self._prompt = True
        """False from an answer that did not come within `LONGEST_WAIT_S` until an exchange is as fast: nobody waits."""
        self._lock = threading.RLock()
        self._replicas: WeakSet[Replica] = WeakSet()
        self._questions: deque[Question] = deque()
        self._wake = AutoResetEvent()
        self._starting = threading.Lock()  # only tried, never waited for
        self._thread: threading.Thread | None = None
        self._ending = False
        self._redis: Redis | None = None

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
            self.away = True
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

    def ask(self, replica: Replica, wish: str) -> Question | None:
        """Send a wish, and wait briefly for the answer, which may still be missing then. ``None`` if Redis is away."""
        self.begin()
        if self.away:
            return None
        question = Question(replica, wish)
        self._questions.append(question)
        self._wake.set()
        if self._prompt and not question.wait(LONGEST_WAIT_S):
            self._prompt = False  # the thread sets it again once an exchange is fast
        return question

    def hurry(self) -> None:
        """Exchange changes now."""
        self._wake.set()

    def _run(self) -> None:
        complete_at = 0.0
        """The time of the next exchange of all replicas. Between two of them, those without changes are left out."""
        while not self._ending:
            self._wake.wait(INTERVAL_S)
            complete = monotonic() >= complete_at
            if self.away and not complete:
                continue
            questions = [self._questions.popleft() for _ in range(len(self._questions))]
            due = [replica for replica in self._all() if complete or replica.changed]
            if complete or due or questions:
                self._exchange([*map(Question, due), *(one for one in questions if not one.cancelled)])
            if complete or self.away:
                complete_at = monotonic() + IDLE_INTERVAL_S
        if not self.away:
            self._exchange([Question(replica) for replica in self._all() if replica.changed])

    def _all(self) -> list[Replica]:
        with self._lock:
            return list(self._replicas)

    def _exchange(self, questions: Sequence[Question]) -> None:
        """Send all questions in one round trip, and hand the answers out."""
        began_at = monotonic()
        try:
            members, *answers = self._send(questions)
            self.members = max(int(members), 1)
            for question, answer in zip(questions, answers, strict=True):
                question.replica.answered(question, answer)
                question.end()
        except Exception as error:  # of redis-py, of the system, or an answer that is an error: the thread goes on
            self._lose(questions, error)
            return
        self.away = False
        if monotonic() - began_at <= LONGEST_WAIT_S:
            self._prompt = True

    def _send(self, questions: Sequence[Question]) -> list[Any]:
        if self._redis is None:
            self._redis = connect(self.url, SOCKET_TIMEOUT_S)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.eval(_MEMBERS, 1, _MEMBERS_KEY, self.member, MEMBER_S)
            for one in questions:
                pipeline.eval(one.replica.script, 1, one.replica.key, *one.replica.arguments(one.wish))
            return pipeline.execute()

    def _lose(self, questions: Sequence[Question], error: Exception) -> None:
        self.away = True
        for question in (*questions, *(self._questions.popleft() for _ in range(len(self._questions)))):
            question.end()
        if not self._warned and not self._ending:
            self._warned = True
            _log.warning(
                "Redis at %s does not answer (%s): each process follows its own retry budgets and breakers until it "
                "does. This is logged once.",
                self.name,
                type(error).__name__,
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

"""Circuit breaker: while a provider's model keeps failing, calls are not sent to it, but for one probe now and then.

::

    closed --trip--> open --cooled--> half-open --recovered--> closed
                      ^---------failed----------'

It trips when the failure share is above its limit over *each* of the windows (as an SLO's burn is judged: the long one
says that it matters, the short one that it goes on). After the cool-down one call at a time is let through as the
probe; its outcome decides. Calls that are under way are never touched: they end as they do, and their outcomes are
counted and move nothing but a closed breaker.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from l0.model.errors import raised

from .failure_rate import FailureRate, SlidingWindow
from .forks import renew_in_child
from .keyed import MOST, Keyed, Target

_log = logging.getLogger("l0")

COOLDOWN = 30.0
"""Seconds from opening to the probe: Envoy's base ejection time."""
SAMPLES = 20
"""Calls below which a window says nothing."""
LIMITS = ((60.0, 0.5), (600.0, 0.1))
"""Windows in seconds with the share of failures that is too much: half of the last minute, and ten times what an
objective of 99 % allows over the last ten."""


class BreakerState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSignal(StrEnum):
    """What moves a breaker."""

    TRIP = "trip"
    COOLED = "cooled"
    RECOVERED = "recovered"
    FAILED = "failed"


TRANSITIONS: dict[BreakerState, dict[BreakerSignal, BreakerState]] = {
    BreakerState.CLOSED: {BreakerSignal.TRIP: BreakerState.OPEN},
    BreakerState.OPEN: {BreakerSignal.COOLED: BreakerState.HALF_OPEN},
    BreakerState.HALF_OPEN: {BreakerSignal.RECOVERED: BreakerState.CLOSED, BreakerSignal.FAILED: BreakerState.OPEN},
}
"""All that there are: any other signal is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A breaker moved. ``at``: seconds of the breaker's clock."""

    target: Target
    before: BreakerState
    after: BreakerState
    at: float


Listener = Callable[[Change], None]


class BreakerPermit:
    """One call that a breaker let through; tell it how that ended. Only the first word counts.

    A call that was abandoned (cancelled, or broken by its own user) says nothing of the provider and is let go with
    `release`; one that is forgotten is released when it is collected, so that a lost probe cannot bar the way for ever.
    """

    __slots__ = ("__weakref__", "_breaker", "probe")

    def __init__(self, breaker: Breaker, *, probe: bool) -> None:
        self._breaker: Breaker | None = breaker
        self.probe = probe
        """Whether it is the one call that decides over a half-open breaker."""

    def succeed(self) -> None:
        """The provider answered as it should."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._ended(self, failed=False)

    def fail(self) -> None:
        """The provider failed."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._ended(self, failed=True)

    def release(self) -> None:
        """The call ended without a word on the provider. A probe's place is free for the next call."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._released(self)


class Breaker:
    """The breaker of one provider and model. ``clock``: seconds, monotonic.

    ``rate``: where the failure share comes from; ``None`` for the outcomes of the admissions of this breaker.
    """

    def __init__(
        self,
        target: Target,
        clock: Callable[[], float],
        *,
        rate: FailureRate | None = None,
        listeners: Sequence[Listener] = (),
        cooldown: float = COOLDOWN,
        limits: Sequence[tuple[float, float]] = LIMITS,
        samples: int = SAMPLES,
    ) -> None:
        self._target = target
        self._clock = clock
        own = SlidingWindow(clock)
        self._own = own if rate is None else None
        self._rate = own if rate is None else rate
        self._listeners = listeners
        self._cooldown = cooldown
        self._limits = limits
        self._samples = samples
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Close without a word, as at the start: a child has no call under way, and no probe either."""
        self._lock = threading.RLock()
        self._state = BreakerState.CLOSED
        self._since = -inf
        self._probe: weakref.ref[BreakerPermit] | None = None

    @property
    def state(self) -> BreakerState:
        """``OPEN`` until a call asks after the cool-down, even where that is over."""
        return self._state

    def admit(self) -> BreakerPermit | None:
        """Leave to send one call. ``None``: not now; fail over or raise."""
        if self._state is BreakerState.CLOSED:
            return BreakerPermit(self, probe=False)
        with self._lock:
            admission, change = self._try(self._clock())
        self._tell(change)
        return admission

    def _try(self, now: float) -> tuple[BreakerPermit | None, Change | None]:
        """Under the lock: the one probe, once the cool-down is over. Another thread may have closed it meanwhile."""
        if self._state is BreakerState.CLOSED:
            return BreakerPermit(self, probe=False), None
        if self._state is BreakerState.OPEN and now < self._since + self._cooldown:
            return None, None
        if self._state is BreakerState.HALF_OPEN and self._probing() is not None:
            return None, None
        change = self._move(BreakerSignal.COOLED, now)
        probe = BreakerPermit(self, probe=True)
        self._probe = weakref.ref(probe)
        return probe, change

    def _probing(self) -> BreakerPermit | None:
        return None if self._probe is None else self._probe()

    def _ended(self, call: BreakerPermit, *, failed: bool) -> None:
        if self._own is not None:
            self._own.record(failed=failed)
        if not call.probe and not (failed and self._state is BreakerState.CLOSED and self._burning()):
            return
        now = self._clock()
        with self._lock:
            if not call.probe:
                change = self._move(BreakerSignal.TRIP, now)
            elif self._probing() is call:
                change = self._move(BreakerSignal.FAILED if failed else BreakerSignal.RECOVERED, now)
            else:  # a probe of before a fork
                change = None
        self._tell(change)

    def _released(self, call: BreakerPermit) -> None:
        with self._lock:
            if self._probing() is call:
                self._probe = None

    def _burning(self) -> bool:
        """Whether every window is above its limit, counting nothing from before the breaker was last closed."""
        closed_for = self._clock() - self._since
        return all(self._above(min(seconds, closed_for), limit) for seconds, limit in self._limits)

    def _above(self, seconds: float, limit: float) -> bool:
        failures, calls = self._rate.rate(seconds)
        return calls >= self._samples and failures >= limit * calls

    def _move(self, signal: BreakerSignal, now: float) -> Change | None:
        """The transition, under the lock, if there is one."""
        before = self._state
        after = TRANSITIONS[before].get(signal)
        if after is None:
            return None
        self._state, self._since, self._probe = after, now, None
        return Change(target=self._target, before=before, after=after, at=now)

    def _tell(self, change: Change | None) -> None:
        """Outside the lock: a listener may be slow, may ask this breaker, and must not break a call."""
        if change is None:
            return
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:
                _log.warning("a listener to circuit breakers failed and is ignored: %s", raised())


class Breakers(Keyed[Target, Breaker]):
    """``breakers[provider, model]``, with one clock and one set of listeners.

    ``rates``: the figures for a provider and model, where an objective gives them; ``None`` for a window of its own.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rates: Callable[[Target], FailureRate | None] = lambda _: None,
        most: int = MOST,
    ) -> None:
        self._listeners: list[Listener] = []
        self.meters: weakref.WeakSet[object] = weakref.WeakSet()
        """The meters that have the instrument already."""
        super().__init__(lambda key: Breaker(key, clock, rate=rates(key), listeners=self._listeners), most)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` of every change from now on. Returns what ends that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

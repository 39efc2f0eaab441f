"""Circuit breaker: stop sending calls to a provider's model that keeps failing, except for occasional probes.

::

    closed --trip--> open --cooled--> half-open --recovered--> closed
                      ^---------failed----------'

It trips if the share of failures reaches its limit over *each* of the windows. As with SLO burn alerts, the long window
shows that the failures matter, and the short one that they continue. After the cool-down one call at a time passes as
the probe, and its outcome decides. Calls in progress are not affected; their outcomes are counted, but can only trip a
closed breaker.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from enum import StrEnum
from math import inf

from .failure_rate import FailureRate, SlidingWindow
from .forks import renew_in_child
from .keyed import MAX_KEYS, Keyed, Target

COOLDOWN = 30.0
"""Time in s from opening to the first probe. Source: Envoy's outlier detection, ``base_ejection_time``."""
SAMPLES = 20
"""Minimum number of calls in a window for it to trip the breaker."""
LIMITS = ((60.0, 0.5), (600.0, 0.1))
"""Windows in s, each with the share of failures that is too high: half of the calls in the last minute, and over the
last ten minutes ten times the share that an objective of 99 % allows."""


class BreakerState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSignal(StrEnum):
    """The inputs of a breaker's state machine."""

    TRIP = "trip"
    COOLED = "cooled"
    RECOVERED = "recovered"
    FAILED = "failed"


TRANSITIONS: dict[BreakerState, dict[BreakerSignal, BreakerState]] = {
    BreakerState.CLOSED: {BreakerSignal.TRIP: BreakerState.OPEN},
    BreakerState.OPEN: {BreakerSignal.COOLED: BreakerState.HALF_OPEN},
    BreakerState.HALF_OPEN: {BreakerSignal.RECOVERED: BreakerState.CLOSED, BreakerSignal.FAILED: BreakerState.OPEN},
}
"""All transitions. Any other signal is ignored."""


class BreakerPermit:
    """Permission for one call. Report its outcome with `succeed`, `fail` or `release`; later reports are ignored.

    `release` is for a call that shows nothing about the provider: it was cancelled, or its own user broke it. A permit
    that is garbage-collected counts as released, so that a lost probe cannot block the breaker forever.
    """

    __slots__ = ("__weakref__", "_breaker", "changed_to", "probe")

    def __init__(self, breaker: Breaker, *, probe: bool) -> None:
        self._breaker: Breaker | None = breaker
        self.probe = probe
        """True if this call is the probe that decides the state of a half-open breaker."""
        self.changed_to: BreakerState | None = None
        """The state to which the breaker changed last because of this call, if it did."""

    def succeed(self) -> None:
        """Report that the provider answered as it should."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._ended(self, failed=False)

    def fail(self) -> None:
        """Report that the provider failed."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._ended(self, failed=True)

    def release(self) -> None:
        """Report that the call ended without showing anything about the provider. The next call may be the probe."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._released(self)


class Breaker:
    """The breaker of one provider and model. ``clock``: monotonic, in seconds.

    ``rate``: the source of the failure share; ``None`` to use the outcomes of this breaker's own permits. ``cooldown``:
    seconds. ``limits`` and ``samples``: as `LIMITS` and `SAMPLES`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rate: FailureRate | None = None,
        cooldown: float = COOLDOWN,
        limits: Sequence[tuple[float, float]] = LIMITS,
        samples: int = SAMPLES,
    ) -> None:
        self._clock = clock
        own_window = SlidingWindow(clock)
        self._own_window = own_window if rate is None else None
        self._rate = own_window if rate is None else rate
        self._cooldown = cooldown
        self._limits = limits
        self._samples = samples
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Close in a forked child, which has no call in progress and no probe."""
        self._lock = threading.RLock()
        self._state = BreakerState.CLOSED
        self._since = -inf
        self._probe: weakref.ref[BreakerPermit] | None = None

    @property
    def state(self) -> BreakerState:
        """The current state. It stays ``OPEN`` after the cool-down until the next call requests a permit."""
        return self._state

    @property
    def description(self) -> str:
        """The state in words, with the time until the next call may pass."""
        if self._state is BreakerState.OPEN:
            left = max(self._since + self._cooldown - self._clock(), 0.0)
            return f"open for another {left:.1f} s, because too many of its calls failed"
        return "half-open: one call at a time tests the provider" if self._state is BreakerState.HALF_OPEN else "closed"

    def admit(self) -> BreakerPermit | None:
        """Return a permit to send one call; ``None`` if the call must fail over or raise."""
        if self._state is BreakerState.CLOSED:  # the common case takes no lock
            return BreakerPermit(self, probe=False)
        with self._lock:
            return self._try_probe(self._clock())

    def _try_probe(self, now: float) -> BreakerPermit | None:
        """Return the probe's permit once the cool-down is over. The caller holds the lock.

        The state is read again because another thread may have closed the breaker in the meantime.
        """
        if self._state is BreakerState.CLOSED:
            return BreakerPermit(self, probe=False)
        if self._cooling(now):
            return None
        if self._state is BreakerState.HALF_OPEN and self._current_probe() is not None:
            return None
        probe = BreakerPermit(self, probe=True)
        probe.changed_to = self._move(BreakerSignal.COOLED, now)
        self._probe = weakref.ref(probe)
        return probe

    def _cooling(self, now: float) -> bool:
        return self._state is BreakerState.OPEN and now < self._since + self._cooldown

    def _current_probe(self) -> BreakerPermit | None:
        return None if self._probe is None else self._probe()

    def _ended(self, call: BreakerPermit, *, failed: bool) -> None:
        if self._own_window is not None:
            self._own_window.record(failed=failed)
        if not call.probe and not (failed and self._state is BreakerState.CLOSED and self._burning()):
            return
        now = self._clock()
        with self._lock:
            if not call.probe:
                call.changed_to = self._move(BreakerSignal.TRIP, now)
            elif self._current_probe() is call:  # else a probe from before a fork
                call.changed_to = self._move(BreakerSignal.FAILED if failed else BreakerSignal.RECOVERED, now)

    def _released(self, call: BreakerPermit) -> None:
        with self._lock:
            if self._current_probe() is call:
                self._probe = None

    def _burning(self) -> bool:
        """Return True if every window has reached its limit. Calls from before the breaker last closed do not count."""
        closed_for_s = self._clock() - self._since
        return all(self._reached(min(seconds, closed_for_s), limit) for seconds, limit in self._limits)

    def _reached(self, seconds: float, limit: float) -> bool:
        failures, calls = self._rate.counts(seconds)
        return calls >= self._samples and failures >= limit * calls

    def _move(self, signal: BreakerSignal, now: float) -> BreakerState | None:
        """Make the transition for ``signal``, and return the new state; ``None`` if there is none. The caller holds the
        lock."""
        after = TRANSITIONS[self._state].get(signal)
        if after is not None:
            self._state, self._since, self._probe = after, now, None
        return after


class Breakers(Keyed[Target, Breaker]):
    """The breakers of a process: ``breakers[provider, model]``. They share a clock.

    ``rates``: a function that returns the failure rate that objectives count for a target; ``None`` for the breaker's
    own window. ``make``: a function that creates the breaker of a target; by default a `Breaker`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rates: Callable[[Target], FailureRate | None] = lambda _: None,
        max_keys: int = MAX_KEYS,
        make: Callable[[Target, Callable[[], float], FailureRate | None], Breaker] | None = None,
    ) -> None:
        self.meters: weakref.WeakSet[object] = weakref.WeakSet()
        """The meters that already have the instrument."""
        make = make or (lambda _, clock, rate: Breaker(clock, rate=rate))
        super().__init__(lambda key: make(key, clock, rates(key)), max_keys)

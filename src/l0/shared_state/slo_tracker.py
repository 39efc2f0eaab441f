"""The objectives of this process: windows per provider and model, fed by the events of calls.

A call costs O(1), under a lock that is held for O(1). Nothing runs until `start` is called or a meter listens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from weakref import WeakSet

from l0.model.call import Call, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, Event
from l0.model.errors import raised
from l0.model.failure import Cause
from l0.model.text_safety import well_formed
from l0.slo.judging import AttemptRecord
from l0.slo.objective import DEFAULTS, Objective, check_distinct
from l0.slo.rolling_windows import Bucket
from l0.slo.status_report import Burn, Report

from .failure_rate import FailureRate
from .keyed import Keyed, Target
from .slo_history import SloCounts, StoredWindows, TargetHistory
from .slo_storage import Key, Saver, Storage

_log = logging.getLogger("l0")
_NO_CONTEXT: AbstractContextManager[object] = nullcontext()

MOST = 128
"""Providers and models that are kept; each takes about 105 kB with the default objectives."""


class _Targets(Keyed[Target, TargetHistory]):
    """`Keyed`, and all that it holds."""

    def all(self) -> list[TargetHistory]:
        """The oldest first."""
        with self._lock:
            return list(self._values.values())


class SloTracker:
    """The objectives that are watched. ``clock``: seconds since the epoch, as windows outlive the process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._saver: Saver | None = None
        self._set(DEFAULTS, StoredWindows(), None)
        self._started = self._feeding = False
        self.meters: WeakSet[object] = WeakSet()
        """The meters that have the instruments already."""

    def _set(
        self, objectives: Sequence[Objective], history: StoredWindows, on_burn: Callable[[Burn], None] | None
    ) -> None:
        self._targets = _Targets(lambda target: TargetHistory(target, objectives, self._clock(), history), MOST)
        self._on_burn = on_burn

    def start(
        self,
        objectives: Sequence[Objective] = DEFAULTS,
        *,
        storage: Storage | None = None,
        on_burn: Callable[[Burn], None] | None = None,
    ) -> None:
        """Watch from now on, with empty windows or what ``storage`` has of them.

        ``on_burn`` is told once, when a budget begins to burn; at the end of the call that began it, in its thread.
        """
        self.stop()
        self._set(check_distinct(tuple(objectives)), StoredWindows(storage), on_burn)
        if storage is not None:
            self._saver = Saver(storage, self._unsaved, self._clock)
        self._started = True

    def stop(self) -> None:
        """Watch no longer than a meter listens or a breaker needs it; what is not stored yet is."""
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.stop()
        self._started = False
        self._on_burn = None

    @property
    def wanted(self) -> bool:
        """Whether they are to be watched though no meter listens: somebody asked for it, or a breaker relies on it."""
        return self._started or self._feeding

    def observe(self, call: Call) -> SloCallObserver:
        """One call's watcher."""
        saver = self._saver  # `stop` may come in another thread
        if saver is not None:
            saver.begin()
        return SloCallObserver(call, self)

    def report(self) -> Report:
        """How everything stands now."""
        at, watched = self._clock(), self._targets.all()
        return Report(
            standings=tuple(standing for one in watched for standing in one.standings(at)),
            masked=tuple(one.saved_by_recovery(at) for one in watched),
        )

    def tallies(self) -> Iterator[SloCounts]:
        """All events so far, for a counter."""
        for watched in self._targets.all():
            yield from watched.tallies()

    def failure_rate(self, target: Target) -> FailureRate | None:
        """A breaker's figures from now on, where somebody has asked for objectives; else it keeps its own."""
        if not self._started:
            return None
        self._feeding = True
        return _Rate(self, target)

    def attempt(self, target: Target, attempt: AttemptRecord) -> None:
        """An attempt at a provider and model is over."""
        self._tell(self._targets[target].attempt(attempt, self._clock()))
        self._save()

    def call(self, target: Target, ended: CallEnded) -> None:
        """A call for a provider and model is over."""
        self._tell(self._targets[target].call(ended, self._clock()))
        self._save()

    def rate(self, target: Target, seconds: float) -> tuple[int, int]:
        """Failed attempts and all attempts of the last ``seconds``."""
        return self._targets[target].rate(seconds, self._clock())

    def _tell(self, burns: list[Burn]) -> None:
        on_burn = self._on_burn
        for burn in burns if on_burn is not None else ():
            try:
                on_burn(burn)  # type: ignore[misc]  # there is none, or nothing to tell it
            except Exception:
                _log.warning("on_burn failed and is ignored: %s", raised())

    def _save(self) -> None:
        saver = self._saver
        if saver is not None:
            saver.changed()

    def _unsaved(self) -> list[tuple[Key, Bucket]]:
        return [row for watched in self._targets.all() for row in watched.unsaved()]


@dataclass(frozen=True, slots=True)
class _Rate:
    """`FailureRate` from the windows of one target."""

    slos: SloTracker
    target: Target

    def rate(self, seconds: float) -> tuple[int, int]:
        """As `FailureRate.rate`."""
        return self.slos.rate(self.target, seconds)


def target_of(call: Call, leg: int) -> Target:
    """Provider and model of one leg of a call."""
    if leg == 0:
        return call.provider, well_formed(call.model)
    fallback = call.policy.legs[leg - 1]
    provider = call.provider if fallback.client is None else str(fallback.client.base_url.host)
    return provider, well_formed(fallback.model or call.model)


class SloCallObserver:
    """One call: judges each attempt when it has failed, the one that served when the call is over."""

    __slots__ = ("_call", "_last", "_slos", "_stalled", "_started")

    def __init__(self, call: Call, slos: SloTracker) -> None:
        self._call = call
        self._slos = slos
        self._started: dict[int, AttemptStarted] = {}
        self._last: AttemptEnded | None = None
        self._stalled = 0

    def notify(self, event: Event) -> None:
        """Judges nothing but what has ended."""
        match event:
            case AttemptStarted():
                self._started[event.number] = event
            case AttemptEnded(failure=None, lost=False):
                self._last = event
            case AttemptEnded():
                self._stalled += event.failure is not None and event.failure.cause is Cause.STALLED
                self._attempt(event, None)
            case CallEnded():
                if self._last is not None:
                    self._attempt(self._last, event)
                self._slos.call(target_of(self._call, 0), event)

    def _attempt(self, over: AttemptEnded, ended: CallEnded | None) -> None:
        """``ended``: the call, for the attempt that was its last, of which alone the pace is known."""
        started = self._started.pop(over.number, None)
        if started is None:
            return
        pace = ended.pace if ended is not None else None
        metadata = ended.metadata if ended is not None else None
        attempt = AttemptRecord(
            streaming=self._call.streaming,
            failure=over.failure,
            opened=over.status is not None and 200 <= over.status < 300,
            waited=over.at - started.at,
            first_content=pace.first_content if pace is not None else None,
            stalls=max(0, pace.stalls - self._stalled) if pace is not None else 0,
            unended=metadata is not None and Cause.TRUNCATED.value in metadata.anomalies,
            given_up=over.lost or (ended is not None and ended.outcome is Outcome.CANCELLED),
        )
        self._slos.attempt(target_of(self._call, started.leg), attempt)

    def active(self) -> AbstractContextManager[object]:
        """No context."""
        return _NO_CONTEXT

    def headers(self) -> dict[str, str]:
        """Nothing to carry on."""
        return {}

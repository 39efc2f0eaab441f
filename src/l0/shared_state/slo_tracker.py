"""Track the objectives of this process in windows per provider and model, from the events of calls.

Recording a call takes O(1) time, as does its lock. Nothing is tracked until `start` is called or a meter exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from l0.model.call import Call, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent
from l0.model.failure import Cause
from l0.model.text_safety import well_formed
from l0.slo.judging import AttemptRecord
from l0.slo.objective import DEFAULTS, Objective, check_distinct
from l0.slo.rolling_windows import Bucket
from l0.slo.status_report import Burn, Report

from .burn_alerts import BurnAlerts
from .failure_rate import FailureRate
from .keyed import Keyed, Target
from .slo_history import SloCounts, StoredWindows, TargetHistory
from .slo_storage import Key, Saver, Storage

if TYPE_CHECKING:
    from .fleet.fleet import Fleet

_NO_CONTEXT: AbstractContextManager[object] = nullcontext()

MAX_TARGETS = 128
"""Maximum number of targets (provider and model). Each takes about 105 kB with the default objectives."""


class _Targets(Keyed[Target, TargetHistory]):
    """The histories by target, with access to all of them.

    ``stores``: a store gets all events, so those of a dropped history are kept until they are stored.
    """

    def __init__(self, make: Callable[[Target], TargetHistory], max_targets: int, *, stores: bool) -> None:
        self._stores = stores
        super().__init__(make, max_targets)

    def renew(self) -> None:
        """Drop every history, and the events that the parent process stores."""
        super().renew()
        self._rows_of_dropped: list[tuple[Key, Bucket]] = []

    def clear(self) -> None:
        """Drop every history."""
        with self._lock:
            for history in self._values.values():
                self._dropped(history)
            super().clear()

    def _dropped(self, value: TargetHistory) -> None:
        if self._stores:
            self._rows_of_dropped += value.unsaved()

    def take_unsaved(self) -> list[tuple[Key, Bucket]]:
        """Return the events since the last call, each once."""
        with self._lock:
            rows, self._rows_of_dropped = self._rows_of_dropped, []
        return rows + [row for history in self.all() for row in history.unsaved()]

    def all(self) -> list[TargetHistory]:
        """Return all histories, the least recently used first."""
        with self._lock:
            return list(self._values.values())


class SloTracker:
    """The tracked objectives. ``clock``: seconds since the epoch, because windows outlive the process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._saver: Saver | None = None
        self._fleet: Fleet | None = None
        self._set(DEFAULTS, StoredWindows(), None, stores=False)
        self._started = False
        self._feeds_breaker = False
        """A breaker reads the counts, so tracking continues after `stop`."""
        self.meters: WeakSet[object] = WeakSet()
        """The meters for which the instruments have been created."""

    def _set(
        self,
        objectives: Sequence[Objective],
        stored: StoredWindows,
        on_burn: Callable[[Burn], None] | None,
        *,
        stores: bool,
    ) -> None:
        self._targets = _Targets(
            lambda target: TargetHistory(target, objectives, self._clock, stored, self._fleet),
            MAX_TARGETS,
            stores=stores,
        )
        self._alerts = BurnAlerts(on_burn) if on_burn is not None else None
        self._objectives = tuple(objectives)
        for target in stored.targets()[-MAX_TARGETS:]:  # restored now, so that `report` has them before a call
            self._targets[target]

    def start(
        self,
        objectives: Sequence[Objective] = DEFAULTS,
        *,
        storage: Storage | None = None,
        on_burn: Callable[[Burn], None] | None = None,
    ) -> None:
        """Start tracking, with empty windows or those in ``storage``.

        ``on_burn`` is called once when a budget begins to burn: at the end of the call that started it, in its thread.
        If it fails, it is called again with later events, as `burn_alerts` describes.
        """
        self.stop()
        stored = StoredWindows(storage.load() if storage is not None else ())
        self._set(check_distinct(tuple(objectives)), stored, on_burn, stores=storage is not None)
        if storage is not None:
            self._saver = Saver(storage, self._unsaved, self._clock)
        self._started = True

    def share(self, fleet: Fleet | None) -> None:
        """Share the windows with ``fleet`` from now on; ``None`` ends the sharing. The present counts are dropped."""
        self._fleet = fleet
        self._targets.clear()

    def stop(self) -> None:
        """Stop tracking unless a meter or a breaker still needs it. Store the events that are not stored yet."""
        saver, self._saver = self._saver, None
        if saver is not None:
            saver.stop()
        self._started = False
        self._alerts = None

    @property
    def wanted(self) -> bool:
        """True if objectives are tracked even without a meter: `start` was called, or a breaker uses their counts."""
        return self._started or self._feeds_breaker

    def observe(self, call: Call) -> SloCallObserver:
        """Return the observer of one call."""
        saver = self._saver  # read once: `stop` may run in another thread
        if saver is not None:
            saver.begin()
        return SloCallObserver(call, self)

    def report(self) -> Report:
        """Return the current status of every objective."""
        return _report(self._targets.all(), self._objectives, self._clock())

    def tallies(self) -> Iterator[SloCounts]:
        """Yield the event counts since the process began, for a counter."""
        for history in self._targets.all():
            yield from history.tallies()

    def failure_rate(self, target: Target) -> FailureRate | None:
        """Return the failure rate for a breaker; ``None`` if nothing is tracked: the breaker then counts by itself."""
        if not self._started:
            return None
        self._feeds_breaker = True
        return _TrackedFailures(self, target)

    def record_attempt(self, target: Target, attempt: AttemptRecord) -> None:
        """Record an attempt that has ended."""
        history, at = self._targets[target], self._clock()
        self._notify(history, history.record_attempt(attempt, at), at)
        self._save()

    def record_call(self, target: Target, ended: CallEnded) -> None:
        """Record a call that has ended."""
        history, at = self._targets[target], self._clock()
        self._notify(history, history.record_call(ended, at), at)
        self._save()

    def attempt_counts(self, target: Target, seconds: float) -> tuple[int, int]:
        """Return the number of failed attempts and of all attempts within the last ``seconds``."""
        return self._targets[target].attempt_counts(seconds, self._clock())

    def _notify(self, history: TargetHistory, burns: list[Burn], at: float) -> None:
        alerts = self._alerts
        if alerts is not None and (burns or alerts.has_failed):
            is_stored = self._saver is not None
            alerts.send(burns, lambda burn: history.mark_reported(burn, at) if is_stored else None, at)

    def _save(self) -> None:
        saver = self._saver
        if saver is not None:
            saver.changed()

    def _unsaved(self) -> list[tuple[Key, Bucket]]:
        return self._targets.take_unsaved()


def stored_report(rows: Iterable[tuple[Key, Bucket]], objectives: Sequence[Objective], at: float) -> Report:
    """Return the status of ``objectives`` from the rows of a store. ``at``: now, in seconds since the epoch."""
    stored = StoredWindows(rows)
    histories = [TargetHistory(target, objectives, lambda: at, stored) for target in stored.targets()]
    return _report(histories, objectives, at)


def _report(histories: Sequence[TargetHistory], objectives: Sequence[Objective], at: float) -> Report:
    # Neither the order of use nor that of a store's rows means anything to a reader.
    histories = sorted(histories, key=lambda history: (history.provider, history.model))
    return Report(
        statuses=tuple(status for history in histories for status in history.statuses(at)),
        masked=tuple(history.saved_by_recovery(at) for history in histories),
        unmatched=tuple(
            objective
            for objective in objectives
            if not any(objective.holds_for(history.provider, history.model) for history in histories)
        ),
    )


@dataclass(frozen=True, slots=True)
class _TrackedFailures:
    """A `FailureRate` that reads the windows of one target."""

    slos: SloTracker
    target: Target

    def counts(self, seconds: float) -> tuple[int, int]:
        """As `FailureRate.counts`."""
        return self.slos.attempt_counts(self.target, seconds)


def target_of(call: Call, leg: int) -> Target:
    """Return provider and model of one leg of a call.

    Two servers with the same provider name, such as two regions, must not share a breaker: the host names the second.
    """
    if leg == 0:
        return call.provider, well_formed(call.model)
    fallback = call.policy.legs[leg - 1]
    provider, host, _, _ = call.endpoint(leg)
    if fallback.client is not None and provider == call.provider:
        provider = host if call.fallback_endpoints else str(fallback.client.base_url.host)
    return provider, well_formed(call.model_of(leg))


class SloCallObserver:
    """The observer of one call. Records an attempt when it ends; the one that served the answer when the call ends."""

    __slots__ = ("_call", "_served", "_slos", "_started")

    def __init__(self, call: Call, slos: SloTracker) -> None:
        self._call = call
        self._slos = slos
        self._started: dict[int, AttemptStarted] = {}
        self._served: AttemptEnded | None = None

    def notify(self, event: CallEvent) -> None:
        """Record attempts and the call once they have ended."""
        match event:
            case AttemptStarted():
                self._started[event.attempt.number] = event
            case AttemptEnded(failure=None, lost=False):
                self._served = event
            case AttemptEnded():
                self._record_attempt(event, None)
            case CallEnded():
                if self._served is not None:
                    self._record_attempt(self._served, event)
                self._slos.record_call(target_of(self._call, 0), event)

    def _record_attempt(self, attempt: AttemptEnded, ended: CallEnded | None) -> None:
        """Record one attempt. ``ended``: the end of the call, for the attempt that served it: it has the stream
        statistics.

        Stalls that failed attempts are left out of the statistics' count: those attempts were recorded as failures.
        """
        started = self._started.pop(attempt.number, None)
        if started is None or (attempt.failure is not None and attempt.failure.cause is Cause.BREAKER_OPEN):
            return  # an open breaker sent no request
        stats = ended.stream_stats if ended is not None else None
        metadata = ended.metadata if ended is not None else None
        record = AttemptRecord(
            streaming=self._call.streaming,
            failure=attempt.failure,
            opened=attempt.status is not None and 200 <= attempt.status < 300,
            waited=attempt.at - started.at,
            first_content=stats.first_content if stats is not None else None,
            stalls=stats.stalls_of_last if stats is not None else 0,
            unended=metadata is not None and Cause.TRUNCATED.value in metadata.anomalies,
            given_up=(attempt.lost and attempt.failure is None)
            or (ended is not None and ended.outcome is Outcome.CANCELLED),
        )
        self._slos.record_attempt(target_of(self._call, started.attempt.leg), record)

    def active(self) -> AbstractContextManager[object]:
        """Return a context manager that does nothing."""
        return _NO_CONTEXT

    def headers(self) -> dict[str, str]:
        """Return no headers: nothing is propagated."""
        return {}

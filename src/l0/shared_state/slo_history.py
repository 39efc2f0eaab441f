"""Keep the SLO windows of one provider and model: one per objective, one of masked failures, one of all attempts.

A failure is masked if recovery hid it: the user got the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from l0.model.call_events import CallEnded
from l0.slo.burn import DAY, PAIRS, WINDOWS, Count, Pair, budget_left, burn_rate, burning, duration
from l0.slo.judging import AttemptRecord, judge_attempt, judge_call, masked
from l0.slo.objective import MASKED, Objective
from l0.slo.rolling_windows import RINGS, Bucket, Windows
from l0.slo.status_report import Burn, Masked, SloStatus

from .fleet.fleet_windows import FleetHistory, FleetWindows
from .keyed import Target
from .slo_storage import Key

if TYPE_CHECKING:
    from .fleet.fleet import Fleet

_FINEST = RINGS[0][0]
"""Length in s of the shortest bucket: between its boundaries no event leaves a window."""
_END = 0.5
"""The share of the factor at which a burn ends. Random changes of a steady rate hardly ever halve it."""
_REPORTED = " reported "
"""Between the storage key of an objective and the long window of a reported burn. Names of objectives have no space."""
_ATTEMPTS = "attempts"
"""The name under which a fleet shares the windows of all attempts. No objective has this key: keys have a space."""


@dataclass(frozen=True, slots=True)
class SloCounts:
    """The event counts of one objective at one provider and model, since the process began.

    ``slo``: the name of the objective. ``layer``: ``"attempts"`` or ``"delivered"``.
    """

    slo: str
    layer: str
    provider: str
    model: str
    count: Count


class _Burn:
    """A burn that has begun. It ends when the long window falls below half the factor, or is empty.

    A burn that ended at the factor itself would begin anew each time that a rate close to the factor crosses it.
    """

    __slots__ = ("_above_at", "_limit", "_marked", "_span", "_width")

    def __init__(self, pair: Pair, objective: Objective, at: float) -> None:
        self._limit = _END * pair.factor * objective.budget
        self._span = pair.long
        self._width = _report_width(pair)
        self._above_at = at
        """The last time at which the burn was known to last."""
        self._marked: int | None = None
        """The number of the latest bucket in which the store has this burn; ``None`` if it was not reported yet."""

    def lasts(self, long: Count, at: float) -> bool:
        """Return True if the burn has not ended at ``at``. ``long``: the events in the long window then."""
        if at - self._above_at > self._span or long.bad <= self._limit * long.total:
            return False
        self._above_at = at
        return True

    def mark(self, at: float) -> Bucket:
        """Return the bucket that tells later processes that the burn was reported, and lasted at ``at``."""
        self._marked = int(at) // self._width
        return Bucket(self._width, self._marked * self._width, Count(1, 1))

    def needs_mark(self, at: float) -> bool:
        """Return True if the burn was reported, and the store does not know yet that it lasts."""
        return self._marked is not None and int(at) // self._width > self._marked


class _ObjectiveWindows:
    """The windows of one objective at one provider and model. The lock of their `TargetHistory` guards them."""

    __slots__ = ("_judge_good_from", "burns", "objective", "windows")

    def __init__(self, objective: Objective, windows: Windows, reported: Mapping[Pair, float]) -> None:
        """``reported``: the time at which another process reported a burn; it is not reported again while it lasts."""
        self.objective = objective
        self.windows = windows
        self.burns = {pair: _Burn(pair, objective, reported_at) for pair, reported_at in reported.items()}
        for pair, reported_at in reported.items():
            self.burns[pair].mark(reported_at)
        self._judge_good_from = -inf
        """The time from which a good event is judged as well."""

    def add(self, at: float, *, good: bool) -> list[Pair]:
        """Add one event. Return the alert pairs that began to burn with it."""
        self.windows.add(at, good=good)
        # Runs for every event. Apart from `min_events`, a good event can start or end a burn only because earlier
        # events have left a window, which happens at the boundaries of buckets.
        if good and at < self._judge_good_from:
            return []
        lacks_events = self.windows.over(PAIRS[-1].short, at).bad and any(
            self.windows.over(pair.long, at).total < self.objective.min_events for pair in PAIRS
        )
        self._judge_good_from = -inf if lacks_events else (at // _FINEST + 1) * _FINEST
        return [pair for pair in PAIRS if self._begins(pair, at)]

    def _begins(self, pair: Pair, at: float) -> bool:
        """Return True if a new burn of a pair begins."""
        long, burn = self.windows.over(pair.long, at), self.burns.get(pair)
        if burn is not None and burn.lasts(long, at):
            return False
        if burning(long, self.windows.over(pair.short, at), pair, self.objective):
            self.burns[pair] = _Burn(pair, self.objective, at)
            return True
        self.burns.pop(pair, None)
        return False

    def burning_pairs(self, at: float) -> tuple[Pair, ...]:
        """Return the alert pairs whose long and short windows burn."""
        over = self.windows.over
        return tuple(p for p in PAIRS if burning(over(p.long, at), over(p.short, at), p, self.objective))


class TargetHistory:
    """All windows of one provider and model: its objectives, masked failures, and all attempts.

    ``clock``: as that of `SloTracker`; ``at`` is a time of this clock. ``fleet``: the fleet that shares the windows, if
    there is one.
    """

    def __init__(
        self,
        target: Target,
        objectives: Sequence[Objective],
        clock: Callable[[], float],
        stored: StoredWindows,
        fleet: Fleet | None = None,
    ) -> None:
        self.provider, self.model = target
        self.lock = threading.RLock()
        at, new_windows = clock(), Windows if fleet is None else FleetWindows
        self.tracked = [
            _ObjectiveWindows(
                objective,
                stored.restored((key_of(objective), *target), new_windows(at), at),
                stored.reported(objective, target, at),
            )
            for objective in objectives
            if objective.holds_for(*target)
        ]
        self._layers = {
            layer: [tracked for tracked in self.tracked if tracked.objective.layer == layer]
            for layer in ("attempts", "delivered")
        }
        self.masked = stored.restored((MASKED, *target), new_windows(at), at)
        self._reported: list[tuple[Key, Bucket]] = []
        """The burns that were reported and are not stored yet."""
        self.attempts = new_windows(at)
        """Attempts for the circuit breaker. An attempt is bad if the provider is to blame for its failure."""
        if fleet is not None:
            all_windows = (*self._stored(), (_ATTEMPTS, self.attempts))
            shared = {name: windows for name, windows in all_windows if isinstance(windows, FleetWindows)}
            self._replica = FleetHistory(fleet, target, shared, self.lock, clock)  # the fleet keeps a weak reference

    def record_attempt(self, attempt: AttemptRecord, at: float) -> list[Burn]:
        """Record an attempt that has ended. Return the burns that it started."""
        with self.lock:
            if attempt.blamed is not None or (attempt.failure is None and not attempt.given_up):
                self.attempts.add(at, good=attempt.blamed is None)
            return self._judge("attempts", lambda objective: judge_attempt(attempt, objective), at)

    def record_call(self, ended: CallEnded, at: float) -> list[Burn]:
        """Record a call that has ended. Return the burns that it started."""
        is_masked = masked(ended)
        with self.lock:
            if is_masked is not None:
                self.masked.add(at, good=not is_masked)
            return self._judge("delivered", lambda objective: judge_call(ended, objective), at)

    def _judge(self, layer: str, judge: Callable[[Objective], bool | None], at: float) -> list[Burn]:
        burns = []
        for tracked in self._layers[layer]:
            good = judge(tracked.objective)
            if good is not None:
                burns += [self._burn(tracked, pair, at) for pair in tracked.add(at, good=good)]
                for pair, burn in tracked.burns.items():
                    if burn.needs_mark(at):
                        self._mark(tracked.objective, pair, burn, at)
        return burns

    def _burn(self, tracked: _ObjectiveWindows, pair: Pair, at: float) -> Burn:
        objective, over = tracked.objective, tracked.windows.over
        return Burn(
            objective=objective,
            provider=self.provider,
            model=self.model,
            pair=pair,
            rate=burn_rate(over(pair.long, at), objective) or 0.0,
            budget_left=budget_left(over(objective.window, at), objective),
        )

    def mark_reported(self, burn: Burn, at: float) -> None:
        """Remember, for processes that read the store later, that a burn was reported."""
        with self.lock:
            current = next(
                (each.burns.get(burn.pair) for each in self.tracked if each.objective == burn.objective), None
            )
            ended = _Burn(burn.pair, burn.objective, at)  # a report that failed first may come after the end
            self._mark(burn.objective, burn.pair, current or ended, at)

    def _mark(self, objective: Objective, pair: Pair, burn: _Burn, at: float) -> None:
        """Store that a burn was reported, and lasts. Marks follow each other, because each counts for its window."""
        self._reported.append(((_report_key(objective, pair), self.provider, self.model), burn.mark(at)))

    def statuses(self, at: float) -> list[SloStatus]:
        """Return the status of every objective."""
        with self.lock:
            return [
                SloStatus(
                    objective=tracked.objective,
                    provider=self.provider,
                    model=self.model,
                    count=tracked.windows.over(tracked.objective.window, at),
                    counts={seconds: tracked.windows.over(seconds, at) for seconds in WINDOWS},
                    burning=tracked.burning_pairs(at),
                )
                for tracked in self.tracked
            ]

    def saved_by_recovery(self, at: float) -> Masked:
        """Return the count of delivered calls of the last 30 days. Those that only recovery saved count as bad."""
        with self.lock:
            return Masked(provider=self.provider, model=self.model, count=self.masked.over(30 * DAY, at))

    def tallies(self) -> list[SloCounts]:
        """Return the event counts of every objective since the process began."""
        objectives = [(tracked.objective.name, tracked.objective.layer, tracked.windows) for tracked in self.tracked]
        with self.lock:
            return [
                SloCounts(slo, layer, self.provider, self.model, windows.count)
                for slo, layer, windows in (*objectives, (MASKED, "delivered", self.masked))
            ]

    def unsaved(self) -> list[tuple[Key, Bucket]]:
        """Return the buckets with the events since `unsaved` was last called, and the burns that were reported.

        Each is returned once.
        """
        with self.lock:
            reported, self._reported = self._reported, []
            return reported + [
                ((name, self.provider, self.model), bucket)
                for name, windows in self._stored()
                for bucket in windows.unsaved()
            ]

    def _stored(self) -> list[tuple[str, Windows]]:
        return [*((key_of(tracked.objective), tracked.windows) for tracked in self.tracked), (MASKED, self.masked)]

    def attempt_counts(self, seconds: float, at: float) -> tuple[int, int]:
        """Return the number of failed attempts and of all attempts within the last ``seconds``."""
        with self.lock:
            count = self.attempts.over(seconds, at)
            return count.bad, count.total


class StoredWindows:
    """The buckets that earlier processes stored. ``rows``: those of a `Storage`."""

    def __init__(self, rows: Iterable[tuple[Key, Bucket]] = ()) -> None:
        self._buckets: dict[Key, list[Bucket]] = {}
        for key, bucket in rows:
            self._buckets.setdefault(key, []).append(bucket)

    def restored(self, key: Key, windows: Windows, at: float) -> Windows:
        """Return the new ``windows`` with the stored buckets of ``key``."""
        if key in self._buckets:
            windows.put_back(self._buckets[key], at)
        return windows

    def reported(self, objective: Objective, target: Target, at: float) -> dict[Pair, float]:
        """Return the pairs whose burn a process reported within their long window, with the time of the last report."""
        ends = {
            pair: max(bucket.start + bucket.width for bucket in buckets)
            for pair in PAIRS
            if (buckets := self._buckets.get((_report_key(objective, pair), *target)))
        }
        return {pair: min(end, at) for pair, end in ends.items() if end > at - pair.long}

    def targets(self) -> list[Target]:
        """Return the providers and models with stored events, those with the newest events last."""
        newest: dict[Target, int] = {}
        for (_, *target), buckets in self._buckets.items():
            key = (target[0], target[1])
            newest[key] = max(newest.get(key, 0), *(bucket.start for bucket in buckets))
        return sorted(newest, key=lambda target: newest[target])


def _report_width(pair: Pair) -> int:
    """Return the width of the bucket that stores the report of a burn: the store keeps it for the long window."""
    return next(width for width, span in RINGS if pair.long <= span)


def _report_key(objective: Objective, pair: Pair) -> str:
    return f"{key_of(objective)}{_REPORTED}{duration(pair.long)}"


def stored_objectives(keys: Iterable[Key]) -> set[str]:
    """Return the storage keys of the objectives among the keys of a store."""
    return {name for name, _, _ in keys if name != MASKED and _REPORTED not in name}


def key_of(objective: Objective) -> str:
    """Return the storage key of an objective: name, indicator and threshold, which decide the meaning of its counts."""
    return f"{objective.name} {objective.indicator} {objective.threshold or ''}".rstrip()

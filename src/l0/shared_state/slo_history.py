"""What is kept of one provider and model: windows for every objective, what was masked, and all attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l0.model.call_events import CallEnded
from l0.slo.burn import DAY, PAIRS, WINDOWS, Count, Pair, budget_left, burn_rate, burning
from l0.slo.judging import AttemptRecord, judge_attempt, judge_call, masked
from l0.slo.objective import MASKED, Objective
from l0.slo.rolling_windows import Bucket, Windows
from l0.slo.status_report import Burn, Masked, SloStatus

from .keyed import Target
from .slo_storage import Key, Storage


@dataclass(frozen=True, slots=True)
class SloCounts:
    """All events of one objective at one provider and model, since the process began."""

    slo: str
    layer: str
    provider: str
    model: str
    count: Count


class _ObjectiveWindows:
    """One objective at one provider and model. Under its target's lock."""

    __slots__ = ("burning", "objective", "windows")

    def __init__(self, objective: Objective, windows: Windows) -> None:
        self.objective = objective
        self.windows = windows
        self.burning: tuple[Pair, ...] = ()

    def add(self, at: float, *, good: bool) -> list[Pair]:
        """One event; the pairs that began to burn with it. Only a bad one can begin that."""
        self.windows.add(at, good=good)
        if good and not self.burning:
            return []
        before = self.burning
        self.burning = self.pairs(at)
        return [pair for pair in self.burning if pair not in before]

    def pairs(self, at: float) -> tuple[Pair, ...]:
        """Those that burn."""
        over = self.windows.over
        return tuple(p for p in PAIRS if burning(over(p.long, at), over(p.short, at), p, self.objective))


class TargetHistory:
    """What is kept of one provider and model: every objective that holds for it, what was masked, and all attempts."""

    def __init__(self, target: Target, objectives: Sequence[Objective], at: float, history: StoredWindows) -> None:
        self.provider, self.model = target
        self.lock = threading.RLock()
        self.kept = [
            _ObjectiveWindows(objective, history.windows((key_of(objective), *target), at))
            for objective in objectives
            if objective.holds_for(*target)
        ]
        self._layers = {
            layer: [kept for kept in self.kept if kept.objective.layer == layer] for layer in ("attempts", "delivered")
        }
        self.masked = history.windows((MASKED, *target), at)
        self.attempts = Windows(at)
        """For the breaker: bad is whatever is the provider's failure."""

    def attempt(self, attempt: AttemptRecord, at: float) -> list[Burn]:
        """An attempt is over."""
        with self.lock:
            if attempt.blamed is not None or (attempt.failure is None and not attempt.given_up):
                self.attempts.add(at, good=attempt.blamed is None)
            return self._judge("attempts", lambda objective: judge_attempt(attempt, objective), at)

    def call(self, ended: CallEnded, at: float) -> list[Burn]:
        """A call is over."""
        saved = masked(ended)
        with self.lock:
            if saved is not None:
                self.masked.add(at, good=not saved)
            return self._judge("delivered", lambda objective: judge_call(ended, objective), at)

    def _judge(self, layer: str, judge: Callable[[Objective], bool | None], at: float) -> list[Burn]:
        burns = []
        for kept in self._layers[layer]:
            good = judge(kept.objective)
            if good is not None:
                burns += [self._burn(kept, pair, at) for pair in kept.add(at, good=good)]
        return burns

    def _burn(self, kept: _ObjectiveWindows, pair: Pair, at: float) -> Burn:
        objective, over = kept.objective, kept.windows.over
        return Burn(
            objective=objective,
            provider=self.provider,
            model=self.model,
            pair=pair,
            rate=burn_rate(over(pair.long, at), objective) or 0.0,
            budget_left=budget_left(over(objective.window, at), objective),
        )

    def standings(self, at: float) -> list[SloStatus]:
        """How its objectives stand."""
        with self.lock:
            return [
                SloStatus(
                    objective=kept.objective,
                    provider=self.provider,
                    model=self.model,
                    count=kept.windows.over(kept.objective.window, at),
                    counts={seconds: kept.windows.over(seconds, at) for seconds in WINDOWS},
                    burning=kept.pairs(at),
                )
                for kept in self.kept
            ]

    def saved_by_recovery(self, at: float) -> Masked:
        """How many delivered calls of thirty days were."""
        with self.lock:
            return Masked(provider=self.provider, model=self.model, count=self.masked.over(30 * DAY, at))

    def tallies(self) -> list[SloCounts]:
        """All events so far."""
        named = [(kept.objective.name, kept.objective.layer, kept.windows) for kept in self.kept]
        with self.lock:
            return [
                SloCounts(slo, layer, self.provider, self.model, windows.count)
                for slo, layer, windows in (*named, (MASKED, "delivered", self.masked))
            ]

    def unsaved(self) -> list[tuple[Key, Bucket]]:
        """What storage has not seen yet."""
        named = [(key_of(kept.objective), kept.windows) for kept in self.kept]
        with self.lock:
            return [
                ((name, self.provider, self.model), bucket)
                for name, windows in (*named, (MASKED, self.masked))
                for bucket in windows.unsaved()
            ]

    def rate(self, seconds: float, at: float) -> tuple[int, int]:
        """Failed attempts and all attempts."""
        with self.lock:
            count = self.attempts.over(seconds, at)
            return count.bad, count.total


class StoredWindows:
    """What an earlier process has stored."""

    def __init__(self, storage: Storage | None = None) -> None:
        self._buckets: dict[Key, list[Bucket]] = {}
        for key, bucket in storage.load() if storage is not None else ():
            self._buckets.setdefault(key, []).append(bucket)

    def windows(self, key: Key, at: float) -> Windows:
        """Windows that begin with what is known."""
        windows = Windows(at)
        if key in self._buckets:
            windows.put_back(self._buckets[key], at)
        return windows


def key_of(objective: Objective) -> str:
    """By what its events are stored: with another indicator or threshold, other events were good."""
    return f"{objective.name} {objective.indicator} {objective.threshold or ''}".rstrip()

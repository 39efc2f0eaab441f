"""Sum up the calls of a process as they end, in bounded memory."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from l0.model.call import Call, Outcome
from l0.model.call_events import CallEnded, CallEvent
from l0.model.ports import CallObserver
from l0.model.text_safety import one_line
from l0.shared_state.forks import renew_in_child
from l0.shared_state.time_histogram import TimeHistogram
from l0.telemetry.call_phrases import LONGEST, UNKNOWN_PROVIDER, is_doubtful
from l0.telemetry.recovery_cost import RecoveryCost

from .call_summary import OTHER_MODELS, ModelSummary, Percentiles, Summary

MAX_MODELS = 100
"""Models that are summed up separately: their names come from requests, so their number must be bounded."""
MAX_REASONS = 10
"""Reasons of failed calls that are counted separately: some name a wait in seconds, so their number must be bounded."""
OTHER_REASONS = "other reasons"
HOPELESS = "another attempt could not succeed, or the server ruled it out"
"""The reason of a call that failed without one of the engine's stop reasons."""
_HEDGE = "hedge"
_WHOLE, _RECOVERED, _DOUBTFUL, _FAILED, _CANCELLED = "whole", "recovered", "doubtful", "failed", "cancelled"


class _ModelTally:
    """The calls of one model so far."""

    __slots__ = ("calls", "failed", "first_token", "gap", "input_tokens", "longest_gap", "output_tokens")

    def __init__(self) -> None:
        self.calls = self.failed = 0
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.first_token = TimeHistogram()
        self.gap = TimeHistogram()
        self.longest_gap: float | None = None

    def add(self, ended: CallEnded) -> None:
        self.calls += 1
        self.failed += ended.outcome is Outcome.FAILED
        if ended.metadata is not None:
            self.input_tokens = _sum(self.input_tokens, ended.metadata.input_tokens)
            self.output_tokens = _sum(self.output_tokens, ended.metadata.output_tokens)
        if ended.stream_stats is not None:
            if ended.stream_stats.first_chunk is not None:
                self.first_token.add(ended.stream_stats.first_chunk)
            if ended.stream_stats.gap_max > 0:
                self.gap.add(ended.stream_stats.gap_p95)
                self.longest_gap = max(self.longest_gap or 0.0, ended.stream_stats.gap_max)

    def summary(self, provider: str, model: str) -> ModelSummary:
        return ModelSummary(
            provider=provider,
            model=model,
            calls=self.calls,
            failed=self.failed,
            first_token=_percentiles(self.first_token),
            gap=_percentiles(self.gap),
            longest_gap=self.longest_gap,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )


class CallTally:
    """An observer that sums up calls. In a forked child it begins anew. ``clock``: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin anew. Calls that are running are not counted when they end."""
        self._lock = threading.RLock()
        self._began = self._clock()
        self._epoch = object()  # distinguishes the calls that began since then from earlier ones
        self._started = self._extra_requests = self._sdk_retries = self._wasted_tokens = self._unknown_waste = 0
        self._recovery_seconds = 0.0
        self._ended: Counter[str] = Counter()
        self._recovered: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._stopped: Counter[str] = Counter()
        self._models: dict[tuple[str, str], _ModelTally] = {}

    def observe(self, call: Call) -> _CallCount:
        """Return the observer of a call."""
        with self._lock:
            self._started += 1
            return _CallCount(self, call, self._epoch)

    def add(self, call: Call, ended: CallEnded, cost: RecoveryCost, epoch: object) -> None:
        """Add a call that has ended, unless the tally has begun anew since its start."""
        with self._lock:
            if epoch is not self._epoch:
                return
            kind = _kind(ended)
            self._ended[kind] += 1
            if kind == _RECOVERED:
                self._recovered[ended.failures[-1].cause.value if ended.failures else _HEDGE] += 1
            elif ended.failure is not None:
                self._failed[ended.failure.cause.value] += 1
                self._stopped[self._reason(ended)] += 1
            self._extra_requests += max(ended.attempts - 1, 0)
            self._sdk_retries += cost.sdk_retries(ended)
            self._recovery_seconds += cost.seconds
            self._wasted_tokens += ended.wasted_tokens or 0
            self._unknown_waste += cost.unknown_waste(ended)
            self._model(call).add(ended)

    def _reason(self, ended: CallEnded) -> str:
        """Return why a failed call made no further attempt."""
        reason = ended.stop_reason or HOPELESS
        return reason if reason in self._stopped or len(self._stopped) < MAX_REASONS else OTHER_REASONS

    def _model(self, call: Call) -> _ModelTally:
        provider = "" if call.provider == UNKNOWN_PROVIDER else call.provider
        key = (provider, one_line(call.model, LONGEST))
        if key not in self._models and len(self._models) >= MAX_MODELS:
            key = ("", OTHER_MODELS)
        return self._models.setdefault(key, _ModelTally())

    def summary(self) -> Summary:
        """Return the current counts."""
        with self._lock:
            calls = self._ended.total()
            models = [tally.summary(*key) for key, tally in self._models.items()]
            return Summary(
                process=os.getpid(),
                seconds=self._clock() - self._began,
                calls=calls,
                running=self._started - calls,
                whole=self._ended[_WHOLE],
                recovered=_most_first(self._recovered),
                doubtful=self._ended[_DOUBTFUL],
                failed=_most_first(self._failed),
                cancelled=self._ended[_CANCELLED],
                stopped=_most_first(self._stopped),
                extra_requests=self._extra_requests,
                sdk_retries=self._sdk_retries,
                recovery_seconds=self._recovery_seconds,
                wasted_tokens=self._wasted_tokens,
                unknown_waste=self._unknown_waste,
                models=tuple(sorted(models, key=lambda model: (model.model == OTHER_MODELS, -model.calls))),
            )


class _CallCount(CallObserver):
    """The observer of one call."""

    __slots__ = ("_call", "_cost", "_epoch", "_tally")

    def __init__(self, tally: CallTally, call: Call, epoch: object) -> None:
        self._tally = tally
        self._call = call
        self._cost = RecoveryCost(call)
        self._epoch = epoch

    def notify(self, event: CallEvent) -> None:
        self._cost.add(event)
        if isinstance(event, CallEnded):
            self._tally.add(self._call, event, self._cost, self._epoch)


def _sum(known: int | None, more: int | None) -> int | None:
    """Return the sum of two counts, either of which may be unknown."""
    return known if more is None else (known or 0) + more


def _kind(ended: CallEnded) -> str:
    match ended.outcome:
        case Outcome.FAILED:
            return _FAILED
        case Outcome.CANCELLED:
            return _CANCELLED
    if is_doubtful(ended):
        return _DOUBTFUL
    return _WHOLE if ended.outcome is Outcome.OK else _RECOVERED


def _most_first(counts: Counter[str]) -> Mapping[str, int]:
    return dict(counts.most_common())


def _percentiles(times: TimeHistogram) -> Percentiles:
    return Percentiles(p50=times.quantile(0.50), p95=times.quantile(0.95), p99=times.quantile(0.99))

"""Measure how an answer arrives, in O(1) time per read and O(1) memory. Created only for observed calls."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from math import hypot, sqrt
from typing import Any

from l0.model.call_events import LegStats, StreamStats
from l0.shared_state.time_histogram import BOUNDS, UPPER_BOUNDS, quantile

STALL_S = 10.0
"""Seconds without content, while reading, that are reported as a stall."""
_BATCH = 64
"""Gaps that are processed in one batch. Processing each at once would cost time per token."""

TIMELINE_BUCKETS = 64
"""The number of equal intervals into which a timeline divides a call."""
_SHORTEST_BUCKET_S = 0.05
"""The first width of the buckets of a timeline: 64 of them hold 3.2 s. It doubles when more time is needed."""


class StreamStatsRecorder:
    """The gaps between reads that brought content, and before a failure. A gap counts the time spent reading, not the
    consumer's time.

    Durations are in seconds. ``first_chunk`` counts from the start of the call, and ``first_content`` from that of the
    current attempt; ``last_chunk_at`` is a time of the monotonic clock. ``_batched``: the number of gaps in the current
    batch. ``_read_at``: the end of the last read. ``_program_s``, ``_read_s_before``, ``_stalls_before``: of the
    earlier attempts. ``_unfinished``: the time at which a read ended without bytes, and its seconds; ``None`` before.
    ``_gap_count``, ``_mean`` and ``_squared_deviations`` (a sum) describe the gaps of all earlier batches. ``_counts``
    and ``_max``: of the current leg; ``_legs``: the earlier ones. ``_stalls_of_legs``: the stalls of those.
    """

    __slots__ = (
        "_began",
        "_counts",
        "_batched",
        "_gaps",
        "_max",
        "_mean",
        "_gap_count",
        "_leg",
        "_legs",
        "_opened",
        "_program_s",
        "_read_at",
        "_read_s_before",
        "_squared_deviations",
        "_stalls_before",
        "_stalls_of_legs",
        "_unfinished",
        "_waited_s",
        "chunks",
        "first_chunk",
        "first_content",
        "held_s",
        "last_chunk_at",
        "stalls",
        "wire_bytes",
    )

    def __init__(self, began: float) -> None:
        self._began = began
        self._opened = began
        self._gaps = [0.0] * _BATCH
        self._batched = 0
        self._counts: dict[int, int] = {}
        self._max = self._mean = self._squared_deviations = self._waited_s = 0.0
        self._gap_count = 0
        self._program_s = self._read_s_before = 0.0
        self._read_at = began
        self._stalls_before = self._stalls_of_legs = self._leg = 0
        self._legs: tuple[LegStats, ...] = ()
        self._unfinished: tuple[float, float] | None = None
        self.chunks = 0
        self.stalls = 0
        self.wire_bytes = 0
        self.held_s = 0.0
        self.first_chunk: float | None = None
        self.last_chunk_at = began
        self.first_content: float | None = None

    def opened(self, started: float, leg: int = 0) -> None:
        """Record the headers of the attempt that was sent at ``started``, at a leg."""
        self._program_s = self._program_so_far()
        self._opened = started
        self._waited_s = 0.0
        self._unfinished = None
        self._read_s_before = self._read_s()
        if self._batched:
            self._add(self._gaps[: self._batched])
        self._stalls_before = self.stalls
        self.first_content = None
        if leg != self._leg:
            self._legs = (*self._legs, self._of_leg())
            self._stalls_of_legs, self._counts, self._max, self._leg = self.stalls, {}, 0.0, leg

    def _of_leg(self) -> LegStats:
        """Return the stalls and gaps of the current leg."""
        stalls = self.stalls - self._stalls_of_legs
        return LegStats(leg=self._leg, stalls=stalls, gap_max=self._max, gaps=_sized(self._counts, self._max))

    def _read_s(self) -> float:
        """Return the seconds spent reading after the first content, over all attempts."""
        return self._mean * self._gap_count + sum(self._gaps[: self._batched]) + self._waited_s

    def _program_so_far(self) -> float:
        """Return the seconds between reads, which passed in the program, over all attempts."""
        if self.first_content is None:
            return self._program_s
        since_first = self._read_at - self._opened - self.first_content
        return self._program_s + max(0.0, since_first - (self._read_s() - self._read_s_before))

    def read(self, at: float, seconds: float, content: int, raw: Any) -> None:
        """Record a read that took ``seconds``, ended at ``at`` and brought ``raw``. ``content``: its content deltas."""
        self._read_at = at
        if type(raw) is bytes:
            self.wire_bytes += len(raw)
        if not content:
            self._waited_s += seconds
            return
        gap = self._waited_s + seconds
        self._waited_s = 0.0
        if self.first_content is None:
            self.stalls += gap >= STALL_S
            self.first_content = at - self._opened
            return
        batched = self._batched
        self._gaps[batched] = gap
        self._batched = batched = batched + 1
        if batched == _BATCH:
            self._add(self._gaps)

    def read_stopped(self, at: float, seconds: float) -> None:
        """Record a read that took ``seconds``, and ended at ``at`` with the body, at a limit or with an exception."""
        self._unfinished = at, seconds

    def failed(self) -> None:
        """Record that the attempt failed: the silence before its failure is a gap, as it would be before content."""
        self._read_at, seconds = self._unfinished or (self._read_at, 0.0)
        gap, self._waited_s, self._unfinished = self._waited_s + seconds, 0.0, None
        if self.first_content is None:
            self.stalls += gap >= STALL_S
        elif gap > 0:
            self._add([*self._gaps[: self._batched], gap])

    def _add(self, gaps: list[float]) -> None:
        """Add a batch of gaps, sorted first so that equal buckets are counted together."""
        self._batched = 0
        gaps.sort()
        number, longest = len(gaps), gaps[-1]
        self.stalls += number - bisect_left(gaps, STALL_S)
        self._max = max(self._max, longest)
        counts, seen = self._counts, 0
        while seen < number:
            bucket = bisect_left(BOUNDS, gaps[seen])
            upto = bisect_right(gaps, UPPER_BOUNDS[bucket], seen)
            counts[bucket] = counts.get(bucket, 0) + upto - seen
            seen = upto
        self._merge(gaps, sum(gaps) / number)

    def _merge(self, gaps: list[float], mean: float) -> None:
        """Merge a batch into the mean and the deviations: Chan, Golub, LeVeque, "Updating Formulae", 1979, eq. 2.1b."""
        number = len(gaps)
        step, together = mean - self._mean, self._gap_count + number
        self._squared_deviations += (
            hypot(*[gap - mean for gap in gaps]) ** 2 + step * step * self._gap_count * number / together
        )
        self._mean += step * number / together
        self._gap_count = together

    def delivered(self, chunks: int, at: float, *, with_failure: bool = False) -> None:
        """Record ``chunks`` objects delivered to the user at ``at``. ``with_failure``: together with the exception, so
        that they are not the beginning of an answer."""
        if self.first_chunk is None and not with_failure:
            self.first_chunk = at - self._began
        self.last_chunk_at = at
        self.chunks += chunks

    def withdrawn(self) -> None:
        """Forget the delivery of an answer that its consumer has dropped unseen."""
        self.first_chunk = None
        self.chunks = 0
        self.held_s = 0.0

    def result(self, at: float) -> StreamStats:
        """Return the statistics, once the call is over."""
        program_s = self._program_so_far()
        if self._waited_s >= STALL_S:
            self.stalls += 1
        if self._batched:
            self._add(self._gaps[: self._batched])
        deviation = sqrt(self._squared_deviations / self._gap_count) if self._gap_count else 0.0
        legs = (*self._legs, self._of_leg())
        longest = max(leg.gap_max for leg in legs)
        gaps = legs[0].gaps if len(legs) == 1 else _together(legs)
        steady = 100.0 * (1.0 - deviation / self._mean) if self._mean > 0 else 100.0
        return StreamStats(
            chunks=self.chunks,
            first_chunk=self.first_chunk,
            last_chunk=self.last_chunk_at - self._began if self.first_chunk is not None else None,
            first_content=self.first_content,
            duration=at - self._began,
            stalls=self.stalls,
            stalls_of_last=self.stalls - self._stalls_before,
            gap_max=longest,
            gap_p50=quantile(gaps, 0.50 * self._gap_count),
            gap_p95=quantile(gaps, 0.95 * self._gap_count),
            gap_p99=quantile(gaps, 0.99 * self._gap_count),
            jitter=deviation,
            smoothness=max(0.0, steady),
            wire_bytes=self.wire_bytes,
            held_s=self.held_s,
            program_s=program_s,
            gaps=gaps,
            legs=legs if self._legs else (),
        )


def _sized(counts: dict[int, int], longest: float) -> tuple[tuple[float, int], ...]:
    """Return pairs of gap size and count, smallest first. ``counts``: by bucket."""
    return tuple((min(UPPER_BOUNDS[bucket], longest), counts[bucket]) for bucket in sorted(counts))


def _together(legs: tuple[LegStats, ...]) -> tuple[tuple[float, int], ...]:
    """Return the gaps of all legs, smallest first."""
    counts: Counter[float] = Counter()
    for leg in legs:
        counts.update(dict(leg.gaps))
    return tuple(sorted(counts.items()))


class TimelineRecorder(StreamStatsRecorder):
    """Counts the content deltas over time as well, on request: it costs one more call per read, and O(1) memory.

    The buckets begin with the call, so that a picture of them can be drawn above that of the call's attempts.
    """

    __slots__ = ("_buckets", "_width_s")

    def __init__(self, began: float) -> None:
        super().__init__(began)
        self._buckets = [0] * TIMELINE_BUCKETS
        self._width_s = _SHORTEST_BUCKET_S

    def read(self, at: float, seconds: float, content: int, raw: Any) -> None:
        """Record a read."""
        super().read(at, seconds, content, raw)
        if content:
            bucket = int((at - self._began) / self._width_s)
            while bucket >= TIMELINE_BUCKETS:
                self._halve()
                bucket //= 2
            self._buckets[bucket] += content

    def _halve(self) -> None:
        """Join every two buckets, so that all of them cover twice the time."""
        buckets = self._buckets
        joined = [buckets[at] + buckets[at + 1] for at in range(0, TIMELINE_BUCKETS, 2)]
        self._buckets = joined + [0] * (TIMELINE_BUCKETS // 2)
        self._width_s *= 2

    def result(self, at: float) -> StreamStats:
        """Return the statistics with the timeline up to the last content."""
        used = max((bucket for bucket, count in enumerate(self._buckets, 1) if count), default=0)
        return replace(super().result(at), timeline=tuple(self._buckets[:used]), timeline_bucket=self._width_s)

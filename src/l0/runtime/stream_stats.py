"""Measure how an answer arrives, in O(1) time per read and O(1) memory. Created only for observed calls."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from math import hypot, sqrt
from typing import Any

from l0.model.call_events import StreamStats
from l0.shared_state.time_histogram import BOUNDS, WITHIN, quantile

STALL = 10.0
"""Seconds without content, while reading, that are reported as a stall."""
_BATCH = 64
"""Gaps that are processed in one batch. Processing each at once would cost time per token."""

TIMELINE_BUCKETS = 64
_SHORTEST_BUCKET = 0.05
"""Width in s of the buckets of a timeline at first: 64 of them hold 3.2 s. It doubles when more time is needed."""


class StreamStatsRecorder:
    """The gaps between reads that brought content. A gap counts the time spent reading, not the consumer's time."""

    __slots__ = (
        "_began",
        "_counts",
        "_fresh",
        "_gaps",
        "_max",
        "_mean",
        "_number",
        "_opened",
        "_spread",
        "_waiting",
        "chunks",
        "first_chunk",
        "first_content",
        "held_s",
        "last",
        "stalls",
        "wire_bytes",
    )

    def __init__(self, began: float) -> None:
        self._began = began
        self._opened = began
        self._gaps = [0.0] * _BATCH
        self._fresh = 0
        self._counts: dict[int, int] = {}
        self._max = self._mean = self._spread = self._waiting = 0.0
        self._number = 0
        self.chunks = 0
        self.stalls = 0
        self.wire_bytes = 0
        self.held_s = 0.0
        self.first_chunk: float | None = None
        self.last = began
        self.first_content: float | None = None

    def opened(self, started: float) -> None:
        """Record that an attempt was sent at ``started``."""
        self._opened = started
        self._waiting = 0.0
        self.first_content = None

    def read(self, at: float, seconds: float, content: int, raw: Any) -> None:
        """Record a read that took ``seconds``, ended at ``at`` and brought ``raw``. ``content``: its content deltas."""
        if type(raw) is bytes:
            self.wire_bytes += len(raw)
        if not content:
            self._waiting += seconds
            return
        gap = self._waiting + seconds
        self._waiting = 0.0
        if self.first_content is None:
            self.stalls += gap >= STALL
            self.first_content = at - self._opened
            return
        fresh = self._fresh
        self._gaps[fresh] = gap
        self._fresh = fresh = fresh + 1
        if fresh == _BATCH:
            self._add(self._gaps)

    def _add(self, gaps: list[float]) -> None:
        """Add a batch of gaps, sorted first so that equal buckets are counted together."""
        self._fresh = 0
        gaps.sort()
        number, longest = len(gaps), gaps[-1]
        self.stalls += number - bisect_left(gaps, STALL)
        self._max = max(self._max, longest)
        counts, seen = self._counts, 0
        while seen < number:
            bucket = bisect_left(BOUNDS, gaps[seen])
            upto = bisect_right(gaps, WITHIN[bucket], seen)
            counts[bucket] = counts.get(bucket, 0) + upto - seen
            seen = upto
        self._spread_by(gaps, sum(gaps) / number)

    def _spread_by(self, gaps: list[float], mean: float) -> None:
        """Merge the spread of two samples: Chan, Golub and LeVeque, "Updating Formulae", 1979, equation 2.1b."""
        number = len(gaps)
        step, together = mean - self._mean, self._number + number
        self._spread += hypot(*[gap - mean for gap in gaps]) ** 2 + step * step * self._number * number / together
        self._mean += step * number / together
        self._number = together

    def delivered(self, chunks: int, at: float) -> None:
        """Record ``chunks`` objects delivered to the user at ``at``."""
        if self.first_chunk is None:
            self.first_chunk = at - self._began
        self.last = at
        self.chunks += chunks

    def result(self, at: float) -> StreamStats:
        """Return the statistics, once the call is over."""
        if self._waiting >= STALL:
            self.stalls += 1
        if self._fresh:
            self._add(self._gaps[: self._fresh])
        deviation = sqrt(self._spread / self._number) if self._number else 0.0
        gaps = [(WITHIN[bucket], self._counts[bucket]) for bucket in sorted(self._counts)]
        if gaps:
            gaps[-1] = (min(gaps[-1][0], self._max), gaps[-1][1])
        steady = 100.0 * (1.0 - deviation / self._mean) if self._mean > 0 else 100.0
        return StreamStats(
            chunks=self.chunks,
            first_chunk=self.first_chunk,
            last_chunk=self.last - self._began if self.first_chunk is not None else None,
            first_content=self.first_content,
            duration=at - self._began,
            stalls=self.stalls,
            gap_max=self._max,
            gap_p50=quantile(gaps, 0.50 * self._number),
            gap_p95=quantile(gaps, 0.95 * self._number),
            gap_p99=quantile(gaps, 0.99 * self._number),
            jitter=deviation,
            smoothness=max(0.0, steady),
            wire_bytes=self.wire_bytes,
            held_s=self.held_s,
            gaps=tuple(gaps),
        )


class TimelineRecorder(StreamStatsRecorder):
    """Counts the content deltas over time as well, on request: it costs one more call per read, and O(1) memory.

    The intervals begin with the call, so that a strip of them lines up with its attempts.
    """

    __slots__ = ("_buckets", "_width")

    def __init__(self, began: float) -> None:
        super().__init__(began)
        self._buckets = [0] * TIMELINE_BUCKETS
        self._width = _SHORTEST_BUCKET

    def read(self, at: float, seconds: float, content: int, raw: Any) -> None:
        """Record a read."""
        super().read(at, seconds, content, raw)
        if content:
            bucket = int((at - self._began) / self._width)
            while bucket >= TIMELINE_BUCKETS:
                self._halve()
                bucket //= 2
            self._buckets[bucket] += content

    def _halve(self) -> None:
        """Join every two buckets, so that twice the time fits."""
        buckets = self._buckets
        joined = [buckets[at] + buckets[at + 1] for at in range(0, TIMELINE_BUCKETS, 2)]
        self._buckets = joined + [0] * (TIMELINE_BUCKETS // 2)
        self._width *= 2

    def result(self, at: float) -> StreamStats:
        """Return the statistics with the timeline up to the last content."""
        used = max((bucket for bucket, count in enumerate(self._buckets, 1) if count), default=0)
        return replace(super().result(at), timeline=tuple(self._buckets[:used]), timeline_bucket=self._width)

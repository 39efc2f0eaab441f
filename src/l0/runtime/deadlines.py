"""The time limits of a stream as deadlines. They only compute: callers pass the time, and act on a passed deadline.

Time counts only while the engine reads, so that a slow consumer is not taken for a stall. Only ``total`` always runs.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import inf
from typing import Protocol

from l0.model.failure import Cause, Failure
from l0.model.policy import Timeout

from .recorded_silence import RecordedSilence

_LIMITS = {
    Cause.NO_HEADERS: ("headers", "initial_token"),
    Cause.FIRST_CONTENT_TIMEOUT: ("first content", "initial_token"),
    Cause.STALLED: ("further content", "inter_token"),
    Cause.DEAD: ("sign of life", "liveness"),
    Cause.TOTAL_TIMEOUT: ("whole answer", "total"),
}
"""The event that was late, and the field of `Timeout` that limits it, by cause."""
_SDKS_RETRY = (Cause.NO_HEADERS, Cause.FIRST_CONTENT_TIMEOUT)
"""Deadlines of a request that has not been answered: the SDKs retry a request that timed out."""
_BACKLOG_S = 0.1
"""Seconds of reading without content that are allowed after a limit, to read the data that has queued up."""
_TIMER_SLACK_S = 0.02
"""Seconds by which a limit may exceed a recorded silence and still have ended it: a timer may be as much early, and the
times of recordings are rounded."""
_START_SLACK_S = 0.5
"""As `_TIMER_SLACK_S`, for limits that count from the start of the attempt or the call: a recording starts when the
request reaches the transport, which takes long for the first request of a process."""
_REPORTED_DELAY_S = 0.5
"""Seconds. If an expired deadline was noticed later than this, the message says how much later."""

Usual = Callable[[float | None], float | None]
"""A function that returns the shorter of a limit and the usual time, in seconds; ``None`` is no limit."""


def _unchanged(limit: float | None) -> float | None:
    return limit


class CallDeadlines:
    """The deadlines of one call. Times are in seconds of the monotonic clock; ``inf`` is no deadline.

    ``_content_left``: the seconds of reading that remain until content must arrive. ``_content_due`` and
    ``_sign_of_life_due``: the deadlines of the current read for content and for any bytes. ``_waiting_since``: the time
    at which the current request or read began; ``None`` while the consumer has the control. ``_request_cause``: the
    cause of the failure if a request that is being sent is late; ``None`` while a body is read. ``_sent_at``: the
    time at which the attempt was sent. ``_empty_reads``: the number of reads since the last one with content.
    ``_in_one_piece``: the answer to the request that is being sent does not stream.
    """

    __slots__ = (
        "_sign_of_life_due",
        "began",
        "_has_content",
        "_first",
        "_first_limit",
        "_in_one_piece",
        "_gap_limit",
        "_content_left",
        "_empty_reads",
        "_liveness_limit",
        "_content_due",
        "_request_cause",
        "_sent_at",
        "_waiting_since",
        "_total_at",
    )

    def __init__(self, timeout: Timeout, began: float) -> None:
        self.began = began
        """The time at which the call began."""
        self._sent_at = began
        self._first = self._first_limit = _seconds(timeout.initial_token)
        self._gap_limit = _seconds(timeout.inter_token)
        self._liveness_limit = _seconds(timeout.liveness)
        self._total_at = began + _seconds(timeout.total)
        self._content_left = inf
        self._empty_reads = 0
        self._has_content = self._in_one_piece = False
        self._request_cause: Cause | None = None
        self._waiting_since: float | None = None
        self._content_due = self._sign_of_life_due = inf

    def sending(
        self, at: float, usual: Usual = _unchanged, *, first: bool = True, cause: Cause = Cause.NO_HEADERS
    ) -> float:
        """Start a request. Return the deadline of its headers, or of its whole answer; ``inf`` if none.

        ``first``: the limit for the first content applies. ``cause``: the cause of the failure if it is exceeded.
        """
        self._set_first_limit(usual)
        self._content_due = at + self._first_limit if first else inf
        self._sign_of_life_due, self._in_one_piece = inf, False
        self._request_cause, self._waiting_since, self._sent_at = cause, at, at
        return min(self._content_due, self._total_at)

    def in_one_piece(self) -> None:
        """Drop the limit for the first content, because the answer to the current request does not stream: only
        ``total`` limits it."""
        self._content_due, self._in_one_piece = inf, True

    def opened(self, started: float, at: float, usual: Usual = _unchanged) -> None:
        """Record the headers of an attempt sent at ``started``. The wait for them counts towards the first content."""
        self._set_first_limit(usual)
        self._content_left = inf if self._in_one_piece else self._first_limit - (at - started)
        self._has_content, self._request_cause = False, None
        self._waiting_since, self._sent_at = None, started

    def _set_first_limit(self, usual: Usual) -> None:
        first = usual(self._first if self._first < inf else None)
        self._first_limit = inf if first is None else first

    def idle(self) -> None:
        """Forget the previous read: its limits do not count while the consumer works, nor for a read that does not
        wait."""
        self._waiting_since, self._content_due = None, inf

    def reading(self, at: float) -> float:
        """Start a read that waits. Return its deadline; ``inf`` if none."""
        self._waiting_since = at
        self._content_due = at + self._content_left
        self._sign_of_life_due = at + self._liveness_limit
        return min(self._content_due, self._sign_of_life_due, self._total_at)

    def read(self, at: float, content: bool, since: float = 0.0) -> bool:
        """Record a read that began at ``since``, with or without content. Return True if the call is out of time.

        Available data is read first: if a limit passed during a read, ``_BACKLOG_S`` seconds remain for content behind
        it. A flood of frames without content, whose reads never wait, gets no more than that.
        """
        if content:
            self._content_left = self._gap_limit
            self._has_content = True
            self._empty_reads = 0
        else:
            read_began = since or (at if self._waiting_since is None else self._waiting_since)
            left = self._content_left - (at - read_began)
            self._content_left = left if self._content_left <= 0 else max(left, 0.0)
            self._empty_reads += 1
        self._waiting_since = None
        return at >= self._total_at or self._content_left < -_BACKLOG_S

    def skip(self, at: float, silence: RecordedSilence) -> bool:
        """Move all deadlines as if a recorded silence had passed by now, in no time.

        Return False, without a change, if no deadline would have passed.
        """
        if self._request_cause is None:
            self.reading(at)
        silences_s = silence.silences_s
        skipped = max(silence.waited_s - (at - self._sent_at), 0.0)
        total_at = self._total_at - skipped
        first_due = content_due = self._content_due - skipped
        if self._has_content:  # reads without content may have been played in no time, so the recording's times count
            content_due = at + self._gap_limit - silences_s[min(self._empty_reads, len(silences_s) - 1)]
            first_due = inf
        sign_of_life_due = self._sign_of_life_due - silences_s[0]
        late, slack_s = at - min(total_at, content_due, sign_of_life_due), _TIMER_SLACK_S
        if late < -slack_s:
            late, slack_s = at - min(total_at, first_due), _START_SLACK_S
        if late < -slack_s:
            return False
        slack = min(late, 0.0)
        self.began -= skipped - slack
        self._total_at = total_at + slack
        self._content_due, self._sign_of_life_due = content_due + slack, sign_of_life_due + slack
        return True

    def of_parallel_attempt(self, skipped_s: float) -> CallDeadlines:
        """Return deadlines for an attempt that runs beside others of the call: only the total time is common.

        ``skipped_s``: the seconds of a recorded silence that count as passed before the attempt is sent.
        """
        deadlines = copy(self)
        deadlines.began -= skipped_s
        deadlines._total_at -= skipped_s
        return deadlines

    @property
    def due(self) -> float:
        """The deadline of the current request or read."""
        return min(self._content_due, self._sign_of_life_due, self._total_at)

    def passed(self, at: float) -> bool:
        """Return True if the deadline of the current read has passed."""
        return at >= self.due

    @property
    def unlimited(self) -> bool:
        """True if the whole call has no time limit."""
        return self._total_at == inf

    @property
    def total_at(self) -> float:
        """The time at which the whole call is out of time; ``inf`` if never."""
        return self._total_at

    def passed_total(self, at: float) -> bool:
        """Return True if the whole call is out of time."""
        return at >= self._total_at

    def expired(self, at: float) -> Cause:
        """Return the cause of the deadline that has passed."""
        if at >= self._total_at:
            return Cause.TOTAL_TIMEOUT
        if self._request_cause is not None:
            return self._request_cause
        if self._content_due <= self._sign_of_life_due or self._content_left < 0:
            return Cause.STALLED if self._has_content else Cause.FIRST_CONTENT_TIMEOUT
        return Cause.DEAD

    def failure(self, at: float, cause: Cause | None = None) -> Failure:
        """Return the failure for a passed deadline, with its limit and the delay with which it was noticed."""
        cause = self.expired(at) if cause is None else cause
        awaited, field = _LIMITS[cause]
        due = {Cause.TOTAL_TIMEOUT: self._total_at, Cause.DEAD: self._sign_of_life_due}.get(cause, self._content_due)
        limits = {
            Cause.TOTAL_TIMEOUT: self._total_at - self.began,
            Cause.DEAD: self._liveness_limit,
            Cause.STALLED: self._gap_limit,
        }
        limit = limits.get(cause, self._first_limit)
        adapted = field == "initial_token" and limit != self._first
        limited_by = "Policy.adaptive" if adapted else f"Timeout.{field}"
        usual = "what is usual here, " if adapted else ""
        message = f"no {awaited} within {1000 * limit:,.0f} ms ({usual}{limited_by})"
        late = 0.0 if self._waiting_since is None else at - max(due, self._waiting_since)
        if late > _REPORTED_DELAY_S:  # nothing could interrupt the wait
            message += f"; noticed {late:.1f} s later"
        return Failure(cause=cause, message=message, sdk_retries=cause in _SDKS_RETRY, policy_field=limited_by)


def _seconds(milliseconds: float | None) -> float:
    return inf if milliseconds is None else milliseconds / 1000


class Deadlines(Protocol):
    """A source of read deadlines: `CallDeadlines`, a fixed time, or a limit for each read."""

    def idle(self) -> None:
        """Forget the limits of the previous read."""
        ...

    def reading(self, at: float, /) -> float:
        """Start a read. Return its deadline; ``inf`` if none."""
        ...


class FixedDeadline:
    """A single deadline, for every read."""

    __slots__ = ("_deadline",)

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def idle(self) -> None:
        """Do nothing: every read has the same deadline."""

    def reading(self, _: float, /) -> float:
        """Return the deadline."""
        return self._deadline

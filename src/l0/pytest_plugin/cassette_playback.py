"""Play one recorded answer: its reads, the waits before them, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from .cassette_entry import CassetteAnswer
from .recorded_errors import make_error


@dataclass(frozen=True, slots=True, kw_only=True)
class CassettePlayback:
    """An answer to play.

    ``read_timeout_s``: the read timeout of the request. ``ended_early``: called if the client reads past the point at
    which the recorded client closed the answer; returns the exception to raise, or raises one itself. ``silent``: as
    ``ended_early``, if the recorded client stopped waiting; it gets the seconds since the request, and
    `RecordedSilence.silences_s`.
    """

    answer: CassetteAnswer
    speed: float
    transport: ModuleType
    read_timeout_s: float | None
    ended_early: Callable[[], Exception]
    silent: Callable[[float, Sequence[float]], BaseException]

    def head(self) -> Iterator[tuple[float, bytes | None]]:
        """Yield the wait before the headers, in the form of `body`. Raises the recorded exception if none came."""
        answer = self.answer
        yield from self._step((answer.head_ms if answer.status is not None else answer.end_ms), None)
        if answer.status is None:
            raise self._silence((0.0,)) if answer.end == "gave_up" else make_error(answer.error, self.transport)

    def body(self) -> Iterator[tuple[float, bytes | None]]:
        """Yield the seconds to wait before each read, and its bytes; ``None``: only wait. Raises as the reads did."""
        answer = self.answer
        at_ms = answer.head_ms
        for read_ms, part in answer.reads:
            yield from self._step(read_ms - at_ms, part)
            at_ms = read_ms
        if answer.end == "closed":
            raise self.ended_early()
        yield from self._step(answer.end_ms - at_ms, None)
        if answer.end == "gave_up":
            raise self._silence([read_ms for read_ms, _ in reversed(answer.reads)] or [answer.head_ms])
        if answer.end == "error":
            raise make_error(answer.error, self.transport)

    def _silence(self, since_ms: Sequence[float]) -> BaseException:
        end_ms = self.answer.end_ms
        return self.silent(end_ms / 1_000, [(end_ms - at_ms) / 1_000 for at_ms in since_ms])

    def _step(self, wait_ms: float, part: bytes | None) -> Iterator[tuple[float, bytes | None]]:
        wait_s = max(wait_ms, 0.0) / 1_000 / self.speed
        limit_s = self.read_timeout_s
        if limit_s is not None and wait_s > limit_s:
            yield limit_s, None
            raise self.transport.ReadTimeout("The read operation timed out")
        yield wait_s, part

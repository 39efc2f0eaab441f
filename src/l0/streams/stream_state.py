"""Hold the progress of a call for the user of its stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from l0.migration import CheckpointAliases, StateAliases
from l0.model.call_events import ResponseMetadata
from l0.model.failure import Failure
from l0.model.rule import Violation

if TYPE_CHECKING:
    from .source_reader import SourceReader


@dataclass(frozen=True, slots=True)
class Checkpoint(CheckpointAliases):
    """A point in an answer. ``text``: the answer up to there, joined on access. ``pieces``: for L0's own use."""

    pieces: list[str]
    tokens: int
    """The number of text pieces up to this point, as they were delivered."""

    @property
    def text(self) -> str:
        """The answer up to this point."""
        return "".join(self.pieces[: self.tokens])


@dataclass(slots=True, kw_only=True)
class State(StateAliases):
    """The progress of a call, updated while the stream is read.

    ``interval``: tokens between two checkpoints. ``attempts``: requests made. ``leg``: index of the source that serves,
    0 for the primary. ``restarts``: how often the answer started again (``resume="restart"``). ``violations``: findings
    of guardrails and drift rules. ``completed``, ``aborted``, ``error``: how the call ended; unset while it is under
    way. ``context``: as given to the call. ``reader``, ``history``, ``delivered_chars``, ``earlier_text``, ``waits``:
    for L0's own use.
    """

    interval: int = 10
    attempts: int = 0
    leg: int = 0
    restarts: int = 0
    violations: list[Violation] = field(default_factory=list)
    completed: bool = False
    aborted: bool = False
    error: BaseException | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    reader: SourceReader | None = field(default=None, repr=False)
    history: Callable[[], Sequence[Failure]] = field(default=tuple, repr=False)
    delivered_chars: Callable[[], int | None] = field(default=lambda: None, repr=False)
    """Return the number of characters that are delivered; ``None`` for all that have arrived."""
    earlier_text: str = field(default="", repr=False)
    """The text that earlier attempts delivered."""
    waits: bool = field(default=False, repr=False)
    """True between two attempts, when ``reader`` is that of the attempt that failed."""
    _began: float = field(default_factory=perf_counter, repr=False)
    _ended: float | None = field(default=None, repr=False)
    _checkpoint: str | None = field(default=None, repr=False)

    @property
    def content(self) -> str:
        """The delivered text of the answer so far. Each access joins only the text that is new since the last one."""
        reader, chars = self.reader, self._delivered_chars
        if reader is None or self.waits or chars == 0:
            return self.earlier_text
        return reader.resume_state().text if chars is None else reader.first_text(chars)

    @property
    def _delivered_chars(self) -> int | None:
        return None if self.completed else self.delivered_chars()

    @property
    def tokens(self) -> int:
        """The number of text pieces so far, as the provider split them. `CheckIntervals` counts these pieces."""
        return len(self.reader.text) if self.reader is not None else 0

    @property
    def metadata(self) -> ResponseMetadata:
        """The provider's metadata of the answer, as far as it has arrived: model, finish reasons, usage. A finish
        reason that has not arrived is ``"error"``."""
        return self.reader.metadata() if self.reader is not None else ResponseMetadata()

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from the call to the arrival of the answer's first content, retries included; ``None`` before."""
        first_content = self.reader.first_content if self.reader is not None else None
        return None if first_content is None else first_content - self._began

    @property
    def failures(self) -> list[Failure]:
        """The failures of the call's attempts so far, in order."""
        return list(self.history())

    @property
    def retries(self) -> int:
        """The number of requests after the first, including those to fallbacks."""
        return max(self.attempts - 1, 0)

    @property
    def checkpoint(self) -> str:
        """The answer up to the last multiple of ``CheckIntervals.checkpoint`` tokens; all of it once it is complete.

        Can be set: ``state.checkpoint = ""`` forgets the text.
        """
        if self._checkpoint is not None:
            return self._checkpoint
        reader, chars = self.reader, self._delivered_chars
        if reader is None or self.completed or self.waits or chars == 0:
            return self.content
        tokens = self.tokens if chars is None else reader.pieces_within(chars)
        return reader.checkpoint.first(reader.text, tokens - tokens % self.interval)

    @checkpoint.setter
    def checkpoint(self, text: str) -> None:
        self._checkpoint = text

    @property
    def duration(self) -> float:
        """Seconds from the call to its end, or until now."""
        return (perf_counter() if self._ended is None else self._ended) - self._began

    @property
    def over(self) -> bool:
        """True if the call has ended, for any reason."""
        return self._ended is not None

    def end(self, *, completed: bool = False, aborted: bool = False, error: BaseException | None = None) -> None:
        """Record the end of the call. Only the first end counts."""
        if self._ended is None:
            self._ended = perf_counter()
            self.completed, self.aborted, self.error = completed, aborted, error

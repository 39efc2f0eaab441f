"""Resume a broken answer: drop the part that the user has, and deliver what is new.

The *same* answer again (``exact``) is followed until it reaches the point that the user's reached. Its text must be
the same, and is counted in characters, since it may be split differently; everything else is counted in events. A
*continuation* (``prefill``, ``splice``) is another answer: its beginning is not delivered, and its end is.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from l0.model.failure import Cause, Failure
from l0.model.resume_state import ResumeState
from l0.wire.json_decode import parse

from .base_reader import BaseReader
from .overlap import Diverged, OverlapMatcher, overlap_matcher


class ResumableReader(BaseReader):
    """A reader that can continue where an earlier one stopped. Dialects define what their events carry."""

    _resume_state: ResumeState | None = None
    _joint: OverlapMatcher | None = None
    _joined = True
    _exact = False

    # -- defined by a dialect ---------------------------------------------------------------------------------------

    @abstractmethod
    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:
        """Decode and apply a wire event. Return ``None`` if the user gets nothing for it. May raise (`read_event`).

        ``event``: the JSON of ``data``; ``None`` if it is not parsed yet, or if the fast parser rejects it: then use
        `decode`.
        """

    def dressed(self, name: bytes | None, event: Any) -> Any:  # noqa: ARG002
        """Return the event as the SDK's own loop delivers it: some are wrapped, or get their name as a field."""
        return event

    @abstractmethod
    def piece(self, event: Any) -> str | None:
        """Return the text of the answer that an event carries; ``None`` for an event of another kind."""

    @abstractmethod
    def with_piece(self, event: Any, text: str) -> Any:
        """Return the same event with other text. May change it in place."""

    @abstractmethod
    def carrier(self) -> Any:
        """Return an event without text, as a carrier for text."""

    @abstractmethod
    def ends(self, event: Any) -> bool:
        """Return whether an event without text belongs to the end of an answer, not to its beginning."""

    @abstractmethod
    def renamed(self, event: Any, resume_state: ResumeState) -> Any:
        """Return the event with the ids and numbers of the user's answer, which must not change in its middle."""

    def opening(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events that must precede the first new text of a continuation."""
        return []

    def closing(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events that must precede the end of a continuation without text of its own."""
        return []

    def marks(self) -> dict[str, Any]:
        """Return the values that must stay the same until the end of the answer."""
        return {}

    # -- the fence --------------------------------------------------------------------------------------------------

    def read_event(self, name: bytes | None, data: bytes) -> Any:
        """Return the user's object for one wire event, or ``None``.

        Whatever reading an event raises ends here, and the event itself is delivered.
        """
        # The parser and the constructor are called here, as a function around each costs two calls per token.
        try:
            event = parse(data)
        except ValueError:
            event = None
        try:
            event = self.decode_event(name, data, event)
        except Exception:
            event = self._unlearnt(name, data)
        if event is None:
            return None
        self.events += 1
        try:
            return self.build(event)
        except Exception as error:
            return self.malformed(error)

    def _unlearnt(self, name: bytes | None, data: bytes) -> Any:
        event = self.decode(data)
        if event is None:
            return None
        event = self.dressed(name, event)
        self.unlearnt(name, event)
        return event

    # -- the joint --------------------------------------------------------------------------------------------------

    @property
    def structure(self) -> int:
        """Number of events so far that carried no text of the answer."""
        return self.events - len(self.text)

    def resume_state(self) -> ResumeState:
        """Return the part of the answer that the user has."""
        resume_state = self._resume_state
        if resume_state is not None and not self._joined:
            return resume_state
        name = resume_state.response_id if resume_state is not None else self.response_id
        return ResumeState(text="".join(self.text), shape=self.structure, response_id=name, marks=self.marks())

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """Continue an earlier attempt, whose part the user must not get again."""
        self._resume_state = resume_state
        self._joint = overlap_matcher(strategy, resume_state.text)
        self._joined = False
        self._exact = strategy == "exact"
        if not self._exact:
            self.text = [resume_state.text]

    def read_resumed(self, name: bytes | None, data: bytes) -> list[Any]:
        """As `read_event`, for an attempt that resumes an earlier one: return what is new in one wire event."""
        try:
            event = self.decode_event(name, data, None)
        except Exception:
            event = self._unlearnt(name, data)
        self.events += event is not None
        resume_state, meeting = self._resume_state, self._joint
        if event is None or resume_state is None or meeting is None:
            return []
        typed = self.failure is not None and self.failure.typed  # the user's only sign of the failure: never dropped
        try:
            events = [event] if self._joined or typed else self._join(event, meeting, resume_state)
        except Diverged:
            self._diverged(resume_state)
            return []
        built = [self.construct(self.renamed(one, resume_state)) for one in events]
        return [item for item in built if item is not None]

    def finish(self) -> None:
        """End the body: an answer that did not reach the point that the user's reached is another answer."""
        if self._resume_state is None or self._joined or self.failure is not None or self.missing() is not None:
            return
        meeting, same = self._joint, self.structure == self._resume_state.shape
        if self._exact and meeting is not None and not (meeting.reached and same):
            self._diverged(self._resume_state)

    def _diverged(self, resume_state: ResumeState) -> None:
        message = f"the new answer differs from the {len(resume_state.text)} characters that were handed over"
        self.fail(Failure(cause=Cause.DIVERGED, message=message))

    def _join(self, event: Any, meeting: OverlapMatcher, resume_state: ResumeState) -> list[Any]:
        text = self.piece(event)
        if self._exact:
            return self._same(event, text, meeting, resume_state)
        if text:
            self.text.pop()  # count only the part that the user gets
            new = meeting.pass_on(text)
            return self._begin(self.with_piece(event, new), new, resume_state) if new else []
        return self._end(event, meeting, resume_state) if self.ends(event) else []

    def _same(self, event: Any, text: str | None, meeting: OverlapMatcher, resume_state: ResumeState) -> list[Any]:
        if not text:
            if self.structure <= resume_state.shape:
                return []
            meeting.flush()
            self._joined = True
            return [event]
        new = meeting.pass_on(text)
        if not new:
            return []
        if self.structure < resume_state.shape:
            raise Diverged  # text where the user already has what follows it
        self._joined = True
        return [self.with_piece(event, new)]

    def _begin(self, event: Any, text: str, resume_state: ResumeState) -> list[Any]:
        self._joined = True
        self.text.append(text)
        return [*self.opening(resume_state), event]

    def _end(self, event: Any, meeting: OverlapMatcher, resume_state: ResumeState) -> list[Any]:
        rest = meeting.flush()
        if rest:
            return [
                *self._begin(self.with_piece(self.carrier(), rest), rest, resume_state),
                *self.finishing(resume_state),
                event,
            ]
        self._joined = True
        return [*self.closing(resume_state), event]

    def finishing(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events between text that was held until the end and the end."""
        return []

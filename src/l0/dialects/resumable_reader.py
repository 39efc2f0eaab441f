"""Resume a broken answer: drop the part that the user has, and deliver what is new.

With ``exact`` the provider repeats the same answer. The reader drops everything that the user already has: it compares
the text by characters, because a provider may split it differently, and counts all other events. With ``prefill`` and
``splice`` the provider continues in a new answer: the reader drops the events before its text, and delivers those
after.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from l0.model.failure import Cause, Failure
from l0.model.resume_state import ResumeState
from l0.wire.json_decode import parse

from . import deltas
from .base_reader import BaseReader
from .overlap import Diverged, OverlapMatcher, overlap_matcher

_CONTENT = deltas.TextDelta | deltas.RefusalDelta | deltas.ToolCallDelta | deltas.AudioDelta | deltas.CompleteItem
"""Content of a continuation. The user needs it, unlike the beginning and the reasoning of the continuation."""


class ResumableReader(BaseReader):
    """A reader that can continue the answer of an earlier one. Subclasses define the events of their dialect."""

    _resume_state: ResumeState | None = None
    _matcher: OverlapMatcher | None = None
    _joined = True
    """True for an attempt that starts an answer, and once a resumed attempt has got past what the user already has."""
    _exact = False
    _strips_prefill = False
    """True if the request for a prefill must not end with white space."""

    # -- defined by a dialect ---------------------------------------------------------------------------------------

    @abstractmethod
    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:
        """Decode and apply a wire event. Return the decoded event; ``None`` if the user gets nothing for it.

        May raise, because `read_event` handles exceptions. ``event``: the decoded JSON of ``data``; ``None`` if it is
        not parsed yet, or if the fast parser rejects it: then call `decode`.
        """

    def sdk_event(self, name: bytes | None, event: Any) -> Any:  # noqa: ARG002
        """Return the event as the SDK's own loop delivers it: the SDKs wrap some events, or add the name as a field."""
        return event

    @abstractmethod
    def event_text(self, event: Any) -> str | None:
        """Return the text of the first choice in an event; ``None`` for an event of another kind."""

    @abstractmethod
    def with_text(self, event: Any, text: str) -> Any:
        """Return the same event with other text. May change it in place."""

    @abstractmethod
    def empty_text_event(self) -> Any:
        """Return a text event with empty text, which `with_text` replaces."""

    @abstractmethod
    def ends(self, event: Any) -> bool:
        """Return True if an event without text belongs to the end of an answer, not to its beginning."""

    def split_end(self, event: Any) -> Any:  # noqa: ARG002
        """Remove from an event with text all that follows the text. Return an event with that; ``None`` if there is
        none."""
        return None

    def event_deltas(self, event: Any) -> list[deltas.Delta]:  # noqa: ARG002
        """Return the deltas of an event. Empty in dialects whose answers can only be repeated."""
        return []

    def continue_numbers(self, event: Any, rest: str, resume_state: ResumeState) -> None:
        """Number the events of a continuation from this one on, the first that the user gets, so that they follow those
        of the first attempt. ``rest``: new text that precedes the event."""

    @abstractmethod
    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:
        """Return the event with the ids and numbers of the first attempt, which the user's answer keeps to its end."""

    @abstractmethod
    def states_no_limit(self) -> bool:
        """Return True if the answer states that the model ended it, not a limit or a filter, or if it states no
        reason. A reason that is unknown may be a limit."""

    def opening(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events that must precede the first new text of a continuation."""
        return []

    def closing(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events that must precede the end, or other content, of a continuation without text."""
        return []

    def reader_state(self) -> dict[str, Any]:
        """Return the values for `ResumeState.reader_state`."""
        return {}

    # -- reading ----------------------------------------------------------------------------------------------------

    def read_event(self, name: bytes | None, data: bytes) -> Any:
        """Return the user's object for one wire event, or ``None``.

        If reading the event raises an exception, the user still gets the event.
        """
        # This calls the parser and the constructor directly: `decode` and `construct` would cost two calls per token.
        try:
            event = parse(data)
        except ValueError:
            event = None
        try:
            event = self.decode_event(name, data, event)
        except Exception:
            event = self._unreadable(name, data)
        if event is None:
            return None
        self.events += 1
        try:
            return self.build(event)
        except Exception as error:
            return self.malformed(error)

    def _unreadable(self, name: bytes | None, data: bytes) -> Any:
        event = self.decode(data)
        if event is None:
            return None
        event = self.sdk_event(name, event)
        self.record_unreadable(name, event)
        return event

    # -- resuming ---------------------------------------------------------------------------------------------------

    @property
    def other_events(self) -> int:
        """Number of events so far that carried no text of the answer."""
        return self.events - len(self.text)

    @property
    def ended(self) -> bool:
        """True after an event that ends the answer. False in dialects whose answers can only be repeated."""
        return False

    def resume_state(self) -> ResumeState:
        """Return the part of the answer that the user has received."""
        resume_state = self._resume_state
        if resume_state is not None and not self._joined:
            return resume_state
        name = resume_state.response_id if resume_state is not None else self.response_id
        return ResumeState(
            text="".join(self.text),
            other_events=self.other_events,
            ended=self.ended,
            response_id=name,
            reader_state=self.reader_state(),
        )

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """Continue an earlier attempt without repeating what the user has received."""
        self._resume_state = resume_state
        self._matcher = overlap_matcher(strategy, resume_state.text, stripped=self._strips_prefill)
        self._joined = False
        self._exact = strategy == "exact"
        if not self._exact:
            self.text = [resume_state.text]

    def read_resumed(self, name: bytes | None, data: bytes) -> list[Any]:
        """Return the objects for what is new in one wire event of an attempt that resumes an earlier one."""
        try:
            event = self.decode_event(name, data, None)
        except Exception:
            event = self._unreadable(name, data)
        self.events += event is not None
        resume_state, matcher = self._resume_state, self._matcher
        if resume_state is None or matcher is None:
            return []
        try:
            joined = self._joined and event is not None
            events = [event] if joined else self._new_events(event, matcher, resume_state)
        except Diverged:
            self._diverged(resume_state)
            return []
        built = [self.construct(self.with_first_ids(event, resume_state)) for event in events]
        return [item for item in built if item is not None]

    def _new_events(self, event: Any, matcher: OverlapMatcher, resume_state: ResumeState) -> list[Any]:
        """Return the events to deliver for one event; ``None`` stands for a wire event without one. Raises
        `Diverged`."""
        if event is None:
            held = self.finished and self.failure is None and not self._joined and not self._exact
            return self._join_rest(matcher.flush(), resume_state) if held else []
        if self.failure is not None and self.failure.typed:
            return [event]  # nothing else reports the failure to the user
        # The end that the user already has came with this text, so it is not delivered apart from it.
        end = None if resume_state.ended else self.split_end(event)
        events = self._join(event, matcher, resume_state)
        if end is None:
            return events
        self.events += 1
        return events + ([end] if self._joined else self._join(end, matcher, resume_state))

    def finish(self) -> None:
        """Process the end of the body. Fail if a tool call breaks off, or if a repeated answer ends before the end of
        the part that the user has."""
        if self.tools and self.states_no_limit():
            self.check_tool_arguments()
        if self._resume_state is None or self._joined:
            return
        if self.failure is not None or self.incomplete_cause() is not None:
            return
        matcher, same = self._matcher, self.other_events == self._resume_state.other_events
        if self._exact and matcher is not None and not (matcher.reached and same):
            self._diverged(self._resume_state)

    def _diverged(self, resume_state: ResumeState) -> None:
        part = f"{len(resume_state.text)} characters" if resume_state.text else f"{resume_state.other_events} events"
        message = f"the new answer differs from the {part} that were delivered"
        self.fail(Failure(cause=Cause.DIVERGED, message=message))

    def _join(self, event: Any, matcher: OverlapMatcher, resume_state: ResumeState) -> list[Any]:
        """Return the events to deliver for an event that the user may already have in part. Raises `Diverged`."""
        text = self.event_text(event)
        if self._exact:
            return self._join_repeated(event, text, matcher, resume_state)
        if text:
            self.text.pop()  # `_start_text` adds the part that the user gets
            new = matcher.pass_on(text)
            if not new:
                return []
            self.continue_numbers(event, "", resume_state)
            return self._start_text(self.with_text(event, new), new, resume_state)
        if self.ends(event) or any(isinstance(delta, _CONTENT) for delta in self.event_deltas(event)):
            return self._join_other(event, matcher.flush(), resume_state)
        return []

    def _join_repeated(
        self, event: Any, text: str | None, matcher: OverlapMatcher, resume_state: ResumeState
    ) -> list[Any]:
        if not text:
            if self.other_events <= resume_state.other_events:
                return []
            matcher.flush()
            self._joined = True
            return [event]
        new = matcher.pass_on(text)
        if not new:
            return []
        if self.other_events < resume_state.other_events:
            raise Diverged  # new text, although the user already has events that follow it
        self._joined = True
        return [self.with_text(event, new)]

    def _start_text(self, event: Any, text: str, resume_state: ResumeState) -> list[Any]:
        self._joined = True
        self.text.insert(1, text)  # after the text of the first attempt
        return [*self.opening(resume_state), event]

    def _join_other(self, event: Any, rest: str, resume_state: ResumeState) -> list[Any]:
        """Return the events for the end of a continuation, or for content other than text. ``rest``: text that was held
        back until then."""
        self.continue_numbers(event, rest, resume_state)
        if rest:
            return [*self._join_rest(rest, resume_state), event]
        self._joined = True
        return [*self.closing(resume_state), event]

    def _join_rest(self, rest: str, resume_state: ResumeState) -> list[Any]:
        if not rest:
            return []
        event = self.with_text(self.empty_text_event(), rest)
        return [*self._start_text(event, rest, resume_state), *self.finishing(resume_state)]

    def finishing(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        """Return the events that must come between text that was held back, and the end or other content."""
        return []

"""Read one attempt: items of a source in, events out. One class is both the parser and the reader of the drivers.

`feed` is hot: it runs once per token. For a source of plain text it is the single function `_text`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from l0.dialects.overlap import Diverged, ExactReplay, OverlapMatcher, overlap_matcher
from l0.dialects.provider_errors import cause_of_codes
from l0.model.call_events import ResponseMetadata
from l0.model.errors import raised
from l0.model.failure import Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import ToolCallText
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import log_unread

from .adapters import ADAPTERS, Adapter, Decoder
from .decoders.delta_decoder import DeltaDecoder
from .joined_text import JoinedText
from .source_failures import MISTAKES
from .source_observer import SourceCallObserver
from .stream_events import Event, EventType, UnknownStreamError

_log = logging.getLogger("l0")
END = object()
"""The item that follows the last item of a source."""
_TOKEN = EventType.TOKEN
_event = tuple.__new__  # a NamedTuple's own constructor costs three times as much
_CONTENT = (EventType.TOKEN, EventType.REASONING, EventType.MESSAGE, EventType.TOOL_CALL, EventType.DATA)


def _tokens(text: list[str]) -> Callable[[Any], Event | None]:
    """Return the function for the drivers' tight loop: it turns a piece of text into an event and appends it to
    ``text``."""
    append = text.append

    def token(item: Any) -> Event | None:
        if type(item) is not str or not item:
            return None
        append(item)
        return _event(Event, (_TOKEN, item, None))

    return token


class SourceReader:
    """The reader of one attempt. ``raw``: deliver the source's own items instead of events.

    ``sdk_call``: the observer of the request below, if the source uses a patched SDK: the engine there has read the
    wire, so its result takes precedence over the items. ``order``: `Policy.order`. ``_known``: 1 if the first piece of
    ``text`` was delivered by an earlier attempt. ``_others``: number of content events other than text. ``_summed``,
    ``_chars``: the number of pieces of ``text`` that have been measured, and their length.
    """

    __slots__ = (
        "accepted",
        "disordered",
        "failure",
        "feed",
        "finished",
        "first_content",
        "single_text",
        "other",
        "stopped",
        "_adapter",
        "text",
        "tools",
        "joined",
        "checkpoint",
        "_chars",
        "_counted",
        "_decoder",
        "_feed_rest",
        "_inner_metadata",
        "_resume_state",
        "_matcher",
        "_known",
        "_opening",
        "_others",
        "_over",
        "_plain",
        "_raw",
        "_summed",
        "_sdk_call",
        "_order",
        "_unread",
    )

    resumes = True
    end = END

    def __init__(
        self,
        sdk_call: SourceCallObserver,
        *,
        order: OrderMode = "evidence",
        raw: bool = False,
        adapter: Adapter | None = None,
    ) -> None:
        self._adapter = adapter
        self.text: list[str] = []
        self.tools: dict[Any, ToolCallText] = {}  # a source has no request with a schema to check
        self._others = self._known = self._summed = self._chars = 0
        self.other = False  # every kind of content of a source has an event, so `content` counts it
        self.accepted = self.disordered = False
        self.finished = False
        self.stopped = False
        self._plain = True
        self.failure: Failure | None = None
        self._raw = raw
        self._sdk_call = sdk_call
        self._order = order
        self._unread = False
        """An item could not be read, so parts of a tool call may be missing."""
        self._inner_metadata = ResponseMetadata()
        self.first_content: float | None = None
        """The time at which the first content arrived."""
        self._decoder: Decoder | None = None
        self._matcher: OverlapMatcher | None = None
        self._resume_state: ResumeState | None = None
        self.joined, self.checkpoint = JoinedText(), JoinedText()
        self._counted = (0, 0)
        """The number of pieces that `pieces_within` has counted, and their length."""
        self._opening: list[Event] = []
        """Events to deliver before those of the first item."""
        self._over = False
        self.feed: Callable[[Any], list[Any]] = self._first
        self._feed_rest = self.feed
        """The function that reads the items after the first content."""
        self.single_text: Callable[[Any], Event | None] | None = None if raw or adapter else _tokens(self.text)

    @property
    def reader(self) -> SourceReader:
        """The reader itself, which the drivers access by this name."""
        return self

    @property
    def content(self) -> int:
        """The number of content pieces so far, text or not."""
        return len(self.text) - self._known + self._others

    @property
    def resumable(self) -> bool:
        """True if only text and reasoning have arrived, and no other content has begun. Raw items cannot be cut where
        the user's text ends, so they are not resumed."""
        return self._plain and not self._raw and not (self._decoder is not None and self._decoder.has_pending)

    @property
    def chars(self) -> int:
        """The number of text characters so far; computed on access."""
        new = self.text[self._summed :]
        if new:
            self._chars += sum(map(len, new))
            self._summed += len(new)
        return self._chars

    # -- items ------------------------------------------------------------------------------------------------------

    def _first(self, item: Any) -> list[Any]:
        """Select the adapter by the first item, and return the events of that item."""
        if isinstance(item, str) and self._adapter is None:
            self._feed_rest = self._any if self._raw or self._matcher is not None else self._text
        else:
            if item is not END and not isinstance(item, Event):
                self._choose_decoder(item)
            self._feed_rest = self._any
        self.feed = self._until_content
        opening, self._opening = self._opening, []
        return opening + self.feed(item) if opening and not self._raw else self.feed(item)

    def _until_content(self, item: Any) -> list[Any]:
        """Return the events of an item. At the first content, record the time and replace this function as `feed`."""
        events = self._feed_rest(item)
        if self.content:
            self.feed = self._feed_rest
            if self.first_content is None:
                self.first_content = perf_counter()
        return events

    def _choose_decoder(self, item: Any) -> None:
        try:
            adapter = self._adapter or ADAPTERS.find(item)
            self._decoder = adapter.decoder() if adapter is not None else None
            if adapter is not None and not ADAPTERS.is_built_in(adapter):
                self._sdk_call.adapted(adapter.name)
            if isinstance(self._decoder, DeltaDecoder) and self._sdk_call.one_choice:
                self._decoder.expect_one_choice()
        except Exception as error:  # the adapter may be user code
            self._fail(Failure(cause=Cause.LOCAL, message="an adapter failed at the first item", error=error))

    def _text(self, item: Any) -> list[Any]:
        if type(item) is str:
            if not item:
                return []
            self.text.append(item)
            return [_event(Event, (_TOKEN, item, None))]
        return self._any(item)

    def _any(self, item: Any) -> list[Any]:
        try:
            events = self._ended() if item is END else self._decoded(item)
        except UnknownStreamError as error:
            message = "no adapter recognizes the items of this source"
            self._fail(Failure(cause=Cause.UNKNOWN, message=message, error=error))
            return []
        except Diverged:
            self._fail(Failure(cause=Cause.DIVERGED, message="the new answer differs from the delivered text"))
            return []
        except Exception as error:
            if not isinstance(self._decoder, DeltaDecoder):  # the adapter is user code, whose author needs the error
                self._fail(_adapter_failure(error))
                return []
            log_unread("an item of a stream")
            self._unread = True
            events = []
        if self._raw:
            return [item] if item is not END else []
        return events

    def _decoded(self, item: Any) -> list[Event]:
        if self._decoder is not None:
            events: Sequence[Event] = self._decoder.decode(item)
        elif isinstance(item, str):
            events = [Event(_TOKEN, item)] if item else []
        elif isinstance(item, Event):
            events = [item]
        else:
            raise ADAPTERS.unknown(item, "an item of the stream")
        return [new for event in events if (new := self._apply(event)) is not None]

    def _ended(self) -> list[Event]:
        """Return the last events: text that was held while the overlap was compared, and the completion of the
        answer.

        Nothing is read afterwards. The rules check the complete answer before these events are delivered.
        """
        self._over = self.finished = self.stopped = True
        self._check_tool_arguments()
        rest = self._matcher.flush() if self._matcher is not None and self.incomplete_cause() is None else ""
        if rest:
            self.text.append(rest)
        events = [Event(_TOKEN, rest)] if rest else []
        complete = self.incomplete_cause() is None and self.failure is None
        return [*events, Event(EventType.COMPLETE, "", self.metadata())] if complete else events

    def _check_tool_arguments(self) -> None:
        """Fail if the arguments of a tool call break off, though the answer states that it is complete."""
        if self._breaks_off:
            message = "the arguments of a tool call break off, though the answer states that it is complete"
            self._fail(Failure(cause=Cause.TRUNCATED, message=message))

    @property
    def _breaks_off(self) -> bool:
        if self._sdk_call.metadata is not None or self._order == "off" or self._unread:
            return False
        return isinstance(self._decoder, DeltaDecoder) and self._decoder.breaks_off()

    def _apply(self, event: Event) -> Event | None:
        """Count an event and return what is new in it for the user, if anything. An error event fails the attempt."""
        if event.type is _TOKEN:
            return self._apply_token(event)
        if event.type is EventType.ERROR:
            self._failed_in_band(event)
            return None
        if event.type is EventType.COMPLETE:
            if isinstance(event.data, ResponseMetadata):  # the source is another L0 stream
                self._inner_metadata = event.data
            return None  # the engine decides when an answer is complete
        if event.type in _CONTENT:
            self._others += 1
            self._plain = self._plain and event.type is EventType.REASONING
        return event

    def _apply_token(self, event: Event) -> Event | None:
        if self._matcher is None:
            self.text.append(event.text)
            return event
        new = self._matcher.pass_on(event.text)
        self.text.append(event.text if type(self._matcher) is ExactReplay else new)
        return Event(_TOKEN, new) if new else None

    def _failed_in_band(self, event: Event) -> None:
        error = event.data if isinstance(event.data, BaseException) else None
        code = event.data if isinstance(event.data, str) else None
        self._fail(Failure(cause=cause_of_codes(code), detail=event.text, code=code, error=error))

    def _fail(self, failure: Failure) -> None:
        if self.failure is None:
            self.failure = failure
            self.stopped = True

    # -- for the engine ---------------------------------------------------------------------------------------------

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        """Resume an earlier attempt: drop what the user already has, or emit the event for a restart."""
        self.single_text = None  # each item has to be checked
        self._resume_state = resume_state
        if strategy == "restart":
            self._opening = [Event(EventType.RESTART)]
            return
        self._matcher = overlap_matcher(strategy, resume_state.text)
        if type(self._matcher) is not ExactReplay:
            self.text = [resume_state.text]
            self._known = self._summed = 1

    def finish(self) -> None:
        """Do nothing: `feed` has already checked the end of the source."""

    @property
    def _repeats(self) -> bool:
        """True while the attempt has nothing new for a user who has the text of an earlier one."""
        if self._resume_state is None:
            return False
        return bool(self._opening) if self._matcher is None else not self._matcher.reached

    def resume_state(self) -> ResumeState:
        """Return the text that the user has."""
        if self._repeats and self._resume_state is not None:
            return self._resume_state
        return ResumeState(text=self.joined.first(self.text, len(self.text)))

    def first_text(self, chars: int) -> str:
        """Return the first characters of the text of `resume_state`. Each call joins only the pieces that are new."""
        if self._repeats:
            return self.resume_state().text[:chars]
        pieces = self.pieces_within(chars)
        text, rest = self.joined.first(self.text, pieces), chars - self._counted[1]
        return text + self.text[pieces][:rest] if rest and pieces < len(self.text) else text

    def pieces_within(self, chars: int) -> int:
        """Return the number of pieces that are completely within the first characters."""
        text = self.text
        pieces, upto = self._counted if self._counted[1] <= chars else (0, 0)
        while pieces < len(text) and upto + len(text[pieces]) <= chars:
            upto += len(text[pieces])
            pieces += 1
        self._counted = (pieces, upto)
        return pieces

    def incomplete_cause(self) -> Cause | None:
        """Return the cause of failure of an incomplete answer; ``None`` if it is complete.

        An empty answer is incomplete. Any other answer is complete if its items prove it, if a patched SDK below has
        received it completely, or if its items cannot show completeness and the source has ended.
        """
        if not self.content:
            return Cause.EMPTY
        try:
            complete = self._decoder.is_complete() if self._decoder is not None else None
        except Exception as error:  # the adapter may be user code
            self._fail(Failure(cause=Cause.LOCAL, message="an adapter failed at the end of the answer", error=error))
            return Cause.LOCAL
        if complete is None:  # the items do not show it, so the end of the source does
            complete = self._over
        return None if complete or self._sdk_call.metadata is not None else Cause.TRUNCATED

    def certainly_complete(self) -> bool:
        """Return True if the answer is complete although its source raised. A failure in a patched SDK below rules
        that out."""
        if self.incomplete_cause() is not None or self._sdk_call.failure is not None or self._breaks_off:
            return False
        return not isinstance(self._decoder, DeltaDecoder) or self._decoder.certainly_complete()

    def metadata(self) -> ResponseMetadata:
        """Return the provider's metadata: from the patched SDK below, else from the items."""
        sdk_metadata = self._sdk_call.metadata
        if sdk_metadata is not None:
            return sdk_metadata
        try:
            if self._decoder is not None:
                return self._decoder.metadata()
            return self._inner_metadata
        except Exception:  # the adapter may be user code, and the answer is valid without metadata
            _log.warning("an adapter failed to return the metadata of an answer: %s", raised())
            return ResponseMetadata()


def _adapter_failure(error: Exception) -> Failure:
    """Return the failure for an exception of the user's adapter: a mistake in its code, or an item that it rejects."""
    if isinstance(error, MISTAKES):
        return Failure(cause=Cause.LOCAL, message="an adapter failed at an item", error=error)
    return Failure(cause=Cause.MALFORMED, message="an item is not of the expected shape", error=error)

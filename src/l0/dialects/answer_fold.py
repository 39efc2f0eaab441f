"""Combine the deltas of an answer into its metadata and its tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from l0.model.call_events import ResponseMetadata, ToolCalls

from . import deltas
from .deltas import Delta, ToolCallDelta
from .tool_arguments import breaks_off
from .tool_places import ToolPlaces
from .wire_dialect import WireDialect, add_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteAnswer:
    """A non-streaming answer. ``text``: the text of the first choice; ``calls``: the tool calls of all choices."""

    metadata: ResponseMetadata | None = None
    text: str = field(default="", repr=False)
    calls: ToolCalls = field(default=(), repr=False)


class AnswerFold:
    """The state of one answer after the deltas so far. A tool call moves from ``open_calls`` to ``calls`` when it ends.

    ``ended``: the terminal event came. ``breaks_off``: the arguments of a tool call break off, although the finish
    reason says that the model completed the answer.
    """

    def __init__(self, dialect: WireDialect) -> None:
        self._dialect = dialect
        self._response_id: str | None = None
        self._model: str | None = None
        self._counts: dict[str, int] = {}
        self._extra: dict[str, str] = {}
        self._choices: set[int] = set()
        self._reasons: dict[int, str] = {}
        self.complete_choices: set[int] = set()
        self.ended_last: set[int] = set()
        """The complete choices whose finish reason came in an event without content, after all content."""
        self.ended = self.breaks_off = False
        self.open_calls: dict[Any, ToolCallDelta] = {}
        self.calls: list[ToolCallDelta] = []
        self._latest: dict[int, Any] = {}
        """The place of the latest call of each choice, in a dialect in which only the next call ends it."""
        self._places = ToolPlaces() if dialect.tool_call_ends_at_next else None

    def add(self, delta: Delta) -> None:
        """Add one delta."""
        match delta:
            case deltas.StartDelta():
                self._response_id = self._response_id or delta.response_id
                self._model = self._model or delta.model
                self._extra.update(delta.extra)
            case deltas.UsageDelta():
                add_counts(self._counts, delta.counts)
                self._extra.update(delta.extra)
            case deltas.ToolCallDelta():
                self._choices.add(delta.choice)
                self.ended_last.clear()
                self._add_call(delta)
            case deltas.ToolArgumentsDelta(place=place, arguments=arguments):
                if (call := self.open_calls.get(place)) is not None:
                    self.open_calls[place] = replace(call, arguments=call.arguments + arguments)
            case deltas.ToolCallEnd(place=place, call=complete):
                self._end_call(place, complete or self.open_calls.get(place))
            case deltas.FinishDelta():
                self._finish(delta)
            case deltas.AnswerEnd():
                self.ended = True
            case deltas.OpenCallsDropped():
                self.open_calls.clear()
            case deltas.ItemStart() | deltas.ImagePreview() | deltas.FileCitation() | deltas.AnswerError():
                pass
            case _:
                self._choices.add(delta.choice)
                if self.ended_last:
                    self.ended_last.clear()

    def _add_call(self, delta: ToolCallDelta) -> None:
        place = delta.place if self._places is None else self._places.place_of(delta)
        call = self.open_calls.get(place)
        if call is not None and delta.id and call.id and delta.id != call.id:  # a new call reuses the index
            self.open_calls[place, len(self.calls), len(self.open_calls)] = self.open_calls.pop(place)
        elif call is not None:
            self.open_calls[place] = replace(
                call,
                id=delta.id or call.id,
                name=delta.name or call.name,
                arguments=call.arguments + delta.arguments,
            )
            return
        if self._dialect.tool_call_ends_at_next:
            earlier = self._latest.get(delta.choice)
            self._latest[delta.choice] = place
            self._end_call(earlier, self.open_calls.get(earlier))
        self.open_calls[place] = delta

    def _end_call(self, place: Any, call: ToolCallDelta | None) -> None:
        """End the call at a place. A call that breaks off stays open, because proxies end some calls too early."""
        if call is None:
            return
        if _breaks_off(call):
            self.open_calls[place] = call
        else:
            self.open_calls.pop(place, None)
            self.calls.append(call)

    def _finish(self, delta: deltas.FinishDelta) -> None:
        self._choices.add(delta.choice)
        self._reasons[delta.choice] = delta.reason
        if not delta.ends:
            return
        self.complete_choices.add(delta.choice)
        (self.ended_last.add if delta.alone else self.ended_last.discard)(delta.choice)
        places = [place for place, call in self.open_calls.items() if call.choice == delta.choice]
        ended = [self.open_calls.pop(place) for place in places]
        self.calls += ended
        if delta.reason in self._dialect.complete_reasons and any(map(_breaks_off, ended)):
            self.breaks_off = True

    def certainly_complete(self) -> bool:
        """Return True if the answer is complete even if its connection broke: no content can follow."""
        return self.ended or (bool(self._choices) and self._choices == self.ended_last)

    def complete(self) -> bool:
        """Return True if the terminal event came, or every choice that has started has its finish reason."""
        return self.ended or (bool(self._choices) and self._choices == self.complete_choices)

    def metadata(self, *, has_other_content: bool = False) -> ResponseMetadata:
        """Return the metadata of the deltas. The finish reason of a choice without one is ``"error"``.

        ``has_other_content``: as in `ResponseMetadata`.
        """
        reasons = tuple(self._reasons.get(choice, "error") for choice in sorted(self._choices))
        response_id, model = self._response_id or None, self._model or None
        return metadata_of(
            self._dialect, response_id, model, self._counts, reasons, self._extra, has_other_content=has_other_content
        )


def _breaks_off(call: ToolCallDelta) -> bool:
    return not call.free_text and breaks_off(call.arguments)


def metadata_of(
    dialect: WireDialect,
    response_id: str | None,
    model: str | None,
    counts: Mapping[str, int],
    reasons: tuple[str, ...],
    extra: Mapping[str, str],
    anomalies: tuple[str, ...] = (),
    *,
    has_other_content: bool = False,
) -> ResponseMetadata:
    """Return the metadata of an answer, streamed or complete."""
    tokens = dict(counts)
    if dialect.input_excludes_cached:
        parts = [tokens[name] for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens") if name in tokens]
        if parts:
            tokens["input_tokens"] = sum(parts)
    return ResponseMetadata(
        response_id=response_id,
        model=model,
        finish_reasons=reasons,
        input_tokens=tokens.get("input_tokens"),
        output_tokens=tokens.get("output_tokens"),
        cache_read_tokens=tokens.get("cache_read_tokens"),
        cache_write_tokens=tokens.get("cache_write_tokens"),
        reasoning_tokens=tokens.get("reasoning_tokens"),
        anomalies=anomalies,
        extra=dict(extra),
        has_other_content=has_other_content,
    )


def complete_answer(dialect: WireDialect, answer: Mapping[str, Any]) -> CompleteAnswer:
    """Read the JSON of a complete answer. Values of a shape that the dialect does not have are ignored."""
    fold = AnswerFold(dialect)
    text: list[str] = []
    for delta in dialect.answer_deltas(answer):
        fold.add(delta)
        if isinstance(delta, deltas.TextDelta) and delta.choice == 0:
            text.append(delta.text)
    calls = [*fold.calls, *fold.open_calls.values()]
    return CompleteAnswer(
        metadata=fold.metadata(has_other_content=dialect.holds_other(answer)),
        text="".join(text),
        calls=tuple((call.name, call.arguments) for call in calls),
    )

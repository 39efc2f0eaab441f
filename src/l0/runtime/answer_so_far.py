"""The answer of a call as far as it has come: what has arrived, what the user has of it, and what can be resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from l0.engine.machine import Machine
from l0.engine.signals import EarlyRelease
from l0.model.call import Call
from l0.model.call_events import ResponseMetadata, ToolCalls
from l0.model.failure import Failure
from l0.model.policy import ResumeMode
from l0.model.ports import CallAdapter, Reader
from l0.model.resume_state import ResumeState

from .body_parser import BodyParser
from .observer_notifier import read_metadata
from .output_buffer import OutputBuffer
from .rule_runner import RuleRunner, hold_of


class AnswerSoFar:
    """The streamed answer of one call, over all its attempts. `CallRuntime` decides what to do with it.

    The text and the tool calls of an answer that came in one piece are not kept.
    """

    __slots__ = (
        "_call",
        "_call_adapter",
        "_chars",
        "_counted_fragments",
        "_kept_text",
        "_machine",
        "_rule_runner",
        "buffer",
        "fragments_before_read",
        "before_commit",
        "parser",
    )

    def __init__(self, call: Call, call_adapter: CallAdapter, machine: Machine, rule_runner: RuleRunner | None) -> None:
        self._call = call
        self._call_adapter = call_adapter
        self._machine = machine
        self._rule_runner = rule_runner
        self.buffer = OutputBuffer(*hold_of(call.policy, rule_runner))
        self.before_commit = True
        """True before the commit point."""
        self.parser: BodyParser | None = None
        """The parser of the attempt's body; ``None`` before the body is read, and after the call."""
        self.fragments_before_read = 0
        """The number of text fragments before the current read, if the call has rules. If a rule fails the attempt, the
        user has these fragments only, or fewer if the buffer holds text after the commit point."""
        self._kept_text: str | None = None
        """The text that the user has of an answer whose rest was dropped; ``None`` if nothing was dropped."""
        self._chars = self._counted_fragments = 0

    # -- what has arrived -------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The text so far, up to the place at which a rule failed it."""
        if self._kept_text is not None:
            return self._kept_text
        return self._arrived if self._rule_runner is None else self._arrived[: self._rule_runner.cut]

    @property
    def _arrived(self) -> str:
        """The text so far. After a failure the user has all of it, unless a part that was held is dropped."""
        if self.parser is not None:
            return self.parser.reader.resume_state().text
        state = self._machine.resume_state
        return state.text if state is not None else ""

    @property
    def arrived_chars(self) -> int:
        """The number of characters of text that have arrived. Of an answer that came in one piece, only rules count
        them: 0 without rules."""
        return len(self._arrived) or (self._rule_runner.chars if self._rule_runner is not None else 0)

    def count_chars(self, reader: Reader) -> int:
        """Return the number of characters of the answer's text, with those of earlier attempts that it continues."""
        fragments = reader.text
        self._chars += sum(map(len, fragments[self._counted_fragments :]))
        self._counted_fragments = len(fragments)
        return self._chars

    @property
    def tool_calls(self) -> ToolCalls:
        """The tool calls so far: their names, and their arguments as far as they have arrived."""
        tools = self.parser.reader.tools if self.parser is not None else {}
        return [(call.name, "".join(call.arguments)) for call in list(tools.values())]

    @property
    def metadata(self) -> ResponseMetadata | None:
        """The provider's metadata so far; ``None`` if there is none yet."""
        if self.parser is not None:
            return read_metadata(self.parser.reader)
        # None: the adapter takes what the SDK has decoded, although it has not returned it yet.
        return None if self._call.streaming else self._call_adapter.complete_answer(None)[0]

    @property
    def accepted(self) -> bool:
        """True if the events of the attempt show that the provider has accepted its request."""
        return self.parser is not None and self.parser.reader.accepted

    @property
    def read_to_end(self) -> bool:
        """True if nothing more can come from the current body, or if there is none."""
        return self.parser is None or self.parser.reader.stopped

    def read_unseen(self, raw: Any) -> None:
        """Parse a read even though the user does not get it: it may state the billed tokens."""
        if self.parser is not None:
            self.parser.feed(raw)

    # -- what the user has ------------------------------------------------------------------------------------------

    @property
    def delivered_text(self) -> str:
        """The text that the user of a failed call has."""
        return self._arrived if self._kept_text is None else self._kept_text

    @property
    def delivered_chars(self) -> int | None:
        """The number of characters of the attempt's text that the user has; ``None`` for all that have arrived, 0 for
        none but those of earlier attempts."""
        if self._kept_text is not None:
            return len(self._kept_text)
        if not self.buffer.holds_items:
            return None
        if self.buffer.holds_after_commit:
            return self.buffer.released
        return len(self._earlier.text) if self._earlier is not None else 0

    @property
    def text_before_attempt(self) -> str:
        """The text that the user has before the next attempt, after a failed one."""
        state = self._earlier
        return "" if state is None else state.text[: state.delivered]

    @property
    def delivered_failure(self) -> Failure | None:
        """The failure that the user has as a typed event of the SDK (`Failure.typed`); ``None`` without one."""
        failure = self.parser.reader.failure if self.parser is not None and not self.before_commit else None
        return failure if failure is not None and failure.typed else None

    @property
    def must_drop_held(self) -> bool:
        """True if the held items may not be delivered with a failure: their text is not verified, or the policy never
        delivers an incomplete answer."""
        buffer = self.buffer
        return self._kept_text is None and (buffer.holds_after_commit or (self.before_commit and buffer.holds_message))

    def drop(self) -> None:
        """Drop the held items, which must not be delivered. Remember the text that the user has already."""
        self._kept_text = "" if self.before_commit else self._text_before_held
        self.buffer.clear()

    @property
    def _text_before_held(self) -> str:
        """The text that the user has of an answer of which a part is held."""
        earlier, restarts = self._earlier, self._call.policy.resume == "restart"
        before = "" if earlier is None else earlier.text
        fragments, buffer = self.parser.reader.text if self.parser is not None else [], self.buffer
        arrived = "".join(fragments if buffer.holds_after_commit else fragments[: self.fragments_before_read])
        # A resumed answer contains the earlier text, but an exact replay counts from 0 again.
        text = arrived if restarts else max(before, arrived, key=len)
        if not buffer.holds_after_commit:
            return text
        # The earlier text stays with the user until the first text of a restarted answer is released.
        return text[: buffer.released] or (before if restarts else "")

    def items_before_next(self) -> list[Any]:
        """Return the items to deliver before the next attempt, and prepare the buffer for it.

        The held items of a resumed or restarted answer are due, unless they wait for the window of ``hold="verified"``:
        those of a resumed answer then stay held, and those of a restarted one are dropped. Of a retried answer the user
        has seen nothing, so its items are dropped.
        """
        buffer, state = self.buffer, self._machine.resume_state
        continues = self._machine.resuming and (not buffer.holds_after_commit or self._call.policy.resume != "restart")
        if continues and buffer.holds_after_commit:
            buffer.carry_over(len(state.text) if state is not None else 0)
            return []
        items = buffer.flush() if continues else []
        buffer.clear()
        return items

    def forget_attempt(self) -> None:
        """Forget the attempt that is over, before another one."""
        self.parser = self._kept_text = None
        self._chars = self._counted_fragments = 0

    # -- how another attempt continues it ---------------------------------------------------------------------------

    @property
    def continuation(self) -> tuple[ResumeMode, ResumeState] | None:
        """The resume mode of the attempt just opened, and the text that it continues; ``None`` if it resumes none."""
        state, points = self._machine.resume_state, self._machine.resume_points
        return (points[-1].strategy, state) if state is not None and points else None

    def resume_from(
        self, strategy: ResumeMode, *, rejected: bool = False
    ) -> tuple[ResumeState | None, EarlyRelease | None]:
        """Return the text from which a broken answer can be resumed, as `resume_state`.

        If this strategy cannot resume it and it has no content so far, the answer can be sent again from the start
        (mode ``"exact"``); the second value then says why the user already has events of it. ``rejected``: a rule
        rejects the answer, so it may only be restarted.
        """
        if rejected:
            return (self.resume_state(strategy) if strategy == "restart" else None), None
        resume_state = self.resume_state(strategy)
        early_release = self._early_release if resume_state is None else None
        return (self.resume_state("exact") if early_release is not None else resume_state), early_release

    def resume_state(self, strategy: ResumeMode) -> ResumeState | None:
        """Return the text from which a broken answer continues; ``None`` if it cannot be resumed."""
        parser = self.parser
        if strategy == "off" or parser is None or not parser.resumes or not parser.reader.resumable:
            return None
        state = parser.reader.resume_state()
        if not self._call_adapter.resumes(strategy, state):
            return None
        if self._kept_text is None and not self.buffer.holds_after_commit:
            return state
        delivered = self._text_before_held if self._kept_text is None else self._kept_text
        if strategy == "restart":
            return ResumeState(text=delivered)
        return replace(state, held=len(state.text) - len(delivered))

    @property
    def _early_release(self) -> EarlyRelease | None:
        """Why the user has events of the answer, if none of them has content; else ``None``."""
        early_release, parser = self.buffer.early_release, self.parser
        if early_release is None or parser is None or parser.reader.content or parser.reader.other:
            return None
        earlier = self._earlier
        return early_release if earlier is None or not earlier.text else None

    @property
    def _earlier(self) -> ResumeState | None:
        """The text of earlier attempts that this one continues; ``None`` if it does not resume."""
        return self._machine.resume_state if self._machine.resuming else None

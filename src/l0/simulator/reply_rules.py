"""Keep the rules of `Simulator.on`, which choose replies by the content of requests."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .conversation import Conversation
from .ledger import Received, Reply
from .request_match import RequestMatch


@dataclass(slots=True)
class _Rule:
    match: RequestMatch
    make_reply: Callable[[Received], Reply]
    times_left: int | None
    source: str


class ReplyRules:
    """The rules of a simulator, in the order of their definition. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules = list[_Rule]()

    def add(self, match: RequestMatch, make_reply: Callable[[Received], Reply], times: int | None) -> None:
        """Answer requests that match, `times` times at most. Raises `ValueError` for `times` below 1."""
        if times is not None and times < 1:
            raise ValueError(f"times: {times!r} given, allowed is 1 or more")
        with self._lock:
            self._rules.append(_Rule(match, make_reply, times, f"rule {len(self._rules)}"))

    def find(
        self, conversations: Iterable[Conversation], model: str, *, counts: bool = True
    ) -> tuple[Callable[[Received], Reply], str] | None:
        """Return the function that makes the reply of the first matching rule, and the rule's name; None without a
        match.

        `conversations`: as in `SimulatedRequest`. A later conversation is tried if no rule matches the ones before.
        `counts`: the request counts for the rule's `times`.
        """
        with self._lock:
            live = [rule for rule in self._rules if rule.times_left != 0]
            pairs = ((rule, conversation) for conversation in conversations for rule in live)
            found = next((rule for rule, conversation in pairs if rule.match.matches(conversation, model)), None)
            if found is None:
                return None
            if counts and found.times_left is not None:
                found.times_left -= 1
            return found.make_reply, found.source

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

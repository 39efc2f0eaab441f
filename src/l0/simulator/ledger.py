"""What tests and the server share, thread-safe: the script of coming answers and the log of requests."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from l0.simulator.answers import Answer
from l0.simulator.faults import HEALTHY, Fault
from l0.simulator.playback import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one request is answered: an answer or a raw body (None: what fits the request), and what goes wrong."""

    answer: Answer | None = None
    body: Body | None = None
    fault: Fault = HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request and what became of it.

    `body` is the parsed JSON (None where it is none); `dialect` None is a request that is no inference; `answered` is
    the fault in the text grammar, or "ok"; `finished`: all that was scripted has been sent; `disconnected`: the client
    left before that.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)  # with them the client's key
    body: Any = field(default=None, repr=False)  # with it the prompt
    dialect: str | None = None
    answered: str = "ok"
    sent_events: int = 0
    finished: bool = False
    disconnected: bool = False


class Ledger:
    """The script and the log."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._script: deque[Reply] = deque()
        self._log: dict[int, Received] = {}
        self._active = 0
        self._index = 0

    def extend(self, replies: Iterable[Reply]) -> None:
        """Queue replies for the next inference requests."""
        with self._changed:
            self._script.extend(replies)

    def next_reply(self) -> Reply | None:
        """Take the next reply; None where the script is at its end."""
        with self._changed:
            return self._script.popleft() if self._script else None

    def begin(self, received: Received) -> int:
        """Log a request; its number since the start is what its delays and ids are drawn from."""
        with self._changed:
            index, self._index = self._index, self._index + 1
            self._active += 1
            self._log[index] = received
            return index

    def note(self, index: int, **changes: Any) -> None:
        """Add to what is known of a request; one that was forgotten by `clear` stays forgotten."""
        with self._changed:
            if index in self._log:
                self._log[index] = replace(self._log[index], **changes)

    def end(self, index: int, **changes: Any) -> None:
        """The request is done with."""
        with self._changed:
            self.note(index, **changes)
            self._active -= 1
            self._changed.notify_all()

    def requests(self) -> list[Received]:
        """A snapshot, in order of arrival."""
        with self._changed:
            return list(self._log.values())

    def clear(self) -> None:
        """Forget script and log."""
        with self._changed:
            self._script.clear()
            self._log.clear()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no request is in work; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._active == 0, timeout)

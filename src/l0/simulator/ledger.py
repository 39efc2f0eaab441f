"""Hold the data that tests and the server share: the script of the next replies and the request log. Thread-safe."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from l0.model.option_names import refuses_unknown_options

from .answers import Answer
from .faults import HEALTHY, Fault
from .playback import RecordedBody


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply to one request: an answer or a raw body, and the faults. With neither, `default_answer` is sent.

    `scripted`: it was queued by `script`.
    """

    answer: Answer | None = None
    body: RecordedBody | None = None
    fault: Fault = HEALTHY
    scripted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request and its outcome.

    `body` is the parsed JSON, or None if the body is not JSON. `dialect`: None for a request that is not an inference.
    `answered`: what was sent: the faults that changed the answer, in the text grammar; "ok" without a fault; the name
    of a recorded body; "invalid request", "failed" or the status of a refused request. `finished`: the answer was sent
    to its end, faults included. `disconnected`: the client left before that, perhaps before the fault.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)  # contains the client's API key
    body: Any = field(default=None, repr=False)  # contains the prompt
    dialect: str | None = None
    answered: str = "ok"
    sent_events: int = 0
    finished: bool = False
    disconnected: bool = False


class Ledger:
    """The script and the request log."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._script: deque[Reply] = deque()
        self._missed: list[Fault] = []
        self._log: dict[int, Received] = {}
        self._active = 0
        self._index = 0

    def extend(self, replies: Iterable[Reply]) -> None:
        """Queue replies for the next inference requests."""
        with self._changed:
            self._script.extend(replace(reply, scripted=True) for reply in replies)

    def next_reply(self) -> Reply | None:
        """Take the next reply; None if the script has ended."""
        with self._changed:
            return self._script.popleft() if self._script else None

    def unused_replies(self) -> list[Reply]:
        """Return the rest of the script."""
        with self._changed:
            return list(self._script)

    def miss(self, fault: Fault) -> None:
        """Note a fault of the script that changed nothing."""
        with self._changed:
            self._missed.append(fault)

    def missed_faults(self) -> list[Fault]:
        """Return the faults of the script that changed nothing."""
        with self._changed:
            return list(self._missed)

    def begin(self, received: Received) -> int:
        """Log a request. Return its index since the start, which determines its delays and ids."""
        with self._changed:
            index, self._index = self._index, self._index + 1
            self._active += 1
            self._log[index] = received
            return index

    def received(self, index: int) -> Received | None:
        """Return the log entry of a request; None if `clear` removed it."""
        with self._changed:
            return self._log.get(index)

    def update(self, index: int, **changes: Any) -> None:
        """Update the log entry of a request. Requests removed by `clear` stay removed."""
        with self._changed:
            if index in self._log:
                self._log[index] = replace(self._log[index], **changes)

    def end(self, index: int, **changes: Any) -> None:
        """Mark a request as done and update its log entry."""
        with self._changed:
            self.update(index, **changes)
            self._active -= 1
            self._changed.notify_all()

    def active(self) -> int:
        """Return the number of requests that are being answered."""
        with self._changed:
            return self._active

    def requests(self) -> list[Received]:
        """Return a snapshot of the log, in order of arrival."""
        with self._changed:
            return list(self._log.values())

    def clear(self) -> None:
        """Clear the script and the log."""
        with self._changed:
            self._script.clear()
            self._missed.clear()
            self._log.clear()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no request is active. Return False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._active == 0, timeout)

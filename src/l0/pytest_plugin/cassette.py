"""The recordings of one test."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from l0.recording.field_differences import distance
from l0.recording.redaction import Redaction
from l0.runtime.recorded_silence import RecordedSilence

from .cassette_entry import CassetteEntry, CassetteRequest, Headers
from .cassette_file import load, path_of, save
from .cassette_options import CassetteOptions
from .cassette_tape import CassetteTape, normal_request
from .request_matching import differences

_MAX_DIFFERENCES = 3
"""Differences that a message shows."""
_MAX_CHARACTERS = 300
"""Characters of a value in a message."""
_PLAYED_ONCE = (
    "It is the same, but each recording is played once: this test sends the request more often than the recorded one, "
    "perhaps because the number of retries has changed."
)


class PlayedSilence(pytest.fail.Exception, RecordedSilence):  # type: ignore[name-defined,misc]  # pytest hides its class
    """As `RecordedSilence`; a failed test if nothing accepts it."""


class Cassette:
    """The recordings of one test, and the requests that it has sent. Its methods are thread-safe."""

    def __init__(self, path: Path, mode: str, options: CassetteOptions, *, test: str = "") -> None:
        self.path = path = path_of(path, test)
        self._test = test
        self.mode = mode
        self.options = options
        self._unmatched: list[str] = []
        self._silences: list[PlayedSilence] = []
        exists = path.is_file()
        self._entries = load(path) if exists and mode != "all" else []
        self._records = mode in ("new_episodes", "all") or (mode == "once" and not exists)
        self._is_played = [False] * len(self._entries)
        self._tapes: list[CassetteTape] = []
        self._redaction = Redaction(options.redact)
        self._lock = threading.Lock()

    @property
    def records(self) -> bool:
        """Return True if requests without a recording are sent and recorded."""
        return self._records

    @property
    def unmatched(self) -> list[str]:
        """Return the messages of the requests that had no recording, or whose recording ended too early."""
        return [*self._unmatched, *(str(silence) for silence in self._silences if not silence.accepted)]

    @property
    def play_count(self) -> int:
        """Return the number of recordings that were played, which is the number of requests if none is recorded."""
        return sum(self._is_played)

    @property
    def all_played(self) -> bool:
        """Return True if every recording that the file had was played: the test sent no fewer requests."""
        return all(self._is_played)

    @property
    def unplayed(self) -> str:
        """Return a message about the recordings that were not played."""
        total = len(self._entries)
        return (
            f"{total - self.play_count} of {total} recordings in {self.path} were not played: the test sent fewer "
            "requests than the recorded one, perhaps because the number of retries has changed. "
            "--l0-record=all records the test again."
        )

    def play(self, method: str, url: str, headers: Headers, body: bytes) -> CassetteEntry | None:
        """Return the recording of a request; each is returned once. ``None``: send the request and record it.

        Fails the test if there is no recording and the mode does not allow one to be made.
        """
        sent = normal_request(method, url, headers, body, self._redaction)
        with self._lock:
            for number, entry in enumerate(self._entries):
                if not self._is_played[number] and not differences(entry.request, sent, self.options.ignore):
                    self._is_played[number] = True
                    return entry
        if not self._records:
            self.fail(self._message(sent))
        return None

    def record(self, method: str, url: str, headers: Headers, body: bytes) -> CassetteTape:
        """Begin the recording of a request that is sent now."""
        tape = CassetteTape(method, url, headers, body)
        with self._lock:
            self._tapes.append(tape)
        return tape

    def fail(self, message: str) -> NoReturn:
        """Fail the test. The exception is not an `Exception`, so that an SDK neither retries nor hides it."""
        self._unmatched.append(message)
        pytest.fail(message, pytrace=False)

    def silence(self, message: str, waited_s: float, silences_s: Sequence[float]) -> PlayedSilence:
        """Return the exception for a client that reads on where the recorded one stopped waiting. It fails the test
        with this message, unless a deadline of L0 ends the wait as well."""
        played = PlayedSilence(message, False)  # no traceback of pytest
        played.waited_s, played.silences_s = waited_s, silences_s
        self._silences.append(played)
        return played

    def save(self) -> None:
        """Write what was recorded. A secret of one request is removed from all of them."""
        if not self._tapes:
            return
        redaction = Redaction(self.options.redact)
        for tape in self._tapes:
            tape.learn(redaction)
        recorded = [entry for tape in self._tapes if (entry := tape.entry(redaction)) is not None]
        save(self.path, [*self._entries, *recorded], self._test)

    def _message(self, sent: CassetteRequest) -> str:
        opening = f"No recording for {sent.method} {sent.url} (--l0-record={self.mode})."
        if not self._entries:
            known = "has no recordings" if self.path.is_file() else "does not exist"
            return f"{opening}\n{self.path} {known}: --l0-record=once records it."
        compared = [differences(entry.request, sent, self.options.ignore) for entry in self._entries]
        nearest = min(range(len(compared)), key=lambda number: (distance(compared[number]), self._is_played[number]))
        found = compared[nearest]  # the differences
        lines = [
            opening,
            f"The nearest of {len(compared)} in {self.path} is number {nearest + 1}"
            + (", which was already played" if self._is_played[nearest] else "")
            + (". It differs in:" if found else f". {_PLAYED_ONCE}"),
        ]
        for difference in found[:_MAX_DIFFERENCES]:
            lines.append(f"  {difference.field}")
            lines.append(f"    recorded: {_short(difference.recorded)}")
            lines.append(f"    sent:     {_short(difference.sent)}")
        if others := [difference.field for difference in found[_MAX_DIFFERENCES:]]:
            lines.append(f"  and {len(others)} more: {', '.join(others)[:_MAX_CHARACTERS]}")
        lines.append("--l0-record=new_episodes adds the request, --l0-record=all records the test again.")
        return "\n".join(lines)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}… ({len(text)} characters)"

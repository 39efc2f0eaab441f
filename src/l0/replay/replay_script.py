"""Find the recorded attempt that answers a request."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from l0.recording.field_differences import FieldDifference, distance, field_differences
from l0.recording.recorded_request import json_hash, shape
from l0.recording.recording import RecordedAttempt, Recording, RecordingError

Match = Literal["body", "order"]
"""The way to find the attempt for a request: by method, path and body, or by method and path in recorded order."""
_MOST_COMPARED = 50
"""Maximum number of recorded requests that are compared with a request that matches none."""
_MOST_SHOWN = 4
"""Maximum number of differing fields that a message names."""
_LONGEST_VALUE = 60
"""Characters of a differing value that are shown."""
RETRY_COUNT = "x-stainless-retry-count"
"""The header in which SDKs made by Stainless count their retries of a request, from 0."""


class UnmatchedRequestError(LookupError):
    """No recorded attempt answers this request. The message says which recorded request is the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """A request to be answered. ``retry``: the SDK's count of its retries; empty if it sends none."""

    method: str
    path: str
    body: bytes
    retry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScriptEntry:
    """Identifies a recorded attempt, and says which requests match it.

    ``at``: its start in Unix seconds. ``number``: that of the attempt in its call. ``size``: bytes of its body.
    ``hashes``: those of its body; empty if the body could not be recorded.
    """

    at: float
    call: str
    number: int
    method: str
    path: str
    size: int
    hashes: frozenset[str]


class ReplayScript:
    """The recorded attempts, each of which answers one request. ``call``: only those of this call.

    Of the attempts that match, the one with the same retry count comes first, then the oldest. Raises `RecordingError`
    if there is none at all.
    """

    def __init__(self, recording: Recording, *, call: str | None = None, match: Match = "body") -> None:
        self._recording = recording
        self._match = match
        calls = [recording.call(call)] if call is not None else recording
        clock_starts: dict[Path, float] = {}
        """The Unix time at which each file's monotonic clock was 0. A wall clock that is set back while a file is
        written then does not change the order of its attempts."""
        self._all = sorted(
            (
                _entry(
                    recorded.id,
                    clock_starts.setdefault(recorded.file, recorded.started_unix - recorded.began) + recorded.began,
                    attempt,
                )
                for recorded in calls
                for attempt in recorded.attempts
                if attempt.request
            ),
            key=lambda entry: (entry.at, entry.call, entry.number),
        )
        if not self._all:
            raise RecordingError("the recording holds no request: calls of the explicit API send none themselves")
        self._unserved = deque(self._all)

    def __len__(self) -> int:
        """Return the number of attempts that have not been served."""
        return len(self._unserved)

    @property
    def paths(self) -> Mapping[str, int]:
        """The recorded paths, with the number of their requests."""
        counts: dict[str, int] = {}
        for entry in self._all:
            counts[entry.path] = counts.get(entry.path, 0) + 1
        return counts

    def rewind(self) -> None:
        """Begin again: every attempt is served once more."""
        self._unserved = deque(self._all)

    def take(self, request: ReplayRequest) -> RecordedAttempt:
        """Return the attempt for a request, and serve it no more. Raises `UnmatchedRequestError`."""
        matches = self._matcher(request)
        found = None
        for place, entry in enumerate(self._unserved):
            if matches(entry):
                has_same_count = request.retry in ("", str(entry.number - 1))
                found = place if found is None or has_same_count else found
                if has_same_count:  # so requests in the recorded order need no longer search
                    break
        if found is None:
            raise UnmatchedRequestError(self._unmatched(request, any(map(matches, self._all))))
        taken = self._unserved[found]
        del self._unserved[found]
        return self._attempt(taken)

    def _matcher(self, request: ReplayRequest) -> Callable[[_ScriptEntry], bool]:
        hashes = _hashes(request.body) if self._match == "body" else frozenset()

        def matches(entry: _ScriptEntry) -> bool:
            same = entry.method == request.method and _same_path(entry.path, request.path)
            return same and (self._match == "order" or not entry.hashes or not hashes.isdisjoint(entry.hashes))

        return matches

    def _unmatched(self, request: ReplayRequest, served: bool) -> str:
        what = f"{request.method} {urlsplit(request.path).path}"
        if served:
            return (
                f"The recording has no further answer to this {what}: all of them have been served. "
                "To see what other limits or retries do, use l0 backtest."
            )
        nearest, differing = min(self._compared(request), key=lambda compared: distance(compared[1]))
        fields = [
            f"{difference.field}: recorded {_short(difference.recorded)}, sent {_short(difference.sent)}"
            for difference in differing[:_MOST_SHOWN]
        ]
        more = [f"{len(differing) - _MOST_SHOWN} more"] if len(differing) > _MOST_SHOWN else []
        return (
            f"No recorded request matches this {what}. The nearest, attempt {nearest.number} of call {nearest.call}, "
            f"differs in {'; '.join([*fields, *more])}."
        )

    def _compared(self, request: ReplayRequest) -> Iterator[tuple[_ScriptEntry, list[FieldDifference]]]:
        """Yield the likeliest recorded requests, with their differences."""

        def dissimilarity(entry: _ScriptEntry) -> tuple[bool, bool, int]:
            other_path = not _same_path(entry.path, request.path)
            return other_path, entry.method != request.method, abs(entry.size - len(request.body))

        for entry in islice(sorted(self._all, key=dissimilarity), _MOST_COMPARED):
            described = self._attempt(entry).request
            path = urlsplit(entry.path).path
            sent_path = path if _same_path(entry.path, request.path) else urlsplit(request.path).path
            recorded = {"method": entry.method, "path": path, "": described.get("body", described.get("shape"))}
            sent = {"method": request.method, "path": sent_path, "": _comparable(request.body, "body" in described)}
            yield entry, list(field_differences(recorded, sent))

    def _attempt(self, entry: _ScriptEntry) -> RecordedAttempt:
        attempts = self._recording.call(entry.call).attempts
        return next(attempt for attempt in attempts if attempt.number == entry.number)


def _entry(call: str, began: float, attempt: RecordedAttempt) -> _ScriptEntry:
    request = attempt.request
    return _ScriptEntry(
        at=began + attempt.started,
        call=call,
        number=attempt.number,
        method=request["method"],
        path=request["path"],
        size=request.get("bytes") or 0,
        hashes=frozenset(request[name] for name in ("sha256", "json_sha256") if name in request),
    )


def _same_path(recorded: str, sent: str) -> bool:
    """Return True if the paths are equal, or one ends with the other: the base URLs may differ in their paths."""
    recorded, sent = (urlsplit(path).path.rstrip("/") for path in (recorded, sent))
    return recorded == sent or recorded.endswith(f"/{sent.lstrip('/')}") or sent.endswith(f"/{recorded.lstrip('/')}")


def _hashes(body: bytes) -> frozenset[str]:
    value = _json(body)
    return frozenset({sha256(body).hexdigest()} | ({json_hash(value)} if value is not None else set()))


def _comparable(body: bytes, whole: bool) -> Any:
    """Return a body in the form in which the recording has it: the ``whole`` JSON, or its shape."""
    value = _json(body)
    return value if value is None or whole else shape(value)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."

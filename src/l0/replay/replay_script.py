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
"""Recorded requests that are compared with one that matches none."""
_MOST_SHOWN = 4
"""Differing fields that are named."""
_LONGEST_VALUE = 60
"""Characters of a differing value that are shown."""
RETRY_COUNT = "x-stainless-retry-count"


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
class _Place:
    """The place of a recorded attempt. ``hashes``: of its body; empty if it could not be recorded."""

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
        zeros: dict[Path, float] = {}
        """The start of each file's monotonic clock: within a file, a wall clock that is set back changes no order."""
        self._all = sorted(
            (
                _place(one.id, zeros.setdefault(one.file, one.started_unix - one.began) + one.began, attempt)
                for one in calls
                for attempt in one.attempts
                if attempt.request
            ),
            key=lambda one: (one.at, one.call, one.number),
        )
        if not self._all:
            raise RecordingError("the recording holds no request: calls of the explicit API send none themselves")
        self._waiting = deque(self._all)

    def __len__(self) -> int:
        """Return the number of attempts that have not been served."""
        return len(self._waiting)

    @property
    def paths(self) -> Mapping[str, int]:
        """The recorded paths, with the number of their requests."""
        found: dict[str, int] = {}
        for one in self._all:
            found[one.path] = found.get(one.path, 0) + 1
        return found

    def rewind(self) -> None:
        """Begin again: every attempt is served once more."""
        self._waiting = deque(self._all)

    def take(self, request: ReplayRequest) -> RecordedAttempt:
        """Return the attempt for a request, and serve it no more. Raises `UnmatchedRequestError`."""
        matches = self._matcher(request)
        found = min(
            (one for one in self._waiting if matches(one)),
            key=lambda one: request.retry not in ("", str(one.number - 1)),
            default=None,
        )
        if found is None:
            raise UnmatchedRequestError(self._unmatched(request, any(map(matches, self._all))))
        self._waiting.remove(found)
        return self._attempt(found)

    def _matcher(self, request: ReplayRequest) -> Callable[[_Place], bool]:
        hashes = _hashes(request.body) if self._match == "body" else frozenset()

        def matches(one: _Place) -> bool:
            same = one.method == request.method and _same_path(one.path, request.path)
            return same and (self._match == "order" or not one.hashes or not hashes.isdisjoint(one.hashes))

        return matches

    def _unmatched(self, request: ReplayRequest, served: bool) -> str:
        what = f"{request.method} {urlsplit(request.path).path}"
        if served:
            return f"All recorded answers to this {what} have been served."
        found, differing = min(self._compared(request), key=lambda one: distance(one[1]))
        fields = [
            f"{one.field}: recorded {_short(one.recorded)}, sent {_short(one.sent)}" for one in differing[:_MOST_SHOWN]
        ]
        more = [f"{len(differing) - _MOST_SHOWN} more"] if len(differing) > _MOST_SHOWN else []
        return (
            f"No recorded request matches this {what}. The nearest, attempt {found.number} of call {found.call}, "
            f"differs in {'; '.join([*fields, *more])}."
        )

    def _compared(self, request: ReplayRequest) -> Iterator[tuple[_Place, list[FieldDifference]]]:
        """Yield the likeliest recorded requests, with their differences."""

        def unlike(one: _Place) -> tuple[bool, bool, int]:
            elsewhere = not _same_path(one.path, request.path)
            return elsewhere, one.method != request.method, abs(one.size - len(request.body))

        for one in islice(sorted(self._all, key=unlike), _MOST_COMPARED):
            recorded = self._attempt(one).request
            path = urlsplit(one.path).path
            same_path = path if _same_path(one.path, request.path) else urlsplit(request.path).path
            mine = {"method": one.method, "path": path, "": recorded.get("body", recorded.get("shape"))}
            sent = {"method": request.method, "path": same_path, "": _comparable(request.body, "body" in recorded)}
            yield one, list(field_differences(mine, sent))

    def _attempt(self, place: _Place) -> RecordedAttempt:
        attempts = self._recording.call(place.call).attempts
        return next(one for one in attempts if one.number == place.number)


def _place(call: str, began: float, attempt: RecordedAttempt) -> _Place:
    request = attempt.request
    return _Place(
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
    one, other = (urlsplit(path).path.rstrip("/") for path in (recorded, sent))
    return one == other or one.endswith(f"/{other.lstrip('/')}") or other.endswith(f"/{one.lstrip('/')}")


def _hashes(body: bytes) -> frozenset[str]:
    found = {sha256(body).hexdigest()}
    value = _json(body)
    return frozenset(found if value is None else {*found, json_hash(value)})


def _comparable(body: bytes, whole: bool) -> Any:
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

"""Read recordings: of the process that writes them now, of one that was killed, and of many at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

from l0.engine.commands import Command
from l0.engine.signals import Signal
from l0.model.call import Call, Outcome
from l0.model.failure import Failure
from l0.wire.request_id import REQUEST_ID_HEADERS

from .recording_codec import decode
from .recording_schema import SUFFIX, VERSION

RecordingPath = str | PathLike[str] | Sequence[str | PathLike[str]]
"""A file, a folder, or several of them."""


_SHORTEST_PAUSE_S = 0.001
"""A shorter time between two reads is L0's own rather than the program's."""


class RecordingError(ValueError):
    """There is no such recording, or no such call in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRead:
    """The bytes of one read of an answer, without content encoding. ``at``: seconds since the start of the call.

    ``began``: the same of the start of the read; ``None`` if L0 read ahead, or an older version recorded it. The time
    from the read before until then passed in the program.
    """

    at: float
    data: bytes
    began: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDelivery:
    """Items that the user got at once. ``at``: seconds since the start of the call. ``chars``: the characters of the
    answer that were delivered by then."""

    at: float
    items: int
    chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDecision:
    """A step of the machine. ``at``: seconds since the start of the call.

    ``inputs``: the names and results of the functions that the machine called, in order.
    ``nested``: a signal handler interrupted the step with another one, so that it cannot be repeated.
    """

    at: float
    signal: Signal
    command: Command
    inputs: Sequence[tuple[str, Any]]
    nested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttempt:
    """One request, and its answer. Times are in seconds since the start of the call; ``None`` for a moment that was not
    reached.

    ``request``: ``method``, ``path``, ``headers``, and the body as `recorded_request.described_body` describes it;
    empty for a source of the explicit API. ``ending``: ``"eof"``, ``"error"``, ``"closed"`` (by the user or by L0), or
    ``"lost"`` (another attempt was faster).
    """

    number: int
    leg: int
    hedge: bool
    started: float
    request: Mapping[str, Any]
    status: int | None
    response_headers: Sequence[tuple[str, str]]
    head_at: float | None
    ended: float | None
    ending: str | None
    failure: Failure | None
    reads: Sequence[RecordedRead] = field(repr=False)

    def program_s(self) -> Sequence[float]:
        """Return, for each read, the seconds since the first one that had passed in the program by then, while nothing
        was read."""
        passed, total = [], 0.0
        idle_since: float | None = None
        for read in self.reads:
            if read.began is not None and idle_since is not None:
                pause = read.began - idle_since
                total += pause if pause >= _SHORTEST_PAUSE_S else 0.0
            idle_since = read.at
            passed.append(total)
        return passed

    @property
    def body(self) -> bytes:
        """Return the bytes of the answer, decoded.

        If ``response_headers`` have a ``content-encoding``, the body could not be decoded: there are no bytes. Files of
        format 1 hold compressed streams as they came.
        """
        return b"".join(read.data for read in self.reads)


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One call. ``began`` is on the monotonic clock of its signals; all other times are in seconds since then.

    ``started_unix``: the start on the wall clock, in Unix seconds. ``outcome``: ``None`` if the recording ended before
    the call. ``incomplete``: some of its reads were dropped, as the recorder had no memory for them, or could not
    decode them. ``duration_s``: from the start to the end, in seconds; ``None`` without an end.
    """

    id: str
    started_unix: float
    began: float
    trace_id: str | None
    span_id: str | None
    call: Call = field(repr=False)
    outcome: Outcome | None
    failure: Failure | None
    duration_s: float | None
    delivered_items: int
    delivered_chars: int
    incomplete: bool
    file: Path
    _database: sqlite3.Connection = field(repr=False, compare=False)

    @cached_property
    def attempts(self) -> Sequence[RecordedAttempt]:
        """The attempts, in order."""
        reads: dict[int, list[RecordedRead]] = {}
        # Files of older versions have no last column.
        for _, number, _, at, data, *began in self._rows("SELECT * FROM reads WHERE call = ? ORDER BY seq"):
            read = RecordedRead(at=at, data=data, began=began[0] if began else None)
            reads.setdefault(number, []).append(read)
        query = (
            "SELECT number, leg, hedge, started, request, status, response_headers, head_at, ended, ending, error "
            "FROM attempts WHERE call = ? ORDER BY number"
        )
        return [_attempt(row, reads.get(row[0], [])) for row in self._rows(query)]

    @cached_property
    def decisions(self) -> Sequence[RecordedDecision]:
        """The steps of the machine, in order."""
        query = "SELECT at, signal, command, inputs, nested FROM decisions WHERE call = ? ORDER BY seq"
        return [
            RecordedDecision(
                at=at,
                signal=decode(json.loads(signal)),
                command=decode(json.loads(command)),
                inputs=[(name, result) for name, result in json.loads(inputs)],
                nested=bool(nested),
            )
            for at, signal, command, inputs, nested in self._rows(query)
        ]

    @cached_property
    def deliveries(self) -> Sequence[RecordedDelivery]:
        """The times at which the user got items, in order."""
        query = "SELECT at, items, chars FROM deliveries WHERE call = ? ORDER BY rowid"
        return [RecordedDelivery(at=at, items=items, chars=chars) for at, items, chars in self._rows(query)]

    def _rows(self, query: str) -> Iterator[Any]:
        with suppress(sqlite3.DatabaseError):  # of a damaged file, what can be read
            yield from self._database.execute(query, (self.id,))


class _Choice(NamedTuple):
    """A call that is chosen by what is known of all. ``sql``: selects one call of a file. ``order``: the greatest one
    of all files is chosen."""

    sql: str
    order: Callable[[RecordedCall], float]


def _started(call: RecordedCall) -> float:
    return call.started_unix


def _ended(call: RecordedCall) -> float:
    return call.started_unix + (call.duration_s or 0.0)


_CHOICES = {
    "last": _Choice("1 ORDER BY started_unix DESC, began DESC LIMIT 1", _started),
    "failed": _Choice("outcome = 'failed' ORDER BY started_unix + {duration} DESC, began DESC LIMIT 1", _ended),
    "slowest": _Choice("{duration} NOTNULL ORDER BY {duration} DESC LIMIT 1", lambda call: call.duration_s or 0.0),
}
_MATCHES = f"""substr(id, 1, length(?1)) = ?1 OR trace_id = ?1 OR id IN (
    SELECT attempts.call FROM attempts, json_each(attempts.response_headers) AS header
    WHERE json_extract(header.value, '$[0]') IN {REQUEST_ID_HEADERS} AND json_extract(header.value, '$[1]') = ?1
)"""
_MAX_LISTED = 20
"""The calls that the message of an error lists."""


def _no_single_call(key: str, found: Sequence[RecordedCall]) -> Iterator[str]:
    """Yield the lines that say why a key names no single call, and how to name one."""
    if not found:
        allowed = "the id of a call, the beginning of it, its trace id, the provider's id of a request, "
        yield f"{key}: no call found, allowed: {allowed}{', '.join(_CHOICES)}"
        return
    yield f"{key}: {len(found)} calls match, choose one by its id:"
    for call in sorted(found, key=_started)[:_MAX_LISTED]:
        began = datetime.fromtimestamp(call.started_unix, UTC)
        duration = "" if call.duration_s is None else f" in {call.duration_s:.2f} s"
        outcome = call.outcome or "the recording ends before the call"
        yield f"  {call.id}  {began:%Y-%m-%d %H:%M:%S} UTC  {call.call.model}  {outcome}{duration}"
    if len(found) > _MAX_LISTED:
        yield f"  and {len(found) - _MAX_LISTED} more"


class Recording:
    """The calls of one file, or of all files in a folder, oldest first.

    A file that is still being written shows what has been committed so far. Of a file that was cut or damaged, the
    calls that can be read are returned. ``problems``: a text for each file that cannot be read completely.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.problems: list[str] = []
        self._databases: dict[Path, sqlite3.Connection] = {}
        self._durations: dict[Path, str] = {}
        """The names of the columns with the durations of calls."""
        for path in files:
            try:
                self._databases[path], version = _database(path)
                self._durations[path] = "ended" if version == 1 else "duration_s"
            except sqlite3.Error as error:
                self.problems.append(f"{path}: {error}")

    @classmethod
    def open(cls, path: RecordingPath) -> Self:
        """Open files and folders. Raises `RecordingError` if one of them has no recording."""
        files: list[Path] = []
        for location in [Path(path)] if isinstance(path, str | PathLike) else map(Path, path):
            found = sorted(location.glob(f"*{SUFFIX}")) if location.is_dir() else [location] * location.is_file()
            if not found:
                raise RecordingError(f"{location}: no recording ({SUFFIX}) found")
            files += found
        return cls(files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()

    def __iter__(self) -> Iterator[RecordedCall]:
        """Yield the calls in the order in which they began. Their attempts and decisions are read when asked for."""
        found: list[tuple[float, str, Path]] = []
        for path in self._databases:
            rows = [*self._select(path, "SELECT started_unix, began, id FROM calls ORDER BY began")]
            # The wall clock orders the files. It may be set back, so within a file the monotonic clock orders the
            # calls.
            found += [(rows[0][0] + began - rows[0][1], id_, path) for _, began, id_ in rows]
        for _, id_, path in sorted(found):
            yield from self._calls(path, "id = ?", id_)

    def __len__(self) -> int:
        return sum(count for path in self._databases for (count,) in self._select(path, "SELECT count(*) FROM calls"))

    def call(self, key: str) -> RecordedCall:
        """Return the call with this id, beginning of an id, trace id, or provider's id of one of its requests; or the
        ``"last"`` one that began, the ``"slowest"``, or the one that ``"failed"`` last.

        Raises `RecordingError` if there is none, or more than one: its message then lists them.
        """
        choice = _CHOICES.get(key)
        if choice is not None:
            found = [call for path in self._databases for call in self._calls(path, choice.sql)]
            found = sorted(found, key=choice.order)[-1:]
        else:
            found = [call for path in self._databases for call in self._calls(path, _MATCHES, key)] if key else []
        if len(found) == 1:
            return found[0]
        raise RecordingError("\n".join(_no_single_call(key, found)))

    def of_span(self, trace_id: str, span_id: str) -> RecordedCall | None:
        """Return the call that this span reports; ``None`` if no file has it."""
        condition = "trace_id = ? AND span_id = ?"
        found = (call for path in self._databases for call in self._calls(path, condition, trace_id, span_id))
        return next(found, None)

    def meta(self, file: Path) -> Mapping[str, str]:
        """Return what a file records about its process: ``pid``, ``program``, ``started_unix``, ``version``."""
        return dict(self._select(file, "SELECT key, value FROM meta"))

    def _calls(self, path: Path, condition: str, *values: object) -> Iterator[RecordedCall]:
        query = (
            "SELECT id, started_unix, began, trace_id, span_id, call, outcome, error, "
            f"{self._durations[path]}, delivered_items, delivered_chars, incomplete FROM calls "
            f"WHERE {condition.replace('{duration}', self._durations[path])}"
        )
        for row in self._select(path, query, *values):
            id_, started, began, trace_id, span_id, call, outcome, error, duration_s, items, chars, incomplete = row
            yield RecordedCall(
                id=id_,
                started_unix=started,
                began=began,
                trace_id=trace_id,
                span_id=span_id,
                call=_call(call),
                outcome=None if outcome is None else Outcome(outcome),
                failure=None if error is None else decode(json.loads(error)),
                duration_s=duration_s,
                delivered_items=items,
                delivered_chars=chars,
                incomplete=bool(incomplete),
                file=path,
                _database=self._databases[path],
            )

    def _select(self, path: Path, query: str, *values: object) -> Iterator[Any]:
        try:
            yield from self._databases[path].execute(query, values)
        except sqlite3.DatabaseError as error:
            problem = f"{path}: {error}"
            if problem not in self.problems:
                self.problems.append(problem)


def _database(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open one file for reading, and return its format. Its write-ahead log is read as well, which needs a writable
    folder."""
    for mode in ("mode=rw", "mode=ro", "immutable=1"):
        database = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, check_same_thread=False)
        try:
            database.execute("PRAGMA query_only=1")
            (version,) = database.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        except sqlite3.OperationalError:  # read-only files or folders
            database.close()
            continue
        except BaseException:
            database.close()
            raise
        if int(version) > VERSION:
            database.close()
            raise sqlite3.DatabaseError(f"it was written by a later version of l0 (format {version})")
        return database, int(version)
    raise sqlite3.OperationalError("it cannot be opened")


@lru_cache(maxsize=256)
def _call(text: str) -> Call:
    """Return the call that a text describes. The calls of a program are often alike, and their values are frozen."""
    call: Call = decode(json.loads(text))
    return call


def _attempt(row: Sequence[Any], reads: Sequence[RecordedRead]) -> RecordedAttempt:
    number, leg, hedge, started, request, status, headers, head_at, ended, ending, error = row
    return RecordedAttempt(
        number=number,
        leg=leg,
        hedge=bool(hedge),
        started=started,
        request=json.loads(request) if request else {},
        status=status,
        response_headers=[(name, value) for name, value in json.loads(headers)] if headers else [],
        head_at=head_at,
        ended=ended,
        ending=ending,
        failure=None if error is None else decode(json.loads(error)),
        reads=reads,
    )

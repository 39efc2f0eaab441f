"""Write what is received into the database: one thread, a bounded queue, one transaction per batch.

A request is answered after its transaction is committed. So accepted data is never lost, and the sender keeps the rest.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from l0.model.errors import raised
from l0.telemetry import names

from .api_contract import ListedCall
from .call_rows import MAX_COLUMN, CallRow, call_row, request_id
from .database_file import connect
from .retention import Retention, StoreLimits
from .span_record import GaugeRecord, ReceivedBatch, SpanRecord

MAX_PENDING_BYTES = 20 * 2**20
"""Bytes of requests that may wait. A single request may be larger if nothing else waits."""
MAX_BATCH_BYTES = 4 * 2**20
"""Bytes of requests that one transaction writes, if more than one waits."""
CACHE_KIB = 8 * 1024
_log = logging.getLogger("l0.viewer")
_SPAN = """INSERT INTO spans
  (trace_id, span_id, parent_id, name, kind, scope, service, start, duration, failed, detail)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_CALL = f"INSERT INTO calls VALUES ({', '.join('?' * 27)})"
_REQUEST_IDS = f"""SELECT json_extract(detail, '$.attributes."{names.REQUEST_ID}"') FROM spans
  WHERE trace_id = ? AND parent_id = ?"""
_MORE_TO_SEARCH = """UPDATE calls SET search = search || ' ' || ?
  WHERE id = (SELECT id FROM spans WHERE trace_id = ? AND span_id = ?)"""
_GAUGE = """INSERT INTO gauges VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET value = excluded.value, time = excluded.time"""


class QueueFullError(Exception):
    """Too many bytes wait to be written: the sender must send again later."""


class StoreFailedError(Exception):
    """The batch was not written, because of the database or the end of the program. The sender may send it again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One request. ``read``: returns its content; its exception belongs to the sender."""

    read: Callable[[], ReceivedBatch]
    size: int
    done: Future[int] = field(default_factory=Future)
    """The number of rejected spans, once the rest is committed."""


class SpanWriter:
    """The only writer of the database. ``on_calls``: receives the calls of a batch, in the writer's thread."""

    def __init__(
        self,
        path: Path,
        limits: StoreLimits,
        on_calls: Callable[[Sequence[ListedCall]], None],
        *,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ) -> None:
        self._connection = connect(path, cache_kib=CACHE_KIB)
        self._retention = Retention(self._connection, limits)
        self._on_calls = on_calls
        self._max_pending_bytes = max_pending_bytes
        self._jobs: deque[_Job] = deque()
        self._pending_bytes = 0
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="l0-view-writer", daemon=True)
        self._thread.start()

    def submit(self, read: Callable[[], ReceivedBatch], size: int) -> Future[int]:
        """Queue a request of ``size`` bytes. Return a future of the number of its rejected spans.

        Raises `QueueFullError`, and `StoreFailedError` after `close`.
        """
        job = _Job(read, size)
        with self._changed:
            if self._closed:
                raise StoreFailedError("the viewer is shutting down")
            if self._pending_bytes and self._pending_bytes + size > self._max_pending_bytes:
                raise QueueFullError
            self._pending_bytes += size
            self._jobs.append(job)
            self._changed.notify()
        return job.done

    def close(self) -> None:
        """Write everything that waits, then end the thread and close the database."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while jobs := self._next_jobs():
            self._write([job for job in jobs if job.done.set_running_or_notify_cancel()])
            with self._changed:
                self._pending_bytes -= sum(job.size for job in jobs)
        self._connection.close()

    def _next_jobs(self) -> list[_Job]:
        """Return the requests of the next batch, once there are any; none after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            jobs: list[_Job] = []
            taken = 0
            while self._jobs and (not jobs or taken + self._jobs[0].size <= MAX_BATCH_BYTES):
                taken += self._jobs[0].size
                jobs.append(self._jobs.popleft())
            return jobs

    def _write(self, jobs: Sequence[_Job]) -> None:
        read = [(job, received) for job in jobs if (received := _read(job)) is not None]
        try:
            calls = self._commit([received for _, received in read])
        except Exception as error:
            _log.warning("a batch could not be stored: %s", raised())
            refused = isinstance(error, sqlite3.Error)
            failed = StoreFailedError(f"the database refuses data: {error}") if refused else error
            for job, _ in read:
                job.done.set_exception(failed)
            return
        if calls:
            self._on_calls(calls)
        for job, received in read:
            job.done.set_result(received.rejected)

    def _commit(self, batch: Iterable[ReceivedBatch]) -> list[ListedCall]:
        """Store a batch, or nothing of it. Return its new calls."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            calls = [row for received in batch for span in received.spans if (row := self._store(span)) is not None]
            gauges = [gauge for received in batch for gauge in received.gauges]
            if gauges:
                self._connection.executemany(_GAUGE, map(_gauge_values, gauges))
                self._retention.limit_gauges()
            self._retention.added(len(calls))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            self._retention.rolled_back()
            raise
        return calls

    def _store(self, span: SpanRecord) -> ListedCall | None:
        """Store a span, unless it is there already. Return its call if it is a new one."""
        cursor = self._connection.execute(_SPAN, _span_values(span))
        if not cursor.rowcount:
            return None
        row = call_row(span)
        if row is None:
            self._search_for_request(span)
            return None
        self._connection.execute(_CALL, (cursor.lastrowid, *_call_values(row, self._request_ids(row))))
        return row.call

    def _search_for_request(self, attempt: SpanRecord) -> None:
        """Let a search for the id of an attempt's request find its call, if that is stored already."""
        if (found := request_id(attempt)) is not None and attempt.parent_id is not None:
            self._connection.execute(_MORE_TO_SEARCH, (found, attempt.trace_id, attempt.parent_id))

    def _request_ids(self, row: CallRow) -> list[str]:
        """Return the ids of the requests of a call whose attempts are stored already, as most are."""
        if row.call["attempts"] == 1:
            return []
        of_call = (row.call["trace_id"], row.call["span_id"])
        return [str(found)[:MAX_COLUMN] for (found,) in self._connection.execute(_REQUEST_IDS, of_call) if found]


def _read(job: _Job) -> ReceivedBatch | None:
    try:
        return job.read()
    except Exception as error:
        job.done.set_exception(error)
        return None


def _span_values(span: SpanRecord) -> tuple[Any, ...]:
    detail = {
        "attributes": span.attributes,
        "resource": span.resource,
        "status_message": span.status_message,
        "events": [{"time": event.time, "name": event.name, "attributes": event.attributes} for event in span.events],
    }
    return (
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.kind,
        span.scope,
        span.service,
        span.start,
        span.duration,
        span.failed,
        json.dumps(detail),
    )


def _call_values(row: CallRow, request_ids: Sequence[str]) -> tuple[Any, ...]:
    call = row.call
    return (
        call["trace_id"],
        call["span_id"],
        call["start"],
        call["duration"],
        call["service"],
        call["provider"],
        call["model"],
        call["operation"],
        call["outcome"],
        call["error_type"],
        call["cause"],
        call["attempts"],
        call["first_token"],
        call["gap_p95"],
        call["gap_max"],
        call["input_tokens"],
        call["output_tokens"],
        json.dumps(call["finish_reasons"]),
        call["stop_reason"],
        json.dumps(row.causes),
        row.attempts_failed,
        row.wasted_tokens,
        row.unknown_waste,
        row.sdk_retries,
        row.recovery_time,
        " ".join((row.search, *request_ids)),
    )


def _gauge_values(gauge: GaugeRecord) -> tuple[Any, ...]:
    attributes = json.dumps(gauge.attributes, sort_keys=True)
    return gauge.name, gauge.service, gauge.instance, attributes, gauge.value, gauge.time

"""The files of one process: rotation, and the limit of the folder."""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from secrets import token_hex
from time import monotonic

from l0.model.errors import raised

from .recorded_rows import CallRows
from .recording_events import CallBegan, CallOver, Exchanged, Read, RecordingEvent
from .recording_file import RecordingFile, is_in_use, size_of
from .recording_options import RecordingOptions
from .recording_schema import SUFFIX
from .redaction import Redaction

_log = logging.getLogger("l0")
_AFTER_END_S = 5.0
"""Seconds for which a call is remembered after its end, as the rest of its body may be read."""
_numbers = count(1)


class RecordingFiles:
    """The files that one process writes. A call stays in the file in which it began; a full file gets no new calls."""

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self._folder = Path(options.folder)
        self._redaction = Redaction(options.redact)
        self._open: list[RecordingFile] = []
        self._rows: dict[str, tuple[CallRows, RecordingFile]] = {}
        self._over: deque[tuple[float, str]] = deque()
        self._warned = self._warned_of_lost = False
        self._current = self._begin()

    def write(self, batch: Sequence[RecordingEvent]) -> None:
        """Write the events of one interval in one transaction per file. Events of calls that began before a fork are
        ignored."""
        for event in batch:  # before any text is written that may repeat a secret
            if type(event) is Exchanged:
                pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.sent]
                self._redaction.learn(pairs, str(event.url))
        self._check_files()
        rows_with_reads: dict[str, CallRows] = {}
        for event in batch:
            if type(event) is not Read:
                self._write_event(event)
            elif event.id in self._rows:
                rows, _ = self._rows[event.id]
                rows.read(event)
                rows_with_reads[event.id] = rows
        for rows in rows_with_reads.values():
            rows.write_reads()
        self._forget()
        for file in self._open:
            file.commit()
        self._close_full()
        if self._current.size >= self._options.file_bytes:
            self._current = self._begin()

    def _check_files(self) -> None:
        """Warn once if somebody deleted a file that is being written, and begin a new one for new calls."""
        deleted = [file.path for file in self._open if not file.exists]
        if deleted and not self._warned:
            self._warned = True
            _log.warning("%s was deleted while it was written: the calls in it are lost", deleted[0])
        if self._current.path in deleted:
            self._current = self._begin()

    def _write_event(self, event: RecordingEvent) -> None:
        if type(event) is CallBegan:
            rows = CallRows(
                event.id, self._current.add, self._redaction, self._report_lost, content=self._options.content
            )
            self._rows[event.id] = rows, self._current
            self._current.calls.add(event.id)
        if event.id not in self._rows:
            return
        rows, _ = self._rows[event.id]
        rows.write(event)
        if type(event) is CallOver:
            self._over.append((monotonic(), event.id))

    def _report_lost(self) -> None:
        """Log that a part of a call was not recorded: the first time as a warning, as `redact` may always fail."""
        level = logging.DEBUG if self._warned_of_lost else logging.WARNING
        self._warned_of_lost = True
        _log.log(level, "a part of a call was not recorded, and the call is incomplete: %s", raised())

    def _forget(self) -> None:
        """Forget calls that ended `_AFTER_END_S` ago."""
        while self._over and self._over[0][0] < monotonic() - _AFTER_END_S:
            _, id_ = self._over.popleft()
            if id_ in self._rows:
                rows, file = self._rows.pop(id_)
                rows.write_reads(final=True)
                file.calls.discard(id_)

    def _close_full(self) -> None:
        """Close full files whose calls are all over."""
        for file in [file for file in self._open if file is not self._current and not file.calls]:
            self._open.remove(file)
            file.close()

    def _begin(self) -> RecordingFile:
        started = datetime.now(UTC)
        # Containers that share a folder may have the same pid.
        name = f"{started:%Y%m%dT%H%M%S}-{os.getpid()}-{next(_numbers)}-{token_hex(4)}{SUFFIX}"
        meta = {"pid": os.getpid(), "started_unix": started.timestamp(), "program": Path(sys.argv[0]).name}
        self._folder.mkdir(parents=True, exist_ok=True)
        file = RecordingFile(self._folder / name, meta)
        self._open.append(file)
        self._prune()
        return file

    def _prune(self) -> None:
        """Delete the oldest recordings beyond the limit of the folder, but none that a process is writing."""
        sizes = {path: size_of(path) + size_of(path, "-wal") for path in sorted(self._folder.glob(f"*{SUFFIX}"))}
        excess = sum(sizes.values()) - self._options.folder_bytes
        for path, size in sizes.items():
            if excess <= 0:
                return
            if not is_in_use(path):
                with suppress(PermissionError):  # Windows does not delete what a program has open
                    for ending in ("", "-wal", "-shm"):
                        Path(f"{path}{ending}").unlink(missing_ok=True)
                    excess -= size

    def close(self) -> None:
        """Write the reads that wait for a next one, and close all files."""
        for rows, _ in self._rows.values():
            rows.write_reads(final=True)
        for file in self._open:
            file.commit()
        self.abandon()

    def abandon(self) -> None:
        """Close all files without writing anything more."""
        for file in self._open:
            file.close()
        self._open.clear()

"""Append the log lines of calls to a file, one JSON object each, for programs that do not configure logging."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import time

from .log_lines import LogLine

_log = logging.getLogger("l0")
_STREAM = re.compile(r"/dev/(stdout|stderr)|(?:/dev|/proc/self)/fd/([0-9]+)")
_DESCRIPTORS = {"stdout": 1, "stderr": 2}


class LogFile:
    """A file that gets every line, of any level and without a limit. ``clock``: seconds since the epoch.

    The file is opened for each line, so that it may be rotated. Each line is one write, so processes may share the
    file. A path such as ``/dev/stderr`` means the open stream of the process: opened again, a redirected stream would
    get a second position, and the program and L0 would overwrite each other's lines.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time) -> None:
        self.path = path
        stream = _STREAM.fullmatch(path)
        self._descriptor = None if stream is None else int(stream[2] or _DESCRIPTORS[stream[1]])
        self._absolute = Path(path).absolute()  # the program may change folders
        self._clock = clock
        self._failed = False

    def write(self, line: LogLine, ids: dict[str, str]) -> None:
        """Append a line. Warn once if that fails."""
        try:
            self._append(self._json(line, ids))
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning("L0_LOG: %s cannot be written: %s", self.path, error.strerror)

    def _append(self, data: bytes) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, data)
            return
        descriptor = os.open(self._absolute, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def _json(self, line: LogLine, ids: dict[str, str]) -> bytes:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        level = logging.getLevelName(line.level)
        head = {"time": at, "level": level, "pid": os.getpid(), "message": line.text}
        return json.dumps({**head, **line.fields, **ids}, default=str).encode() + b"\n"

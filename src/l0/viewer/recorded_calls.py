"""Find the recorded call that a span reports, and read it on a separate thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from l0.recording.recording import RecordedCall, Recording
from l0.recording.recording_schema import SUFFIX

from .recording_folders import RecordingFolders

T = TypeVar("T")
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSearch(Generic[T]):
    """The result of a search. ``problems``: a text for each file that could not be read. ``found``: what was read from
    the call; ``None`` if the call is in none of the folders."""

    folders: Sequence[Path]
    problems: Sequence[str]
    found: T | None


class RecordedCalls:
    """Reads recorded calls. Files are open only while a call is read, since a recorder may delete them at any time."""

    def __init__(self, folders: RecordingFolders) -> None:
        self._folders = folders
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="l0-view-recordings")

    async def read(
        self, trace_id: str, span_id: str, describe: Callable[[RecordedCall], T | None]
    ) -> RecordingSearch[T]:
        """Find the call of this span, and return what ``describe`` returns for it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._search, trace_id, span_id, describe)

    def _search(self, trace_id: str, span_id: str, describe: Callable[[RecordedCall], T | None]) -> RecordingSearch[T]:
        folders = self._folders.current()
        problems: list[str] = []
        found = recorded = None
        for file in _newest_first(folders):
            try:
                with Recording([file]) as recording:
                    recorded = recording.of_span(trace_id, span_id)
                    found = None if recorded is None else describe(recorded)
                problems += recording.problems
            except Exception as error:  # a file may be damaged, or crafted to do harm
                problems.append(f"{file}: {type(error).__name__}: {error}")
            if recorded is not None:
                break
        return RecordingSearch(folders=folders, problems=problems[:_MAX_PROBLEMS], found=found)

    def close(self) -> None:
        """Wait until the current read ends."""
        self._thread.shutdown()


def _newest_first(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of all folders. Their names begin with the time when their recording began."""
    files = [file for folder in folders for file in folder.glob(f"*{SUFFIX}")]
    yield from sorted(files, key=lambda file: file.name, reverse=True)

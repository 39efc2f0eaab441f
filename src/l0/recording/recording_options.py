"""The settings of a recorder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

from l0.model.callback_check import check_callback
from l0.model.option_names import refuses_unknown_options
from l0.model.policy_error import PolicyError

MIB = 2**20
_SMALLEST = 2**16


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """The folder of the recordings, and their limits in bytes.

    ``content``: keep the bodies of requests, which hold prompts and tool results; if False, only their shape, sizes and
    hashes are kept. ``redact``: a function that removes more secrets from a text; every text that is recorded passes
    through it, on the recorder's thread, a body in parts that end with a line. If it raises, the text is not kept, and
    the call is marked as incomplete. ``file_bytes``: the size at which a new file is begun. ``folder_bytes``: the size
    of all recordings in the folder, beyond which the oldest that no process uses are deleted. ``memory_bytes``: the
    size of reads and requests that may wait to be written; beyond it, the reads of a call are dropped, and the call is
    marked as incomplete.
    """

    folder: str | PathLike[str]
    content: bool = False
    redact: Callable[[str], str] | None = None
    file_bytes: int = 64 * MIB
    folder_bytes: int = 1024 * MIB
    memory_bytes: int = 64 * MIB

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | PathLike) or not os.fspath(self.folder):
            raise PolicyError("record", self.folder, "the path of a folder, a RecordingOptions, or False")
        if not isinstance(self.content, bool):
            raise PolicyError("record_content", self.content, "True or False")
        check_callback("RecordingOptions.redact", self.redact, "a text")
        for name in ("file_bytes", "folder_bytes", "memory_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < _SMALLEST:
                raise PolicyError(f"RecordingOptions.{name}", value, f"a number of bytes, {_SMALLEST} or more")


def recording_options(record: object) -> RecordingOptions | bool | None:
    """Return the options for a folder; options, ``False`` and ``None`` as they are. Raises `PolicyError`."""
    if record is None or record is False or isinstance(record, RecordingOptions):
        return record
    return RecordingOptions(folder=record)  # type: ignore[arg-type]  # it checks the type

"""The folders in which the viewer looks for recorded calls: named by the user, or by `l0 run --view`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .database_file import default_path

_MAX_LISTED = 50
"""Maximum number of folders that are read from the list, the latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFolders:
    """``named``: folders that the user named. ``folders_file``: the file to which `list_folder` adds others; ``None``
    for no file.

    The file is in the user's own state directory. No request of the network can add a folder: the viewer shows
    only what the user, or a program that the user ran, has named.
    """

    named: Sequence[Path] = ()
    folders_file: Path | None = None

    def current(self) -> list[Path]:
        """Return the folders, as absolute paths, each once, those that the user named first."""
        listed = [] if self.folders_file is None else [*_listed(self.folders_file)][: -_MAX_LISTED - 1 : -1]
        return [*dict.fromkeys([*(folder.absolute() for folder in self.named), *listed])]


def default_folders_file() -> Path:
    """Return the file with the list of folders, in the user's state directory."""
    return default_path().with_name("recordings")


def list_folder(folders_file: Path, folder: Path) -> None:
    """Add a folder to the list in a file, unless it is there. Raises `OSError`."""
    if folder in _listed(folders_file):
        return
    folders_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One write of one line: two programs that start at once keep both lines.
    opened = os.open(folders_file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(opened, f"{json.dumps(str(folder))}\n".encode())
    finally:
        os.close(opened)


def _listed(folders_file: Path) -> Iterator[Path]:
    try:
        lines = folders_file.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            folder = json.loads(line)
        except ValueError:  # cut off by a full disk
            continue
        if isinstance(folder, str) and Path(folder).is_absolute():
            yield Path(folder)

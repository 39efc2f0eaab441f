"""Play recorded bodies byte for byte, from a directory or one at a time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from l0.model.option_names import refuses_unknown_options

from .simulator_config import SimulatorError

Chunks = Literal["event", "one", "byte"] | int
"""The split of a raw body into HTTP chunks: by event, all in one, by byte, or a number of bytes per chunk."""

_FOLDERS = {
    "openai-chat": "chat",
    "openai-completion": "completions",
    "responses": "responses",
    "anthropic": "messages",
}
_RECORDING = ".l0"
"""Suffix of the files of `l0.instrument(record=...)`, which hold whole calls. `l0 replay` serves them."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBody:
    """One raw body. It is sent unchanged, whatever it contains."""

    content: bytes
    chunks: Chunks = "event"
    content_type: str = "text/event-stream"
    status: int = 200
    name: str = "played"

    def __post_init__(self) -> None:
        if not (self.chunks in ("event", "one", "byte") or (isinstance(self.chunks, int) and self.chunks > 0)):
            raise ValueError(f"chunks: got {self.chunks!r}, allowed: 'event', 'one', 'byte', a number of bytes")

    @property
    def chunk_size(self) -> int | None:
        """Return the bytes per HTTP chunk; 0 for one chunk per block, None for a single chunk."""
        sizes: dict[Any, int | None] = {"event": 0, "one": None, "byte": 1}
        return sizes[self.chunks] if isinstance(self.chunks, str) else self.chunks


class Traffic:
    """A directory of recorded streams, by dialect. Raises `SimulatorError` if it cannot be read or has no bodies.

    With an `index.json`, its rows (`file`, `kind`) define the bodies. Otherwise the subdirectories `openai-chat`,
    `openai-completion`, `responses` and `anthropic` define the dialect.
    """

    def __init__(self, folder: Path) -> None:
        if folder.suffix == _RECORDING or any(folder.glob(f"*{_RECORDING}")):
            raise SimulatorError(f"traffic_dir: {folder} is a recording of calls, which `l0 replay {folder}` serves")
        if not folder.is_dir():
            raise SimulatorError(f"traffic_dir: {folder} is not a directory")
        self._paths: dict[str, list[Path]] = {}
        for kind, path in _listed(folder):
            self._paths.setdefault(_FOLDERS[kind], []).append(path)
        self._turns: dict[str, int] = {}
        if not self._paths:
            raise SimulatorError(
                f"traffic_dir: {folder} contains no recorded body; allowed are files *.sse in the folders "
                f"{', '.join(_FOLDERS)}, or an index.json"
            )

    def names(self, dialect: str) -> list[str]:
        """Return the names of the bodies of a dialect, in the order in which they are played."""
        return [path.stem for path in self._paths.get(dialect, [])]

    def next(self, dialect: str) -> RecordedBody | None:
        """Return the next body, the first one again after the last; None if the directory has none of that dialect."""
        paths = self._paths.get(dialect)
        if not paths:
            return None
        turn = self._turns.get(dialect, 0)
        self._turns[dialect] = turn + 1
        return _read(paths[turn % len(paths)])

    def named(self, dialect: str, name: str) -> RecordedBody:
        """Return the body of that name (without its suffix). Raises `SimulatorError` if there is none."""
        for path in self._paths.get(dialect, []):
            if path.stem == name:
                return _read(path)
        raise SimulatorError(f"recorded: {name!r} is not among the {len(self.names(dialect))} bodies of {dialect}")


def _listed(folder: Path) -> list[tuple[str, Path]]:
    index = folder / "index.json"
    try:
        if not index.exists():
            return [(kind, path) for kind in _FOLDERS for path in sorted((folder / kind).glob("*.sse"))]
        rows = json.loads(index.read_text(encoding="utf-8"))
        return [(row["kind"], folder / row["file"]) for row in rows if row["kind"] in _FOLDERS]
    except OSError as error:
        raise SimulatorError(f"traffic_dir: cannot read {error.filename or folder}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SimulatorError(f"traffic_dir: {index} is not a list of rows with 'file' and 'kind': {error!r}") from error


def _read(path: Path) -> RecordedBody:
    try:
        return RecordedBody(content=path.read_bytes(), name=f"recorded {path.stem}")
    except OSError as error:
        raise SimulatorError(f"traffic_dir: cannot read {path}: {error.strerror}") from error

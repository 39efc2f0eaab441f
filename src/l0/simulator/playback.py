"""Recorded bodies: played byte for byte, from a folder or one at a time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from l0.simulator.config import SimulatorError

Chunks = Literal["event", "one", "byte"] | int
"""How a raw body is cut into HTTP chunks; a number is bytes per chunk."""

_FOLDERS = {
    "openai-chat": "chat",
    "openai-completion": "completions",
    "responses": "responses",
    "anthropic": "messages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One raw body. It is sent as it stands, whatever it holds."""

    content: bytes
    chunks: Chunks = "event"
    content_type: str = "text/event-stream"
    status: int = 200
    name: str = "played"

    def __post_init__(self) -> None:
        if not (self.chunks in ("event", "one", "byte") or (isinstance(self.chunks, int) and self.chunks > 0)):
            raise ValueError(f"chunks: {self.chunks!r} given, allowed are 'event', 'one', 'byte', a number of bytes")

    @property
    def chunk_size(self) -> int | None:
        """Bytes per chunk; 0 is one block, None the whole body."""
        named: dict[Any, int | None] = {"event": 0, "one": None, "byte": 1}
        return named[self.chunks] if isinstance(self.chunks, str) else self.chunks


class Traffic:
    """A folder of recorded streams, by dialect.

    With an `index.json` its rows (`file`, `kind`) count; without one the subfolders `openai-chat`,
    `openai-completion`, `responses` and `anthropic` say the dialect.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise SimulatorError(f"traffic_dir: {folder} is no folder")
        self._paths: dict[str, list[Path]] = {}
        for kind, path in _listed(folder):
            self._paths.setdefault(_FOLDERS[kind], []).append(path)
        self._turns: dict[str, int] = {}
        if not self._paths:
            raise SimulatorError(f"traffic_dir: {folder} holds no recorded body in {', '.join(_FOLDERS)}")

    def names(self, dialect: str) -> list[str]:
        """The bodies of a dialect, in the order in which they are played."""
        return [path.stem for path in self._paths.get(dialect, [])]

    def next(self, dialect: str) -> Body | None:
        """The next body in turn; None where the folder has none of that dialect."""
        paths = self._paths.get(dialect)
        if not paths:
            return None
        turn = self._turns.get(dialect, 0)
        self._turns[dialect] = turn + 1
        return _read(paths[turn % len(paths)])

    def named(self, dialect: str, name: str) -> Body:
        """The body of that name (without its suffix); raises `SimulatorError`."""
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
        raise SimulatorError(f"traffic_dir: {index} is no list of rows with 'file' and 'kind': {error!r}") from error


def _read(path: Path) -> Body:
    try:
        return Body(content=path.read_bytes(), name=f"recorded {path.stem}")
    except OSError as error:
        raise SimulatorError(f"traffic_dir: cannot read {path}: {error.strerror}") from error

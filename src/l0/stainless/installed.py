"""Read the metadata of installed distributions, with the results of `importlib.metadata` but mostly without its import.

That import takes half of the time of a bare `l0.instrument()`. It is not needed for metadata in the usual place, which
is a folder ``NAME-VERSION.dist-info`` in a folder on `sys.path`. `importlib.metadata` reads all others: archives, eggs,
other finders.
"""

# ruff: noqa: PTH123, PTH208 - pathlib would be imported for this alone

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder


class _UnusualError(Exception):
    """Only `importlib.metadata` can read this."""


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution; ``None`` if none with metadata is installed."""
    name = _normalized(distribution)
    try:
        folder = next((folder for folder in _folders() if _name_of(folder) == name), None)
        return None if folder is None else _version_in(folder)
    except _UnusualError:
        from importlib.metadata import PackageNotFoundError, version
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def entry_points_of(group: str, prefix: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the entry points of a group whose names begin with ``prefix``, by name: their modules and attributes.

    Those that equal the ``known`` ones are left out. `importlib.metadata` is imported only if there may be others.
    """
    lines = {f"{name} = {place}".encode() for name, place in known.items()}
    try:
        if not any(prefix.encode() in line for folder in _folders() for line in _entry_points_in(folder) - lines):
            return {}
    except _UnusualError:
        pass
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=group) if point.name.startswith(prefix)}
    others = {name: point for name, point in found.items() if point.value != known.get(name)}
    return {name: f"{point.module}:{point.attr}" for name, point in others.items()}


def _folders() -> Iterator[str]:
    """Yield the folders that hold metadata, in the order of the search. Raises `_UnusualError` if there may be more."""
    if [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")] != [PathFinder]:
        raise _UnusualError
    for entry in sys.path:
        if not isinstance(entry, str) or entry.lower().endswith(".egg"):
            raise _UnusualError
        try:
            names = os.listdir(entry or ".")
        except NotADirectoryError:  # an archive
            raise _UnusualError from None
        except OSError:
            continue
        yield from (f"{entry or '.'}/{name}" for name in names if name.lower().endswith((".dist-info", ".egg-info")))


def _entry_points_in(folder: str) -> set[bytes]:
    """Return the lines of the file of entry points."""
    try:
        with open(f"{folder}/entry_points.txt", "rb") as file:
            return {line.strip() for line in file}
    except OSError:
        return set()


def _version_in(folder: str) -> str:
    try:
        with open(f"{folder}/METADATA", encoding="utf-8") as file:
            head = file.read(1024)
    except (OSError, ValueError):  # an egg, or a damaged file
        raise _UnusualError from None
    found = re.match(r"(?:\S.*\n)*?Version:(.*)\n", head)
    if found is None:
        raise _UnusualError
    return found[1].strip()


def _name_of(folder: str) -> str:
    return _normalized(folder.rpartition("/")[2].rpartition(".")[0].partition("-")[0])


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()

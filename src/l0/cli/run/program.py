"""Find the program that `l0 run` is to start, and the Python interpreter that will run it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l0.cli.inputs import InputError

_FLAGS_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_LONG_PATH = b"'''exec' "
"""The second line of a script that pip installs where ``#!`` cannot hold the interpreter's path: sh starts it."""
_HEAD = 1024
"""Bytes of a file that are read for its first two lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to start. ``arguments``: its complete command line, the executable first.

    ``name``: of the script, the module or the command, without folder and suffix. ``interpreter``: the Python
    interpreter that runs it, with the flags for the interpreter itself; ``None`` if it is not known to be a Python
    program.
    """

    arguments: tuple[str, ...]
    interpreter: tuple[str, ...] | None
    name: str


def find_program(target: Sequence[str]) -> Program:
    """Return the program that ``target`` names.

    ``target``: ``app.py arg``, ``-m module arg``, a folder or zip file with a ``__main__``, the command of an installed
    package (``uvicorn app:app``), or an interpreter with its flags (``python -X dev app.py``). Commands beside the
    running interpreter come before those of ``PATH``, so that an environment need not be active.

    Raises `InputError` if there is no such program.
    """
    if not target:
        raise InputError("program: got nothing, allowed: a script, -m MODULE, or a command")
    name, *rest = target
    if name == "-m" and not rest:
        raise InputError("-m: got nothing, allowed: the name of a module")
    if name == "-m" or _is_script(Path(name)):
        return Program(arguments=(sys.executable, *target), interpreter=(sys.executable,), name=_name(target))
    if name.startswith("-"):
        raise InputError(f"program: got {name!r}, allowed: options of l0 run, then a script, -m MODULE, or a command")
    executable = _executable(name)
    started = _after_flags(rest) if _is_python(executable) else target
    return Program(
        arguments=(executable, *rest), interpreter=_interpreter(executable, rest), name=_name(started or target)
    )


def _name(target: Sequence[str]) -> str:
    """Return the name of what a command line starts: ``app`` for ``app.py``, ``shop.worker`` for ``-m shop.worker``."""
    first, *rest = target
    return rest[0] if first == "-m" and rest else Path(first).resolve().stem


def _after_flags(arguments: Sequence[str]) -> list[str]:
    """Return the arguments from the script, or from ``-m`` on; none if they contain code (``-c``)."""
    flags = _flags(arguments)
    rest = list(arguments[len(flags) :])
    return [] if rest[:1] == ["-c"] else rest


def _is_script(path: Path) -> bool:
    """Return True for what Python can run by its path: source, a folder or an archive with a ``__main__``."""
    if path.is_dir():
        return (path / "__main__.py").is_file()
    return path.is_file() and (path.suffix in {".py", ".pyw", ".pyc", ".pyz"} or not os.access(path, os.X_OK))


def _executable(name: str) -> str:
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) if os.sep not in name else None
    found = found or shutil.which(name)
    if found is None:
        raise InputError(
            f"program: got {name!r}, allowed: a file, a folder with __main__.py, -m MODULE, or a command in {beside} "
            "or on PATH"
        )
    return found


def _interpreter(executable: str, rest: Sequence[str]) -> tuple[str, ...] | None:
    if _is_python(executable):
        return (executable, *_flags(rest))
    with Path(executable).open("rb") as file:
        first, _, remaining = file.read(_HEAD).partition(b"\n")
    if not first.startswith(b"#!"):
        return None
    second = remaining.partition(b"\n")[0]
    if second.startswith(_LONG_PATH):
        return _interpreter_in(shlex.split(os.fsdecode(second))[1:2])
    line = os.fsdecode(first[2:]).strip()
    return _interpreter_in([line] if Path(line).is_file() else shlex.split(line))  # a path may hold spaces


def _interpreter_in(words: list[str]) -> tuple[str, ...] | None:
    """Return the interpreter that the first line of a script names, if it is Python."""
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not (word.startswith("-") or "=" in word)]
        words[:1] = [found] if words and (found := shutil.which(words[0])) else []
    return tuple(words) if words and _is_python(words[0]) else None


def _is_python(executable: str) -> bool:
    name = Path(executable).name.lower()
    return name.startswith(("python", "pypy")) and Path(executable).suffix not in {".py", ".sh"}


def _flags(arguments: Sequence[str]) -> list[str]:
    """Return the arguments before the script, the module or the code: those for the interpreter itself."""
    flags: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("-") or argument == "-":
            break
        flag = argument if argument.startswith("--") else _own_flags(argument)
        flags.extend([flag] * (flag != "-"))
        if flag != argument:
            break
        if argument in _FLAGS_WITH_VALUE:
            flags.extend(value for value in [next(remaining, None)] if value is not None)
    return flags


def _own_flags(flags: str) -> str:
    """Return the part of a group of flags that is for the interpreter: ``-I`` of ``-Im``, as ``m`` or ``c`` begins the
    program."""
    for position, letter in enumerate(flags):
        if letter in "WX":  # the rest is its value
            break
        if letter in "mc":
            return flags[:position]
    return flags

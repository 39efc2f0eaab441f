"""Run the blocks of a page of the documentation as a reader would: files are written, commands are run in a shell.

A block of Python whose first line is ``# NAME.py`` is this file, and NAME may have folders. In a console block, a line
``$ cat NAME`` shows a file; every other line after ``$`` is a command, and the lines below it are in its output. Digits
and ids of requests may differ.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from l0.simulator.server import Simulator

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w/]+\.py)\n(.*)", re.DOTALL)
_VARYING = re.compile(r"(?<=req_)[0-9a-f]+|\d+")
"""The parts of a line that may differ: digits, and ids of requests."""
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
_SET_UP = ("pip ", "make ", "l0 simulate", "export OPENAI_", "export ANTHROPIC_")
"""The beginnings of commands that the test has run, in its way, before the page begins."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file that the page shows."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the page, and the lines that it shows of its output."""

    text: str
    output: tuple[str, ...]


def steps(page: str) -> Iterator[PageFile | Command]:
    """Yield the files and the commands of a page, in order."""
    for language, block in _FENCE.findall(page):
        if language == "python":
            named = _FILE.match(block)
            if named is not None:
                yield PageFile(*named.groups())
            continue
        for part in _PROMPT.split(block)[1:]:
            command, _, below = part.partition("\n")
            if command.startswith("cat "):
                yield PageFile(command.removeprefix("cat "), below)
            elif not command.startswith(_SET_UP):
                yield Command(command, tuple(below.splitlines()))


def python_blocks(page: str) -> list[str]:
    """Return the blocks of Python of a page."""
    return [block for language, block in _FENCE.findall(page) if language == "python"]


def run_python(page: str, sim: Simulator) -> subprocess.CompletedProcess[str]:
    """Run all blocks of Python of a page as one program, with the simulator as its provider."""
    return run_source("\n".join(python_blocks(page)), sim)


def run_source(source: str, sim: Simulator, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program whose warnings are errors. A collector that is not there costs a warning, nothing else."""
    provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=folder,
        env={**os.environ, **provider, "OTEL_METRIC_EXPORT_TIMEOUT": "100", "OTEL_BSP_EXPORT_TIMEOUT": "100"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_page(page: str, folder: Path, environment: Mapping[str, str], commands: Path | None = None) -> int:
    """Run a page in ``folder`` and return the number of commands. An AssertionError names missing lines.

    ``commands``: the folder of the programs, of this Python by default.
    """
    path = os.pathsep.join([str(commands or Path(sys.executable).parent), os.environ["PATH"]])
    found = list(steps(page))
    shell = subprocess.Popen(
        ["sh", "-c", "\n".join(_script(found, folder))],  # one shell: a command may set variables for later ones
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, problems = shell.communicate(timeout=300)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # what the page started and did not end
    assert not problems, problems
    for number, step in enumerate(found):
        if isinstance(step, Command):
            outputs = [(folder / f"{number}.{stream}").read_text("utf-8") for stream in ("out", "err")]
            check_shown(step.output, "\n".join(outputs), step.text)
            check_order(step.output, outputs, step.text)
    return sum(isinstance(step, Command) for step in found)


def check_shown(lines: Sequence[str], output: str, source: str) -> None:
    """Raise an `AssertionError` if the output of ``source`` lacks lines that the page shows."""
    printed = {_comparable(line) for line in output.splitlines()}
    missing = [line for line in lines if _comparable(line) not in printed]
    assert not missing, f"$ {source}\n{output}\nlacks: {missing}"


def check_order(lines: Sequence[str], outputs: Sequence[str], source: str) -> None:
    """Raise an `AssertionError` if the page shows the lines of one output in another order, or part of a tree.

    ``outputs``: stdout and stderr, which the page may show in any order.
    """
    for output in outputs:
        printed = [_comparable(line) for line in output.splitlines()]
        shown = [line for line in map(_comparable, lines) if line in set(printed)]
        rest = iter(printed)
        assert all(line in rest for line in shown), f"$ {source}\n{output}\nis shown in another order: {shown}"
    rows = [line.lstrip() for line in (*lines, "")]
    torn = [row for row, below in pairwise(rows) if row.startswith("├") and not below.startswith(("├", "└"))]
    assert not torn, f"$ {source}\n{outputs}\nis shown without the rows after {torn}"


def _script(found: Sequence[PageFile | Command], folder: Path) -> Iterator[str]:
    """Yield the lines of the shell. The files of the page are written beside it, and copied when it shows them."""
    for number, step in enumerate(found):
        if isinstance(step, PageFile):
            (folder / f"{number}.file").write_text(step.content, encoding="utf-8")
            yield f"mkdir -p '{Path(step.name).parent}' && cp '{number}.file' '{step.name}'"
        else:
            yield f"{{ {step.text}\n}} >{number}.out 2>{number}.err"


def _comparable(line: str) -> str:
    return " ".join(_VARYING.sub("0", line).split())

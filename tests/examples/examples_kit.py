"""Find the examples and the commands that they print, and run them as a reader does."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
_COMMAND = re.compile(r"^    ((?:python|pytest) examples/.*)$", re.MULTILINE)
HANGS = 300
"""Seconds that only a hang takes."""


def commands() -> dict[str, str]:
    """Return the command of each example that needs no key, by the path of its file below examples/."""
    found = {}
    for file in sorted(FOLDER.rglob("*.py")):
        printed = _COMMAND.search(file.read_text(encoding="utf-8"))
        if printed is not None:
            found[file.relative_to(FOLDER).as_posix()] = printed[1]
    return found


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a reader: no settings of L0, of OpenTelemetry or of an SDK but the given ones."""
    left_out = ("OTEL_", "L0_", "SENTRY_", "OPENAI_", "ANTHROPIC_")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | {
        "PATH": path,
        **variables,
    }


def run(name: str, *more: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run an example by its command, with further arguments, a user's input and variables."""
    return subprocess.run(
        [*shlex.split(commands()[name]), *more],
        cwd=ROOT,
        env=environment(**variables),
        input=typed,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )


@contextmanager
def serving(name: str) -> Iterator[str]:
    """Run an example that is a server, by its command, on a free port, and yield its address."""
    server = subprocess.Popen(
        shlex.split(commands()[name]),
        cwd=ROOT,
        env=environment(PORT="0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stderr is not None
        running = next(line for line in server.stderr if "running on" in line)
        yield re.findall(r"http://[\w.:]+", running)[0]
        server.send_signal(signal.SIGINT)
        server.stderr.read()

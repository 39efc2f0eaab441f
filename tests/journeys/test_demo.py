"""`l0 demo` as a user starts it: in a terminal of 80 by 24, in a pipe, with NO_COLOR, and interrupted."""

from __future__ import annotations

import codecs
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

pty = pytest.importorskip("pty", reason="needs a POSIX terminal")
fcntl = pytest.importorskip("fcntl", reason="needs a POSIX terminal")
termios = pytest.importorskip("termios", reason="needs a POSIX terminal")
pytest.importorskip("rich", reason="the demo needs rich: pip install 'l0-otel[cli]'")

L0 = Path(sys.executable).parent / "l0"
CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)(?:;\d+)*m")
LIMIT_S = 180


class Terminal:
    """A process in a terminal of 80 by 24, and the text that it wrote."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        variables = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self._process = subprocess.Popen(
            [L0, "demo", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**variables, "TERM": "xterm-256color", **environment},
        )
        os.close(terminal)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def read(self, until: Callable[[str], bool] = lambda _: False) -> None:
        """Read until a condition holds for the text, or until the process has closed the terminal."""
        end = time.monotonic() + LIMIT_S
        while not until(self.text):
            assert time.monotonic() < end, self.text[-2000:]
            try:
                chunk = os.read(self._screen, 65_536)
            except OSError:  # Linux reports the closed terminal as an error
                return
            if not chunk:
                return
            self.text += self._decoder.decode(chunk)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Read the rest, and return the exit code."""
        self.read()
        return self._process.wait(LIMIT_S)

    @property
    def final(self) -> list[str]:
        """The lines of the final screen, as text."""
        return ("l0 demo:" + CONTROL.sub("", self.text).replace("\r", "").rpartition("l0 demo:")[2]).splitlines()


def test_final_screen_fits_into_a_terminal_of_80_by_24_and_obeys_no_color() -> None:
    with Terminal("--calls", "1", NO_COLOR="1") as terminal:
        assert terminal.finish() == 0, terminal.text
    assert len(terminal.final) <= 23
    assert max(map(len, terminal.final[:-2])) <= 80  # the commands are as long as the path of this environment
    assert "│ 3. Wait until the" in terminal.text
    assert not COLOUR.search(terminal.text)
    assert "failed after" not in terminal.text  # no log line
    *_, run, view = terminal.final
    assert re.fullmatch(r"  \S*l0 run --policy agent --otlp http://localhost:4318 your_app\.py", run)
    assert re.fullmatch(r"  \S*l0 view", view)


def test_a_pipe_gets_plain_text() -> None:
    done = subprocess.run([L0, "demo", "--calls", "1"], capture_output=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert not CONTROL.search(done.stdout.decode())
    assert lines[0].startswith("l0 demo: ")
    assert max(map(len, lines[:-2])) <= 80
    assert [line.split()[:2] for line in lines if line.startswith("Policy.agent()")] == [["Policy.agent()", "0"]]


def test_an_interruption_shows_the_results_so_far() -> None:
    with Terminal("--calls", "5000") as terminal:
        terminal.read(until=lambda text: re.search(r"[1-9]\d* of 5000 calls", text) is not None)
        terminal.interrupt()
        assert terminal.finish() == 130, terminal.text
    assert re.search(r"bare SDKs +\d+ +\d+ +\d+ +- +[1-9]\d* of 5000 calls", "\n".join(terminal.final))
    assert "Policy.agent()   " in terminal.text
    assert "Traceback" not in terminal.text
    assert COLOUR.search(terminal.text)

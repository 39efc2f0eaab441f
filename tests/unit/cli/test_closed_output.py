"""Commands whose output nobody reads any longer, as in `l0 doctor | head -1`."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

from l0.cli.main import main

CLOSED_OUTPUT = 141
"""The exit code that a shell shows for a program that SIGPIPE ended."""


@contextmanager
def closed_output() -> Iterator[None]:
    """Make stdout a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output, redirect_stdout(output):
        yield


@pytest.fixture(autouse=True)
def log_level_of_other_tests() -> Iterator[None]:
    """The demo mutes the log, and leaves it so if its output is closed: the process is about to end."""
    log = logging.getLogger("l0")
    level = log.level
    yield
    log.setLevel(level)


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", "--json"],
        ["slo", "rules"],
        ["slo", "dashboard"],
        ["simulate", "--help"],
        ["--help"],
        ["--version"],
        ["demo", "--calls", "2", "--concurrency", "2"],
    ],
    ids=" ".join,
)
def test_a_closed_output_ends_a_command_quietly(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with closed_output():
        assert main(arguments) == CLOSED_OUTPUT
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout and stderr"])
def test_the_exit_of_the_interpreter_is_quiet(both: bool, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output, (tmp_path / "err").open("wb") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "l0", "slo", "rules"],
            stdout=output,
            stderr=output if both else errors,
            check=False,
        )
    assert (done.returncode, (tmp_path / "err").read_text()) == (CLOSED_OUTPUT, "")

"""A recording survives a killed process, a fork and a full disk."""

import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from time import monotonic, sleep

import pytest

from l0.recording.recording import Recording
from l0.simulator.server import Simulator
from l0.testing import simulator

PROGRAM = Path(__file__).with_name("recorded_program.py")
KILLS = int(os.environ.get("RECORDING_KILLS", "20"))
"""Number of processes that are killed. 200 for a thorough run."""
LATEST_S = 1.0
"""Seconds: what was over for longer must be in the file."""


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


def started(folder: Path, server: Simulator, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), str(folder), server.openai, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def models(folder: Path) -> set[str]:
    """Return the models of all recorded calls whose end is recorded, with their reads."""
    with Recording.open(folder) as recording:
        calls = list(recording)
        found = {call.call.model for call in calls if call.outcome is not None and call.attempts[0].body}
        assert recording.problems == []
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_killed_process_loses_at_most_the_last_second(tmp_path: Path, server: Simulator) -> None:
    dice = random.Random(1)
    with started(tmp_path, server, "100000", "children") as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for number in range(KILLS):
            folder = tmp_path / str(number)
            print(folder, file=program.stdin, flush=True)
            child = int(program.stdout.readline().removeprefix("child "))
            sleep(dice.uniform(0.0, 1.5))
            killed = monotonic()
            os.kill(child, signal.SIGKILL)
            over = [line.split() for line in takewhile(lambda line: line != "killed\n", program.stdout)]
            lasting = {f"call-{number}" for number, at in over if float(at) < killed - LATEST_S}
            assert lasting <= (models(folder) if list(folder.glob("*.l0")) else set())
        program.stdin.close()


def test_a_process_that_ends_writes_everything(tmp_path: Path, server: Simulator) -> None:
    with started(tmp_path, server, "5") as program:
        _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    assert models(tmp_path) == {f"call-{number}" for number in range(6)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_forked_workers_write_files_of_their_own(tmp_path: Path, server: Simulator) -> None:
    with started(tmp_path, server, "3", "fork") as program:
        _, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    assert len(list(tmp_path.glob("*.l0"))) == 3
    expected = {f"call-{number}" for number in (0, 1, 2, 3, 1000, 1001, 1002, 2000, 2001, 2002)}
    assert models(tmp_path) == expected


def test_a_full_disk_is_one_warning_and_the_calls_go_on(tmp_path: Path, server: Simulator) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, str(PROGRAM), str(tmp_path), server.openai, "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 61
    assert [line for line in done.stderr.splitlines() if line] == [
        line for line in done.stderr.splitlines() if line.startswith("calls are not recorded any more")
    ]
    assert done.stderr.count("calls are not recorded any more") == 1

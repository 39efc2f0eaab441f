"""Log lines go to a file, or to an open stream of the process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from l0.telemetry.log_file import LogFile
from l0.telemetry.log_lines import LogLine
descriptor = int(sys.argv[2])
log = LogFile(sys.argv[1])
for number in range(3):
    os.write(descriptor, b"line %d of the program, which is longer than it needs to be\\n" % number)
    log.write(LogLine(level=30, text=f"line {number} of L0"), {})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
@pytest.mark.parametrize(
    ("path", "descriptor"),
    [
        ("/dev/stdout", 1),
        ("/dev/stderr", 2),
        ("/dev/fd/1", 1),
        pytest.param(
            "/proc/self/fd/2", 2, marks=pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
        ),
    ],
)
def test_lines_to_a_redirected_stream_lie_between_those_of_the_program(
    tmp_path: Path, path: str, descriptor: int
) -> None:
    with (tmp_path / "app.log").open("wb") as file:
        command = [sys.executable, "-c", PROGRAM, path, str(descriptor)]
        stdout, stderr = (file, None) if descriptor == 1 else (None, file)
        subprocess.run(command, check=True, stdout=stdout, stderr=stderr)
    lines = (tmp_path / "app.log").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines[::2]] == [f"line {number} of the program" for number in range(3)]
    assert [json.loads(line)["message"] for line in lines[1::2]] == [f"line {number} of L0" for number in range(3)]

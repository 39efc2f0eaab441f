"""`l0 replay` in a separate process, and its invalid input."""

import re
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import openai
import pytest

import l0
from l0.cli.main import main
from l0.simulator.server import Simulator


@pytest.fixture
def recording(sim: Simulator, tmp_path: Path) -> Path:
    """A recording of one call."""
    l0.instrument(record=tmp_path)
    ask(sim.openai)
    l0.uninstrument()
    return tmp_path


def ask(url: str) -> str:
    with openai.OpenAI(api_key="x", base_url=url) as client:
        messages = [{"role": "user", "content": "hello [[simulate: answer short]]"}]
        answer = client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
        return answer.choices[0].message.content or ""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_replay_serves_a_recording_and_stops_on_a_signal(recording: Path, stop: signal.Signals) -> None:
    command = [sys.executable, "-m", "l0", "replay", str(recording), "--call", "last", "--speed", "max", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, *more = takewhile(lambda line: line != "Press Ctrl-C to stop.\n", process.stdout)
            found = re.fullmatch(r"1 recorded request at (http://127\.0\.0\.1:\d+)\n", first)
            assert found
            assert more[-1] == "  1 x /v1/chat/completions\n"
            assert ask(f"{found[1]}/v1") == "Yes."
            process.send_signal(stop)
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--speed", "fast"], ["--speed", "fast", "max"]),
        (["--speed", "0"], ["speed", "0.0", "above 0"]),
        (["--port", "70000"], ["port", "70000", "65535"]),
        (["--call", "zz"], ["zz", "no call found"]),
    ],
)
def test_replay_refuses_invalid_values(
    recording: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], names: list[str]
) -> None:
    assert main(["replay", str(recording), *arguments]) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in names), error


def test_replay_names_a_folder_without_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err

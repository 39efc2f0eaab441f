"""`l0 view` in a separate process, its options and its errors."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from viewer_client import ViewerClient, call

from l0.cli.main import main
from l0.viewer.database_file import default_path
from l0.viewer.viewer_server import ViewerConfig


def start(db: Path) -> tuple["subprocess.Popen[str]", ViewerClient, str]:
    command = [sys.executable, "-m", "l0", "view", "--port", "0", "--db", str(db)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    found = re.search(r"http://127\.0\.0\.1:(\d+)", lines[0])
    assert found, process.communicate()
    return process, ViewerClient(int(found[1])), "".join(lines)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_view_receives_and_stops_on_a_signal(tmp_path: Path, stop: signal.Signals) -> None:
    process, viewer, said = start(tmp_path / "view.db")
    try:
        assert str(tmp_path / "view.db") in said
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT={viewer.origin}" in said
        viewer.send(call(1))
        assert viewer.get("/api/calls")["total"] == 1
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
        assert errors == ""
        assert process.returncode in (0, -stop)
    finally:
        process.kill()
        process.wait()


def test_killed_viewer_has_lost_nothing_that_it_accepted(tmp_path: Path) -> None:
    process, viewer, _ = start(tmp_path / "view.db")
    try:
        viewer.send(*map(call, range(1, 101)))
        process.kill()
        process.communicate(timeout=60)
        process, viewer, _ = start(tmp_path / "view.db")
        assert viewer.get("/api/calls")["total"] == 100
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--port", "70000"], ["--port", "70000", "65535"]),
        (["--keep-calls", "0"], ["--keep-calls", "1 to"]),
        (["--keep-mb", "-1"], ["--keep-mb", "1 to"]),
        (["--port", "0", "--db", "."], ["cannot be opened", "--db"]),
        (["--recordings", __file__], ["--recordings", "test_view.py", "a folder"]),
    ],
)
def test_view_input_error_names_the_option(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        assert main(["view", *arguments]) == 2
    finally:
        signal.signal(signal.SIGINT, before)
    error = capsys.readouterr().err
    assert all(name in error for name in names), error


def test_folders_of_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[ViewerConfig] = []
    monkeypatch.setattr("l0.viewer.viewer_server.serve", lambda config, _: served.append(config))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("L0_RECORD", "from_environment")
    before = signal.getsignal(signal.SIGINT)
    try:
        assert main(["view", "--recordings", "a", "--recordings", str(tmp_path)]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    (config,) = served
    assert config.recordings.named == [Path("a"), tmp_path, Path("from_environment")]
    assert config.recordings.folders_file == default_path().with_name("recordings")


def test_help_says_what_is_kept_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["view", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for part in (
        "100,000 calls",
        "1,000 MB",
        "$XDG_STATE_HOME",
        "~/.local/state",
        "--db",
        "logs are accepted and dropped",
    ):
        assert part in said


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "l0.viewer.viewer_server", None)
    assert main(["view", "--port", "0"]) == 2
    assert "pip install 'l0-otel[viewer]'" in capsys.readouterr().err

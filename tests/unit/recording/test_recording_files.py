"""The files of several processes share a folder: none deletes or overwrites what another one is writing."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from recording_kit import begin, calls_in, recorder

from l0.model.call import Outcome
from l0.recording import recording_files
from l0.recording.recorder import FlightRecorder
from l0.recording.recording_file import RecordingFile
from l0.recording.recording_files import RecordingFiles
from l0.recording.recording_options import RecordingOptions

WRITER = """
import sys
from pathlib import Path
from l0.recording.recording_file import RecordingFile
file = RecordingFile(Path(sys.argv[1]), {"pid": 1})
print("ready", flush=True)
sys.stdin.readline()
"""


@contextmanager
def other_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that is writing the file ``path``."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def begin_file(folder: Path) -> None:
    """Begin a file in a folder that is over its limit, which deletes what may be deleted."""
    (folder / "99990101T000000-1-1.l0").write_bytes(b"x" * 2**17)
    RecordingFiles(RecordingOptions(folder=folder, folder_bytes=2**16)).close()


def record_call(made: FlightRecorder) -> str:
    call = begin(made)
    call.ended(Outcome.OK, None, 1.0)
    made.flush()
    return call.id


def test_the_limit_of_the_folder_spares_a_file_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "20000101T000000-1-1.l0"
    with other_process(path):
        begin_file(tmp_path)
        assert path.exists()
    begin_file(tmp_path)
    assert not path.exists()
    assert not [*tmp_path.glob("2000*")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # CPython 3.12 and newer warn of threads
def test_a_forked_child_spares_the_file_of_its_parent(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        record_call(made)
        (path,) = tmp_path.glob("*.l0")
        child = os.fork()
        if not child:
            status = 1
            try:
                begin_file(tmp_path)
                status = 0 if path.exists() else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        begin_file(tmp_path)
        second = record_call(made)
    assert second in {call.id for call in calls_in(path)}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete open files")
@pytest.mark.parametrize("whole_folder", [False, True], ids=["file", "folder"])
def test_a_deleted_file_is_one_warning_and_a_new_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, whole_folder: bool
) -> None:
    folder = tmp_path / "runs"
    with recorder(folder) as made:
        kept = [record_call(made)]
        for _ in range(2):  # the second time, there is no second warning
            if whole_folder:
                shutil.rmtree(folder)
            else:
                for path in folder.glob("*.l0*"):
                    path.unlink()
            kept = [record_call(made)]
        kept.append(record_call(made))
    assert [call.id for call in calls_in(folder)] == kept
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was deleted" in caplog.text


def test_two_processes_with_one_pid_and_second_have_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_files, "_numbers", iter([1, 1]))
    monkeypatch.setattr(os, "getpid", lambda: 7)
    options = RecordingOptions(folder=tmp_path)
    both = [RecordingFiles(options), RecordingFiles(options)]
    for files in both:
        files.close()
    assert len([*tmp_path.glob("*.l0")]) == 2


def test_a_file_never_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "20000101T000000-1-1.l0"
    RecordingFile(path, {"pid": 1}).close()
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        RecordingFile(path, {"pid": 2})
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]

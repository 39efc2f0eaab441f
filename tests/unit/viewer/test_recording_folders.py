"""The folders of recorded calls: those that the user named, then the latest of the list."""

import sys
import threading
from pathlib import Path

import pytest

from l0.viewer.recording_folders import RecordingFolders, list_folder


def test_folders_are_absolute_and_each_is_there_once(tmp_path: Path) -> None:
    listed = tmp_path / "state" / "recordings"
    for name in ("a", "b", "a", "named"):
        list_folder(listed, tmp_path / name)
    folders = RecordingFolders(named=[tmp_path / "named", Path("here")], folders_file=listed)
    assert folders.current() == [tmp_path / "named", Path.cwd() / "here", tmp_path / "b", tmp_path / "a"]


def test_folder_that_is_listed_later_is_found(tmp_path: Path) -> None:
    folders = RecordingFolders(folders_file=tmp_path / "recordings")
    assert folders.current() == []
    list_folder(tmp_path / "recordings", tmp_path / "late\nline \u00e9")
    assert folders.current() == [tmp_path / "late\nline \u00e9"]


def test_only_the_latest_folders_are_searched(tmp_path: Path) -> None:
    for number in range(60):
        list_folder(tmp_path / "recordings", tmp_path / str(number))
    found = RecordingFolders(folders_file=tmp_path / "recordings").current()
    assert [folder.name for folder in found] == [str(number) for number in range(59, 9, -1)]


def test_lines_that_name_no_absolute_folder_are_ignored(tmp_path: Path) -> None:
    listed = tmp_path / "recordings"
    listed.write_bytes(b'\n{"a": 1}\n"relative"\nnull\n"cut off\n\xff\n')
    list_folder(listed, tmp_path / "good")
    assert RecordingFolders(folders_file=listed).current() == [tmp_path / "good"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_list_is_its_owners(tmp_path: Path) -> None:
    list_folder(tmp_path / "state" / "recordings", tmp_path)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "recordings").stat().st_mode & 0o777 == 0o600


def test_programs_that_start_at_once_all_list_their_folder(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(20)]
    threads = [threading.Thread(target=list_folder, args=(tmp_path / "recordings", folder)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(RecordingFolders(folders_file=tmp_path / "recordings").current()) == set(folders)

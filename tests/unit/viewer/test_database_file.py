"""The file of the viewer: its place, its rights, and files that are not ours."""

import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from viewer_client import call, running_viewer

from l0.viewer.database_file import DatabaseError, create, default_path


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places")
def test_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "l0" / "view.db"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_path() == Path.home() / ".local" / "state" / "l0" / "view.db"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_only_the_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "view.db"
    with running_viewer(path) as viewer:
        viewer.send(call(1))
        files = [path, *path.parent.iterdir()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert len(files) > 2  # the write-ahead log as well


def test_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE calls (precious TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"other\.db belongs to another program; name another file with --db"):
        create(path)
    assert path.read_bytes() == before


def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("plain text " * 100)
    with pytest.raises(DatabaseError, match=r"cannot be opened .*not a database"):
        create(path)


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        create(tmp_path / "file" / "view.db")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        create(tmp_path)


def test_file_of_another_version_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "view.db"
    with running_viewer(path) as viewer:
        viewer.send(call(1))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("DROP TABLE gauges")
    connection.close()
    with running_viewer(path) as viewer:
        assert viewer.get("/api/calls")["total"] == 0
        viewer.send(call(1))
        assert viewer.get("/api/calls")["total"] == 1

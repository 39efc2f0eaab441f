"""The writer: a bounded queue, answers after the commit, and a restart that keeps everything."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event

import pytest
from viewer_client import HANGS, ViewerClient, call, running_viewer, traces

from l0.viewer import otlp_json
from l0.viewer.database_file import connect, create
from l0.viewer.retention import StoreLimits
from l0.viewer.span_record import ReceivedBatch
from l0.viewer.span_writer import QueueFullError, SpanWriter, StoreFailedError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "view.db")
    return tmp_path / "view.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SpanWriter]:
    made = SpanWriter(path, StoreLimits(), lambda _: None, max_pending_bytes=100)
    yield made
    made.close()


def batch(number: int) -> Callable[[], ReceivedBatch]:
    return lambda: otlp_json.read("traces", traces(call(number)))


def count(path: Path) -> int:
    connection = connect(path)
    (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    connection.close()
    return int(calls)


def test_answer_comes_after_the_commit(writer: SpanWriter, path: Path) -> None:
    for number in range(1, 4):
        assert writer.submit(batch(number), 10).result(HANGS) == 0
        assert count(path) == number


class Gate:
    """A request whose content is read only when the test says so, and that holds the writer until then."""

    def __init__(self) -> None:
        self.entered, self.open = Event(), Event()

    def __call__(self) -> ReceivedBatch:
        self.entered.set()
        assert self.open.wait(HANGS)
        return ReceivedBatch()


def test_full_queue_refuses_and_what_was_accepted_is_written(writer: SpanWriter, path: Path) -> None:
    gate = Gate()
    held = writer.submit(gate, 40)
    assert gate.entered.wait(HANGS)
    accepted = [writer.submit(batch(number), 30) for number in (1, 2)]
    with pytest.raises(QueueFullError):
        writer.submit(batch(3), 1)
    gate.open.set()
    assert [one.result(HANGS) for one in (held, *accepted)] == [0, 0, 0]
    assert count(path) == 2


def test_a_large_request_is_accepted_if_nothing_waits(writer: SpanWriter, path: Path) -> None:
    assert writer.submit(batch(1), 10_000).result(HANGS) == 0
    assert count(path) == 1


def test_an_error_of_one_request_is_its_own(writer: SpanWriter, path: Path) -> None:
    def broken() -> ReceivedBatch:
        raise ZeroDivisionError

    gate = Gate()
    writer.submit(gate, 1)
    assert gate.entered.wait(HANGS)
    first, second = writer.submit(broken, 1), writer.submit(batch(1), 1)
    gate.open.set()
    assert isinstance(first.exception(HANGS), ZeroDivisionError)
    assert second.result(HANGS) == 0
    assert count(path) == 1


def test_cancelled_request_is_dropped(writer: SpanWriter, path: Path) -> None:
    gate = Gate()
    writer.submit(gate, 1)
    assert gate.entered.wait(HANGS)
    first, second = writer.submit(batch(1), 1), writer.submit(batch(2), 1)
    assert first.cancel()
    gate.open.set()
    assert second.result(HANGS) == 0
    assert count(path) == 1


def test_database_that_refuses_data_fails_the_batch_and_not_the_writer(writer: SpanWriter, path: Path) -> None:
    assert writer.submit(batch(1), 1).result(HANGS) == 0
    connection = connect(path)
    connection.execute("ALTER TABLE calls RENAME TO away")
    error = writer.submit(batch(2), 1).exception(HANGS)
    assert isinstance(error, StoreFailedError)
    assert "no such table" in str(error)
    connection.execute("ALTER TABLE away RENAME TO calls")
    connection.close()
    assert writer.submit(batch(2), 1).result(HANGS) == 0
    assert count(path) == 2


def test_close_writes_what_waits(path: Path) -> None:
    writer = SpanWriter(path, StoreLimits(), lambda _: None)
    gate = Gate()
    writer.submit(gate, 1)
    waiting: list[Future[int]] = [writer.submit(batch(number), 1) for number in range(1, 6)]
    gate.open.set()
    writer.close()
    assert [one.result(0) for one in waiting] == [0] * 5
    assert count(path) == 5
    with pytest.raises(StoreFailedError):
        writer.submit(batch(9), 1)


def test_full_queue_is_answered_with_retry_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise QueueFullError

    monkeypatch.setattr(SpanWriter, "submit", full)
    with running_viewer(tmp_path / "view.db") as viewer:
        answer = viewer.post_json("traces", traces(call(1)))
    assert (answer.status, answer.headers["retry-after"], answer.json["code"]) == (503, "1", 14)


def test_restart_keeps_everything(tmp_path: Path) -> None:
    def shown(viewer: ViewerClient) -> tuple[object, object]:
        return viewer.get("/api/calls"), viewer.get("/api/overview")

    with running_viewer(tmp_path / "view.db") as viewer:
        viewer.send(*map(call, range(1, 6)))
        before = shown(viewer)
    with running_viewer(tmp_path / "view.db") as viewer:
        assert shown(viewer) == before
        viewer.send(call(6))
        assert viewer.get("/api/calls")["total"] == 6


def test_two_writers_of_one_file(path: Path) -> None:
    first, second = (SpanWriter(path, StoreLimits(), lambda _: None) for _ in range(2))
    written = [writer.submit(batch(number), 1) for number, writer in enumerate([first, second] * 5, 1)]
    assert [one.result(HANGS) for one in written] == [0] * 10
    first.close()
    second.close()
    assert count(path) == 10
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()

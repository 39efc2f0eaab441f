"""Windows that outlive the process."""

from __future__ import annotations

import os
import sqlite3
import threading

import pytest
from makers import Clock

from l0.model.failure import Cause, Failure
from l0.shared_state import slo_storage
from l0.shared_state.slo_storage import Saver, Storage
from l0.shared_state.slo_tracker import SloTracker
from l0.slo.burn import DAY, HOUR, Count
from l0.slo.judging import AttemptRecord
from l0.slo.objective import Indicator, Objective
from l0.slo.rolling_windows import Bucket

START = 1_700_000_000.0
TARGET = ("openai", "gpt-4o")
FIRST = Objective(name="quick", indicator=Indicator.FIRST_TOKEN, target=0.9, threshold=2.0)
UP = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.9)
GOOD = AttemptRecord(streaming=True, failure=None, opened=True, waited=1.0, first_content=1.0)
BAD = AttemptRecord(streaming=True, failure=Failure(cause=Cause.SERVER_ERROR, message="x"), opened=False, waited=1.0)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


def standing(slos: SloTracker, name: str) -> Count:
    return next(one.count for one in slos.report().standings if one.objective.name == name)


def test_a_restart_goes_on_where_the_last_process_ended(tmp_path, clock):
    for run in range(3):
        slos = SloTracker(clock)
        slos.start([UP, FIRST], storage=Storage(tmp_path / "slo.db"))
        for attempt in (GOOD, BAD, GOOD):
            slos.attempt(TARGET, attempt)
        assert standing(slos, "up") == Count(run + 1, 3 * (run + 1))
        assert standing(slos, "quick") == Count(0, 2 * (run + 1))
        assert next(tally.count for tally in slos.tallies() if tally.slo == "up") == Count(1, 3)
        slos.stop()
        clock.now += HOUR


def test_with_another_threshold_other_events_were_good(tmp_path, clock):
    slos = SloTracker(clock)
    slos.start([FIRST], storage=Storage(tmp_path / "slo.db"))
    slos.attempt(TARGET, GOOD)
    slos.stop()
    stricter = Objective(name="quick", indicator=Indicator.FIRST_TOKEN, target=0.9, threshold=0.5)
    slos.start([stricter], storage=Storage(tmp_path / "slo.db"))
    slos.attempt(TARGET, GOOD)
    assert standing(slos, "quick") == Count(1, 1)
    slos.stop()


def test_processes_that_share_a_file_add_to_it(tmp_path, clock):
    path = tmp_path / "slo.db"
    both = [SloTracker(clock), SloTracker(clock)]
    for slos in both:
        slos.start([UP], storage=Storage(path))
        slos.attempt(TARGET, BAD)
    for slos in both:
        slos.stop()
    third = SloTracker(clock)
    third.start([UP], storage=Storage(path))
    third.attempt(TARGET, GOOD)
    assert standing(third, "up") == Count(2, 3)
    third.stop()


def test_what_no_window_reaches_any_more_is_forgotten(tmp_path):
    storage = Storage(tmp_path / "slo.db")
    key = ("up", *TARGET)
    widths = (10, 60, 600, 7200)
    storage.add([(key, Bucket(width, int(START) // width * width, Count(1, 2))) for width in widths], START)
    left = []
    for later in (0, HOUR, 3 * HOUR, 2 * DAY, 31 * DAY):
        storage.add([], START + later)
        left.append(sorted(bucket.width for _, bucket in storage.load()))
    assert left == [[10, 60, 600, 7200], [60, 600, 7200], [600, 7200], [7200], []]


def test_a_file_that_cannot_be_written_is_said_once_and_nothing_is_lost(tmp_path, clock, caplog):
    path = tmp_path / "slo.db"
    storage = Storage(path)
    rows = [[(("up", *TARGET), Bucket(10, int(START) // 10 * 10, Count(0, 1)))], [], []]
    saver = Saver(storage, lambda: rows.pop(0), clock)
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE l0_slo_events RENAME TO gone")
        database.execute("CREATE VIEW l0_slo_events AS SELECT * FROM gone")
    database.close()
    saver.save()
    saver.save()
    assert caplog.text.count("are not stored") == 1
    with sqlite3.connect(path) as database:
        database.execute("DROP VIEW l0_slo_events")
        database.execute("ALTER TABLE gone RENAME TO l0_slo_events")
    database.close()
    saver.stop()
    assert [bucket.count for _, bucket in storage.load()] == [Count(0, 1)]


def test_a_thread_saves_now_and_then(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(slo_storage, "EVERY", 0.001)
    asked = threading.Event()

    def unsaved() -> list[object]:
        asked.set()
        return []

    saver = Saver(Storage(tmp_path / "slo.db"), unsaved, clock)
    saver.begin()
    saver.begin()
    assert asked.wait(10)
    saver.stop()
    assert saver._thread is not None
    assert not saver._thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_saves_what_is_its_own(tmp_path, clock):
    path = tmp_path / "slo.db"
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path))
    slos.attempt(TARGET, BAD)
    child = os.fork()
    if child == 0:
        slos.attempt(TARGET, GOOD)
        slos.stop()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    slos.stop()
    assert {bucket.count for _, bucket in Storage(path).load()} == {Count(1, 2)}


def test_what_waits_for_a_file_stays_bounded(tmp_path, clock, monkeypatch):
    storage = Storage(tmp_path / "slo.db")

    def away(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(storage, "add", away)
    slos = SloTracker(clock)
    slos.start([UP])
    saver = Saver(storage, slos._unsaved, clock)
    for _ in range(3000):
        slos.attempt(TARGET, GOOD)
        saver.save()
        clock.now += 7
    assert len(saver._missed) < 700
    assert sum(bucket.count.total for _, bucket in saver._missed if bucket.width == 7200) == 3000

"""Windows that outlive the process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from makers import Clock

from l0.model.failure import Cause, Failure
from l0.shared_state import slo_storage, termination
from l0.shared_state.slo_history import StoredWindows, TargetHistory
from l0.shared_state.slo_storage import Saver, Storage, stored_rows
from l0.shared_state.slo_tracker import MAX_TARGETS, SloTracker, _Targets, stored_report
from l0.slo.burn import DAY, HOUR, Count
from l0.slo.judging import AttemptRecord
from l0.slo.objective import Indicator, Objective
from l0.slo.rolling_windows import Bucket
from l0.slo.status_report import Burn

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
    return next(one.count for one in slos.report().statuses if one.objective.name == name)


def test_storage_continues_the_counts_of_the_last_process(tmp_path, clock):
    for run in range(3):
        slos = SloTracker(clock)
        slos.start([UP, FIRST], storage=Storage(tmp_path / "slo.db"))
        for attempt in (GOOD, BAD, GOOD):
            slos.record_attempt(TARGET, attempt)
        assert standing(slos, "up") == Count(run + 1, 3 * (run + 1))
        assert standing(slos, "quick") == Count(0, 2 * (run + 1))
        assert next(tally.count for tally in slos.tallies() if tally.slo == "up") == Count(1, 3)
        slos.stop()
        clock.now += HOUR


def test_storage_stays_in_its_folder(tmp_path, clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage("slo.db"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    slos.record_attempt(TARGET, GOOD)
    slos.stop()
    assert not list(tmp_path.glob("elsewhere/*"))
    assert stored_rows(tmp_path / "slo.db")


def test_events_of_targets_that_are_dropped_are_stored(tmp_path, clock):
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(tmp_path / "slo.db"))
    models = [f"model-{number}" for number in range(MAX_TARGETS + 20)]
    for model in (*models, models[0]):
        slos.record_attempt(("openai", model), GOOD)
    slos.stop()
    stored = stored_report(stored_rows(tmp_path / "slo.db"), [UP], clock()).statuses
    assert {status.model: status.count.total for status in stored} == dict.fromkeys(models, 1) | {models[0]: 2}


def test_events_from_before_a_fleet_are_stored(tmp_path, clock):
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(tmp_path / "slo.db"))
    slos.record_attempt(TARGET, GOOD)
    slos.share(None)
    slos.record_attempt(TARGET, GOOD)
    slos.stop()
    (status,) = stored_report(stored_rows(tmp_path / "slo.db"), [UP], clock()).statuses
    assert status.count == Count(0, 2)


def test_forked_child_does_not_store_what_its_parent_dropped(clock):
    targets = _Targets(lambda target: TargetHistory(target, [UP], clock, StoredWindows()), 1, stores=True)
    for model in ("first", "second"):
        targets["openai", model].record_attempt(GOOD, clock())
    targets.renew()
    assert targets.take_unsaved() == []


def test_with_another_threshold_other_events_were_good(tmp_path, clock):
    slos = SloTracker(clock)
    slos.start([FIRST], storage=Storage(tmp_path / "slo.db"))
    slos.record_attempt(TARGET, GOOD)
    slos.stop()
    stricter = Objective(name="quick", indicator=Indicator.FIRST_TOKEN, target=0.9, threshold=0.5)
    slos.start([stricter], storage=Storage(tmp_path / "slo.db"))
    slos.record_attempt(TARGET, GOOD)
    assert standing(slos, "quick") == Count(1, 1)
    slos.stop()


def test_processes_that_share_a_file_add_to_it(tmp_path, clock):
    path = tmp_path / "slo.db"
    both = [SloTracker(clock), SloTracker(clock)]
    for slos in both:
        slos.start([UP], storage=Storage(path))
        slos.record_attempt(TARGET, BAD)
    for slos in both:
        slos.stop()
    third = SloTracker(clock)
    third.start([UP], storage=Storage(path))
    third.record_attempt(TARGET, GOOD)
    assert standing(third, "up") == Count(2, 3)
    third.stop()


def test_a_report_of_a_store_needs_no_call(tmp_path, clock):
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(tmp_path / "slo.db"))
    slos.record_attempt(TARGET, BAD)
    slos.stop()
    later = SloTracker(clock)
    later.start([UP], storage=Storage(tmp_path / "slo.db"))
    assert standing(later, "up") == Count(1, 1)
    assert later.report().statuses[0].model == "gpt-4o"
    later.stop()


def burns_reported(path, clock, *attempts: AttemptRecord, told: bool = True) -> list[float]:
    """The factors of the burns that one process reports."""
    burns: list[float] = []
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path), on_burn=(lambda burn: burns.append(burn.pair.factor)) if told else None)
    for attempt in attempts:
        slos.record_attempt(TARGET, attempt)
    slos.stop()
    return burns


def test_a_burn_is_reported_by_one_process_only(tmp_path, clock):
    path = tmp_path / "slo.db"
    assert burns_reported(path, clock, *[BAD] * 30) == [6.0, 3.0, 1.0]
    for _ in range(2):
        clock.now += 60
        assert burns_reported(path, clock, BAD) == []


def test_a_restart_does_not_report_a_burn_again_that_has_lasted_for_days(tmp_path, clock):
    """A burn may last longer than its long window, after which the store forgets when it was reported."""
    path = tmp_path / "slo.db"
    burns: list[float] = []
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path), on_burn=lambda burn: burns.append(burn.pair.factor))
    for minute in range(5 * DAY // 600):
        slos.record_attempt(TARGET, BAD if minute % 2 else GOOD)
        clock.now += 600
    slos.stop()
    reported = set(burns)
    assert {3.0, 1.0} <= reported
    assert not reported & set(burns_reported(path, clock, *[BAD] * 5))


def test_a_burn_whose_report_failed_is_not_marked_as_reported(tmp_path, clock):
    def fail(_: Burn) -> None:
        raise OSError

    path = tmp_path / "slo.db"
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path), on_burn=fail)
    for _ in range(30):
        slos.record_attempt(TARGET, BAD)
        clock.now += 60
    slos.stop()
    assert {6.0, 3.0, 1.0} <= set(burns_reported(path, clock, BAD))


def test_a_burn_that_no_process_reported_is_reported_by_the_next(tmp_path, clock):
    path = tmp_path / "slo.db"
    assert burns_reported(path, clock, *[BAD] * 30, told=False) == []
    assert burns_reported(path, clock, BAD) == [6.0, 3.0, 1.0]


def test_a_new_burn_is_reported_by_a_later_process(tmp_path, clock):
    path = tmp_path / "slo.db"
    assert burns_reported(path, clock, *[BAD] * 30) == [6.0, 3.0, 1.0]
    clock.now += 4 * DAY
    assert burns_reported(path, clock, *[BAD] * 30) == [6.0, 3.0, 1.0]


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


def test_unwritable_file_is_reported_once_without_loss(tmp_path, clock, caplog):
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
    monkeypatch.setattr(slo_storage, "MAX_INTERVAL", 0.001)
    asked = threading.Event()

    def unsaved() -> list[object]:
        asked.set()
        return []

    saver = Saver(Storage(tmp_path / "slo.db"), unsaved, clock)
    saver.begin()
    saver.begin()
    assert asked.wait(120)
    saver.stop()
    assert saver._thread is not None
    assert not saver._thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_saves_its_own_counts(tmp_path, clock):
    path = tmp_path / "slo.db"
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path))
    slos.record_attempt(TARGET, BAD)
    child = os.fork()
    if child == 0:
        slos.record_attempt(TARGET, GOOD)
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
        slos.record_attempt(TARGET, GOOD)
        saver.save()
        clock.now += 7
    saver._sigterm.remove()
    assert len(saver._unsaved_rows) < 700
    assert sum(bucket.count.total for _, bucket in saver._unsaved_rows if bucket.width == 7200) == 3000


class BlockedDisk:
    """A disk that answers only once it is `free`. ``asked``: somebody writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.asked = threading.Event(), threading.Event()
        add = Storage.add

        def wait(storage: Storage, *arguments: object) -> None:
            self.asked.set()
            assert self.free.wait(120)
            add(storage, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Storage, "add", wait)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockedDisk]:
    blocked = BlockedDisk(monkeypatch)
    yield blocked
    blocked.free.set()


def test_slow_disk_blocks_no_call(tmp_path, clock, disk, caplog):
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(tmp_path / "slo.db"))
    slos._saver.begin()
    for _ in range(100):
        slos.record_attempt(TARGET, GOOD)
        assert disk.asked.wait(60)
    assert standing(slos, "up") == Count(0, 100)
    disk.free.set()
    slos._saver.stop(60)
    assert sum(b.count.total for _, b in Storage(tmp_path / "slo.db").load() if b.width == 7200) == 100
    assert not caplog.records


def test_disk_that_hangs_bounds_sigterm_and_all_calls_after_it(tmp_path, clock, disk, monkeypatch):
    monkeypatch.setattr(termination, "BUDGET_S", 0.3)
    handled: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: handled.append(number))
    slos = SloTracker(clock)
    try:
        slos.start([UP], storage=Storage(tmp_path / "slo.db"))
        slos._saver.begin()
        slos.record_attempt(TARGET, GOOD)
        signal.raise_signal(signal.SIGTERM)
        assert handled == [signal.SIGTERM]
        began = time.monotonic()
        for _ in range(1000):
            slos.record_attempt(TARGET, GOOD)
        assert time.monotonic() - began < 120  # 300 s, if each of them waited
        disk.free.set()
        slos._saver.stop(60)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sum(b.count.total for _, b in Storage(tmp_path / "slo.db").load() if b.width == 7200) == 1001


def test_save_of_a_caller_without_a_thread_is_bounded(tmp_path, clock, caplog, monkeypatch):
    """Another process has the file, and no thread can be started."""
    waits = []
    connect = sqlite3.connect

    def connecting(*args, timeout=5.0):  # the default of sqlite3
        waits.append(timeout)
        return connect(*args, timeout=timeout)

    path = tmp_path / "slo.db"
    slos = SloTracker(clock)
    slos.start([UP], storage=Storage(path))
    slos.record_attempt(TARGET, GOOD)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite3, "connect", connecting)
    slos._saver._sigterm.terminate()
    slos.record_attempt(TARGET, GOOD)
    slos.stop()
    assert 0 < sum(waits) < 2
    other.close()
    assert caplog.text.count("are not stored") == 1


def test_save_that_interrupts_a_save_of_its_own_thread_gives_up(tmp_path, clock):
    """A signal handler that runs in the middle of a save, where no thread can be started."""
    saver: Saver
    began = []

    def unsaved() -> list[object]:
        began.append(len(began))
        saver._sigterm.terminate()
        return []

    saver = Saver(Storage(tmp_path / "slo.db"), unsaved, clock)
    saver.save()
    assert began == [0]
    saver.stop()


FULL = """
import logging, resource, sys, time
from l0.shared_state import slo_storage, termination
from l0.shared_state.slo_tracker import SloTracker
from l0.slo.burn import Count
from l0.slo.judging import AttemptRecord
logging.basicConfig(format="LOG %(message)s")
slo_storage.MIN_INTERVAL = slo_storage.MAX_INTERVAL = 0.01
good = AttemptRecord(streaming=True, failure=None, opened=True, waited=1.0, first_content=1.0)
storage = slo_storage.Storage(sys.argv[1])
slos = SloTracker(time.time)
slos.start(storage=storage)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
slos._saver.begin()
for number in range(200):
    slos.record_attempt(("openai", f"model-{number % 20}"), good)
slos._saver.save()
assert slos._saver._warned and slos._saver._unsaved_rows
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
slos._saver.stop(60)
rows = [bucket for (slo, *_), bucket in storage.load() if slo.startswith("availability")]
print(sum(bucket.count.total for bucket in rows if bucket.width == 7200))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_full_disk_is_reported_once_without_loss(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "slo.db")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("LOG") == 1, done.stderr
    assert "SLO windows are not stored" in done.stderr
    assert done.stdout == "200\n"

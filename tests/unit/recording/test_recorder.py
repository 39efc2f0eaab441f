"""A recorder writes what calls hand over, within its bounds, and never fails a call."""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest
from interruptions import interrupted
from makers import make_call, make_failure
from recording_kit import begin, calls_in, record_retried_call, recorder

import l0
from l0.engine.machine import ADMIT_ALL
from l0.engine.signals import Begin, Failed, Waited
from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.failure import Cause
from l0.model.policy_error import PolicyError
from l0.recording import recorder as recorder_module
from l0.recording import recording_file
from l0.recording.decision_rerun import differing
from l0.recording.recording import Recording, RecordingError
from l0.recording.recording_codec import Unrecorded
from l0.recording.recording_options import RecordingOptions
from l0.recording.redaction import REMOVED
from l0.shared_state.forks import FORK_GATE

READS = [b"data: 1\n\n", bytes(range(256)), b""]


def test_a_call_is_read_as_it_was_recorded(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
    (call,) = calls_in(tmp_path)
    first, second = call.attempts
    assert first.failure.cause is Cause.RESET
    assert first.failure.error == Unrecorded("builtins.ConnectionError")
    assert str(first.failure).endswith("(ConnectionError)")
    assert (first.ending, second.ending) == ("error", "eof")
    assert [read.data for read in second.reads] == READS
    assert second.body == b"".join(READS)
    assert [read.at for read in second.reads] == sorted(read.at for read in second.reads)
    assert call.outcome is Outcome.RECOVERED_RETRY
    assert call.delivered_items == len(call.deliveries) == 3
    assert len(call.decisions) == 6
    assert [name for name, _ in call.decisions[1].inputs] == ["backoff", "may_retry"]
    assert differing(call) == []
    assert not call.incomplete


@pytest.mark.parametrize("cause", [ConnectionRefusedError, ConnectionResetError, TimeoutError])
def test_a_delay_by_the_error_of_the_connection_is_decided_again(tmp_path: Path, cause: type[OSError]) -> None:
    delays = l0.ErrorTypeDelays(econnrefused=1.0, econnreset=2.0)
    policy = l0.Policy(retry=l0.Retry(error_type_delays=delays))
    error = RuntimeError("no connection")
    error.__cause__ = cause("no way")
    with recorder(tmp_path) as made:
        call = begin(made, policy=policy)
        machine = call.machine(make_call(policy=policy), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
        machine.step(Begin(1.0))
        machine.step(Failed(make_failure(cause=Cause.CONNECTION, error=error), 2.0))
        call.ended(Outcome.FAILED, None, 3.0)
    (found,) = calls_in(tmp_path)
    assert differing(found) == []
    assert found.decisions[1].signal.failure.error.name == "builtins.RuntimeError"


@pytest.mark.parametrize("vetoed", [True, False])
def test_the_answer_of_an_async_veto_is_decided_again(tmp_path: Path, vetoed: bool) -> None:
    async def veto(_: object) -> bool:
        raise AssertionError("the machine must not ask")

    policy = l0.Policy(retry=l0.Retry(should_retry=veto))
    with recorder(tmp_path) as made:
        call = begin(made, policy=policy)
        machine = call.machine(make_call(policy=policy), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
        for signal in (Begin(1.0), Failed(make_failure(), 2.0), Waited(3.0, vetoed)):
            machine.step(signal)
        call.ended(Outcome.FAILED, None, 3.0)
    (found,) = calls_in(tmp_path)
    assert differing(found) == []
    assert [name for name, _ in found.decisions[2].inputs] == ([] if vetoed else ["may_retry", "may_open"])


def test_every_call_is_found_by_id_prefix_trace_and_last(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        first, second = record_retried_call(made, []), record_retried_call(made, READS)
    with Recording.open(tmp_path) as recording:
        assert len(recording) == 2
        assert [call.id for call in recording] == [first.id, second.id]
        assert recording.call(first.id).id == recording.call(first.id[:12]).id == first.id
        assert recording.call("last").id == second.id
        assert recording.meta(recording.files[0])["pid"] == str(os.getpid())
        for unknown in ("", "zz", "%", "_"):
            with pytest.raises(RecordingError):
                recording.call(unknown)
    with pytest.raises(RecordingError):
        Recording.open(tmp_path / "none")


def test_a_call_is_found_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for outcome, seconds in (
            (Outcome.OK, 1),
            (Outcome.FAILED, 3),
            (Outcome.FAILED, 2),
            (Outcome.OK, 9),
            (Outcome.OK, 4),
        ):
            call = begin(made)
            call.ended(outcome, None, perf_counter() + seconds)
        begin(made)
    with Recording.open(tmp_path) as recording:
        calls = list(recording)
        assert recording.call("failed").id == calls[1].id, "the last to fail, although another began later"
        assert recording.call("slowest").id == calls[3].id


def test_a_call_is_found_by_the_providers_id_of_a_request(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for number, header in enumerate(("x-request-id", "Request-Id", "x-amzn-RequestId", "x-other")):
            call = begin(made)
            call.sending(AttemptSpec(number=1, leg=0), None, "", 1.0)
            headers = SimpleNamespace(raw=[(header.encode(), b"req_%d" % number)])
            request = SimpleNamespace(
                method="POST", url="http://host/v1", headers=SimpleNamespace(raw=[]), content=b"{}"
            )
            call.head(1, SimpleNamespace(status_code=200, headers=headers, _request=request))
            call.ended(Outcome.OK, None, 2.0)
    with Recording.open(tmp_path) as recording:
        calls = list(recording)
        assert [recording.call(f"req_{number}").id for number in range(3)] == [call.id for call in calls[:3]]
        with pytest.raises(RecordingError, match="req_3: no call found, allowed: "):
            recording.call("req_3")


def test_calls_whose_ids_begin_alike_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorder(tmp_path) as made:
        ids = iter([0xA1 << 56, 0xA2 << 56])
        monkeypatch.setattr(made, "_random_bits", lambda _: next(ids))
        for outcome in (Outcome.OK, Outcome.FAILED):
            begin(made, model="small").ended(outcome, None, perf_counter())
    with Recording.open(tmp_path) as recording, pytest.raises(RecordingError) as caught:
        recording.call("a")
    heading, *lines = str(caught.value).splitlines()
    assert heading == "a: 2 calls match, choose one by its id:"
    assert [line.split()[0] for line in lines] == ["a100000000000000", "a200000000000000"]
    assert [line.split()[4:6] for line in lines] == [["small", "ok"], ["small", "failed"]]


@pytest.mark.parametrize(("failed", "ending"), [(True, "error"), (False, "lost")])
def test_an_overtaken_attempt_ends_as_lost_unless_it_had_failed(tmp_path: Path, failed: bool, ending: str) -> None:
    with recorder(tmp_path) as made:
        call = begin(made)
        machine = call.machine(make_call(), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
        call.sending(machine.step(Begin(1.0)), None, "", 1.0)
        call.read(1, b"data: 1\n\n")
        call.attempt_ended(1, make_failure(error=ConnectionError("reset")) if failed else None, 2.0, lost=True)
        call.body_ended(1, "closed")  # by L0
        call.ended(Outcome.RECOVERED_HEDGE, None, 3.0)
    (attempt,) = calls_in(tmp_path)[0].attempts
    assert (attempt.ending, attempt.body) == (ending, b"data: 1\n\n")
    assert (attempt.failure is not None) == failed


def test_a_full_file_gets_no_new_calls_and_calls_stay_whole(tmp_path: Path) -> None:
    made = recorder(tmp_path, file_bytes=2**16)
    with made as recording:
        open_call = begin(recording)
        for _ in range(12):
            record_retried_call(recording, [b"x" * 2**15])
            recording.flush()
        open_call.read(1, b"late")
        open_call.ended(Outcome.OK, None, 1.0)
    assert len(list(tmp_path.glob("*.l0"))) > 3
    calls = calls_in(tmp_path)
    assert len({call.id for call in calls}) == len(calls) == 13
    assert all(call.outcome is not None for call in calls)
    assert sum(len(attempt.body) for call in calls for attempt in call.attempts) == 12 * 2**15


@pytest.mark.parametrize("content", [False, True])
def test_the_users_context_is_kept_with_content_only(tmp_path: Path, content: bool) -> None:
    context = {"user": "alice", "session_token": "tok", "nested": [{"password": {"old": "hunter2"}, "note": "n"}]}
    with recorder(tmp_path, content=content) as made:
        begin(made, context=context).ended(Outcome.OK, None, 1.0)
    (call,) = calls_in(tmp_path)
    kept = {"user": "alice", "session_token": REMOVED, "nested": [{"password": REMOVED, "note": "n"}]}
    assert call.call.context == (kept if content else {})


def test_a_recording_stays_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with recorder(Path("calls")) as made:
        monkeypatch.chdir(tmp_path / "elsewhere")
        record_retried_call(made, [b"x"])
    assert len(calls_in(tmp_path / "calls")) == 1


def test_the_oldest_recordings_are_deleted_beyond_the_limit_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x" * 2**20)
    for _ in range(20):
        with recorder(tmp_path, folder_bytes=2**18) as made:
            record_retried_call(made, [b"x" * 2**15])
    sizes = [path.stat().st_size for path in tmp_path.glob("*.l0*")]
    assert 0 < sum(sizes) <= 2**18 + 2**16
    assert (tmp_path / "notes.txt").exists()
    assert calls_in(tmp_path)[-1].outcome is Outcome.RECOVERED_RETRY


def test_reads_beyond_the_memory_limit_are_dropped_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with recorder(tmp_path, memory_bytes=2**16) as made:
        made.interval_s = 1000.0
        for _ in range(3):
            record_retried_call(made, [b"x" * 2**15] * 5)
    calls = calls_in(tmp_path)
    assert [call.incomplete for call in calls] == [True] * 3
    assert sum(len(attempt.body) for call in calls for attempt in call.attempts) <= 2**16 + 2**15
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("broken", ["commit", "folder"])
def test_a_disk_that_cannot_be_written_is_one_warning_and_ends_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full(_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    folder = tmp_path / "file" / "runs" if broken == "folder" else tmp_path
    (tmp_path / "file").write_text("no folder")
    if broken == "commit":
        monkeypatch.setattr(recording_file.RecordingFile, "commit", full)
    with recorder(folder) as made:
        call = record_retried_call(made, READS)
        made.close()
        made.waiting_bytes = 5  # a read of another thread, which began before the recorder stopped
        call.read(2, b"more")  # nothing is raised
        call.delivered(1, 4)
        assert (list(made._events), made.waiting_bytes) == ([], 5)
        assert made.record(make_call(), (), 1.0) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_recording_that_fails_closes_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connected(*arguments: Any, **named: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **named))
        return opened[-1]

    def full(_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", connected)
    monkeypatch.setattr(recording_file.RecordingFile, "commit", full)
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
    for database in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            database.execute("SELECT 1")


def test_calls_stay_in_order_if_the_wall_clock_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([200.0, 100.0, 300.0])
    monkeypatch.setattr(recorder_module, "time", lambda: next(times))
    with recorder(tmp_path) as made:
        ids = [record_retried_call(made, READS).id for _ in range(3)]
    assert [call.id for call in calls_in(tmp_path)] == ids


def test_a_file_gets_its_name_once_it_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[tuple[list[str], str]] = []

    def rename(self: Path, target: Path) -> None:
        with closing(sqlite3.connect(self)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        named.append((tables, self.suffix))
        self.replace(target)

    monkeypatch.setattr(Path, "rename", rename)
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
    ((tables, suffix),) = named
    assert {"meta", "calls", "attempts", "reads", "decisions", "deliveries"} <= set(tables)
    assert suffix == ".new"
    assert [path.suffix for path in tmp_path.iterdir()] == [".l0"]


def test_the_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    with recorder(tmp_path / "new" / "runs") as made:
        record_retried_call(made, READS)
    (path,) = (tmp_path / "new" / "runs").glob("*")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_cut_anywhere_gives_what_can_be_read(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        for _ in range(20):
            record_retried_call(made, [b"x" * 2000] * 20)
    (path,) = tmp_path.glob("*.l0")
    whole = path.read_bytes()
    for share in range(10):
        cut = tmp_path / "cut.l0"
        cut.write_bytes(whole[: len(whole) * share // 10])
        with Recording.open(cut) as recording:
            for call in recording:
                assert len(call.attempts) <= 2
            assert recording.problems


def test_a_finished_recording_is_one_file_and_reading_leaves_it_unchanged(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    tmp_path.chmod(0o500)
    path.chmod(0o400)
    assert len(calls_in(tmp_path)) == 1
    tmp_path.chmod(0o700)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folder", 5),
        ("folder", ""),
        ("content", "yes"),
        ("redact", "x"),
        ("redact", lambda: "x"),
        ("file_bytes", 5),
        ("memory_bytes", True),
    ],
)
def test_options_are_checked(field: str, value: object) -> None:
    with pytest.raises(PolicyError):
        RecordingOptions(**{"folder": "runs"} | {field: value})


def test_files_are_written_within_the_gate_that_forks_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[bool] = []
    commit, connect = recording_file.RecordingFile.commit, sqlite3.connect

    def noted(file: recording_file.RecordingFile) -> None:
        entered.append(FORK_GATE.entered)
        commit(file)

    def connected(*arguments: Any, **named: Any) -> sqlite3.Connection:
        entered.append(FORK_GATE.entered)
        return connect(*arguments, **named)

    monkeypatch.setattr(recording_file.RecordingFile, "commit", noted)
    monkeypatch.setattr(sqlite3, "connect", connected)
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
    assert len(entered) > 2
    assert all(entered)


@pytest.mark.parametrize("event", range(1, 40))
def test_handler_that_interrupts_a_close_may_close_as_well(tmp_path: Path, event: int) -> None:
    """SIGTERM, which kills a worker of multiprocessing, may come while the worker ends by itself."""
    with recorder(tmp_path) as made:
        record_retried_call(made, READS)
        made.flush()  # the thread waits for more
        thread = made._thread
        assert thread is not None

        def close() -> None:
            made.close(30)
            assert not thread.is_alive()

        interrupted(close, event, close)
    assert len(calls_in(tmp_path)) == 1

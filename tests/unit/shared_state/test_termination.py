"""SIGTERM saves before it does what it did before."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from l0.shared_state import termination
from l0.shared_state.termination import FLUSHES, SigtermFlush, TerminationHandler, call_collected

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """Record the functions that ran, with a handler of the application."""
    ran: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: ran.append("application"))
    yield ran
    signal.signal(signal.SIGTERM, before)


def test_handler_of_the_application_runs_afterwards(calls):
    handler = TerminationHandler(lambda: calls.append("save"))
    assert handler.install()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["save", "application"]
    handler.remove()


def test_handler_of_the_application_runs_even_if_saving_fails(calls):
    def fail():
        raise ValueError("full")

    handler = TerminationHandler(fail)
    handler.install()
    with pytest.raises(ValueError, match="full"):
        signal.raise_signal(signal.SIGTERM)
    assert calls == ["application"]
    handler.remove()


def test_signal_during_a_failing_run_reaches_the_application(calls):
    def fail():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("full")

    handler = TerminationHandler(fail)
    handler.install()
    with pytest.raises(ValueError, match="full"):
        handler.run()
    assert calls == ["application"]
    handler.remove()


def test_removal_restores_the_handler_of_the_application(calls):
    own = signal.getsignal(signal.SIGTERM)
    handler = TerminationHandler(lambda: calls.append("save"))
    handler.install()
    handler.remove()
    assert signal.getsignal(signal.SIGTERM) is own
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["application"]


def test_removal_of_a_handler_behind_another_one_of_l0_leaves_no_trace(calls):
    own = signal.getsignal(signal.SIGTERM)
    handlers = [TerminationHandler(lambda: calls.append("save")) for _ in range(3)]
    for handler in handlers:
        handler.install()
    for handler in (handlers[0], handlers[2], handlers[1]):
        handler.remove()
    assert signal.getsignal(signal.SIGTERM) is own


def test_handler_behind_a_newer_one_is_not_cut_out_by_removal(calls):
    handler = TerminationHandler(lambda: calls.append("save"))
    handler.install()
    ours = signal.getsignal(signal.SIGTERM)

    def newer(number, frame):
        calls.append("newer")
        ours(number, frame)

    signal.signal(signal.SIGTERM, newer)
    handler.remove()
    assert signal.getsignal(signal.SIGTERM) is newer
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["newer", "application"]


def test_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert not TerminationHandler(lambda: None).install()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_no_handler_is_installed_from_another_thread(calls):
    own, installed = signal.getsignal(signal.SIGTERM), []
    thread = threading.Thread(target=lambda: installed.append(TerminationHandler(lambda: None).install()))
    thread.start()
    thread.join()
    assert installed == [False]
    assert signal.getsignal(signal.SIGTERM) is own


def test_removal_in_another_thread_leaves_a_handler_that_passes_on(calls):
    handler = TerminationHandler(lambda: calls.append("save"))
    handler.install()
    thread = threading.Thread(target=handler.remove)
    thread.start()
    thread.join()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["application"]


def test_signal_handler_of_an_event_loop_still_runs(calls):
    async def main() -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        handler = TerminationHandler(lambda: calls.append("save"))
        handler.install()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(asked.wait(), 60)
        handler.remove()
        loop.remove_signal_handler(signal.SIGTERM)

    asyncio.run(main())
    assert calls == ["save"]


def test_signal_that_interrupts_the_work_takes_effect_after_it(calls):
    """A pool ends its workers with SIGTERM, also those that are ending by themselves."""

    def save() -> None:
        signal.raise_signal(signal.SIGTERM)
        calls.append("save")

    handler = TerminationHandler(save)
    handler.install()
    handler.run()
    assert calls == ["save", "application"]
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["save", "application"] * 2
    handler.remove()


def test_work_that_no_signal_interrupts_sends_none(calls):
    handler = TerminationHandler(lambda: calls.append("save"))
    handler.install()
    handler.run()
    assert calls == ["save"]
    handler.remove()


@pytest.fixture
def flush(calls) -> Iterator[SigtermFlush]:
    made = SigtermFlush(lambda seconds: calls.append("flush"), lambda: calls.append("end"))
    made.install()
    yield made
    made.remove()
    assert not FLUSHES


def test_server_that_lives_on_is_flushed_at_the_signal_and_after_each_call(calls, flush):
    call_collected()
    assert not calls
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["flush", "application"]
    call_collected()
    flush.collected()
    assert calls == ["flush", "application", "flush", "flush"]


def test_flushes_after_the_signal_share_a_budget(calls, flush, monkeypatch):
    clock = iter(range(1_000))  # each flush takes a second
    monkeypatch.setattr(termination, "monotonic", lambda: float(next(clock)))
    signal.raise_signal(signal.SIGTERM)
    for _ in range(10):
        call_collected()
    assert calls == ["flush", "application", *["flush"] * round(termination.BUDGET_S)]


def test_handler_is_installed_once_and_again_if_another_replaces_it(calls, flush):
    flush.install()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["flush", "application"]
    signal.signal(signal.SIGTERM, lambda *_: calls.append("server"))
    flush.install()
    signal.raise_signal(signal.SIGTERM)
    assert calls == ["flush", "application", "flush", "server"]


@pytest.mark.parametrize(("previous", "kills"), [(signal.SIG_DFL, True), (lambda *_: None, False)])
def test_process_dies_if_no_other_handler_is_behind_those_of_l0(calls, previous, kills):
    signal.signal(signal.SIGTERM, previous)
    handlers = [TerminationHandler(lambda: None) for _ in range(2)]
    for handler in handlers:
        handler.install()
    assert [handler.kills for handler in handlers] == [kills, kills]
    for handler in reversed(handlers):
        handler.remove()


CODE = """
import os, signal, sys, time
from l0.shared_state import slo_storage, termination
from l0.shared_state.slo_tracker import SloTracker
from l0.slo.judging import AttemptRecord
termination.WAIT_S = 60.0
slos = SloTracker(time.time)
add = slo_storage.Storage.add
slo_storage.Storage.add = lambda *arguments: (time.sleep(0.3), add(*arguments))
slos.start(storage=slo_storage.Storage(sys.argv[1]))
slos._saver.begin()
good = AttemptRecord(streaming=True, failure=None, opened=True, waited=1.0, first_content=1.0)
slos.record_attempt(("openai", "m"), good)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


def test_process_without_a_handler_saves_and_dies_of_the_signal(tmp_path):
    from l0.shared_state.slo_storage import Storage

    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "slo.db")], env=os.environ, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGTERM
    assert Storage(tmp_path / "slo.db").load()

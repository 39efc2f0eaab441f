"""The console of a process: when it shows what."""

import io
import signal
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from makers import Clock, in_child, make_call, make_end

from l0.console.call_tally import CallTally
from l0.console.console import Console
from l0.console.terminal import Render
from l0.telemetry.call_log import CALL_LOG

LINE = "12:00:00 ✓   2.00 s  openai chat gpt-4o  first token 1.50 s\n"


@pytest.fixture
def tally() -> CallTally:
    return CallTally(Clock())


@pytest.fixture
def console(tally: CallTally) -> Iterator[Console]:
    made = Console(tally, lambda: "12:00:00")
    yield made
    made.switch(on=False)


@pytest.fixture
def make(console: Console, tally: CallTally) -> Callable[[], None]:
    """Make one call."""

    def call() -> None:
        counted, shown = tally.observe(make_call()), console.observe(make_call())
        counted.notify(make_end())
        shown.notify(make_end())

    return call


def test_call_is_shown_when_it_ends(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    observer = console.observe(make_call())
    assert capsys.readouterr().err == ""
    observer.notify(make_end())
    assert capsys.readouterr().err == LINE


def test_summary_is_shown_once(console: Console, make: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
    make()
    capsys.readouterr()
    console.end()
    assert "1: 1 whole" in capsys.readouterr().err
    console.end()
    assert capsys.readouterr().err == ""


def test_process_without_calls_has_no_summary(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    console.end()
    assert capsys.readouterr().err == ""


def test_call_that_is_still_running_is_in_the_summary(
    console: Console, tally: CallTally, capsys: pytest.CaptureFixture[str]
) -> None:
    tally.observe(make_call())
    console.end()
    assert "1 still running" in capsys.readouterr().err


def test_log_leaves_the_terminal_to_the_console(console: Console) -> None:
    console.switch(on=True)
    assert CALL_LOG.console
    console.switch(on=False)
    assert not CALL_LOG.console


def test_switching_installs_and_removes_the_handler_of_termination(console: Console) -> None:
    before = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        console.switch(on=True)
        assert signal.getsignal(signal.SIGTERM) != before
    for _ in range(2):
        console.switch(on=False)
        assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs fork")
def test_forked_child_has_a_summary_of_its_own(
    console: Console, make: Callable[[], None], tally: CallTally, capsys: pytest.CaptureFixture[str]
) -> None:
    make()
    assert in_child(lambda: (console.end(), sys.stderr.getvalue())[1] == LINE) == b"yes"  # type: ignore[attr-defined]

    def own() -> bool:
        make()
        console.end()
        return tally.summary().calls == 1 and "1: 1 whole" in sys.stderr.getvalue()  # type: ignore[attr-defined]

    assert in_child(own) == b"yes"
    assert capsys.readouterr().err == LINE


@pytest.fixture
def ends_of_worker(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what a worker of multiprocessing does when it ends."""
    registered: list[Any] = []
    util = SimpleNamespace(Finalize=lambda _, end, **__: registered.append(end))
    monkeypatch.setitem(sys.modules, "multiprocessing.util", util)
    monkeypatch.setitem(sys.modules, "multiprocessing.process", SimpleNamespace(parent_process=object))
    return registered


def test_worker_of_multiprocessing_ends_with_a_summary(
    console: Console, make: Callable[[], None], ends_of_worker: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    console.switch(on=True)
    make()
    make()
    (end,) = ends_of_worker
    end()
    assert "2: 2 whole" in capsys.readouterr().err


def test_worker_whose_console_is_off_ends_without_a_summary(
    console: Console, make: Callable[[], None], ends_of_worker: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    console.switch(on=True)
    make()
    console.switch(on=False)
    capsys.readouterr()
    (end,) = ends_of_worker
    end()
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_summary_that_sigterm_interrupts_is_shown_once(
    console: Console,
    make: Callable[[], None],
    ends_of_worker: list[Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pool sends SIGTERM to workers that are ending by themselves."""

    def write(render: Render) -> None:
        signal.raise_signal(signal.SIGTERM)
        whole(render)

    make()
    whole = console.terminal.write
    monkeypatch.setattr(console.terminal, "write", write)
    shown_before_death: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: shown_before_death.append(capsys.readouterr().err))
    try:
        console.switch(on=True)
        (end,) = ends_of_worker
        end()
    finally:
        console.switch(on=False)
        signal.signal(signal.SIGTERM, before)
    assert [shown.count("l0 summary of process") for shown in shown_before_death] == [1]


def test_stderr_that_is_closed_breaks_no_call(
    console: Console, tally: CallTally, make: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    make()
    console.end()
    assert tally.summary().calls == 1

"""Progress bar: shown on a terminal only."""

import io
import sys

import pytest
from orchestration_tasks import returning, run
from rich.progress import Progress

from l0.orchestration.fan_out import batched, parallel, sequential
from l0.orchestration.progress import bar
from l0.orchestration.windows.window import Window


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "title", "shown"),
    [(Terminal, "Summaries", True), (Terminal, None, False), (io.StringIO, "Summaries", False)],
)
def test_progress_bar_is_shown_on_a_terminal_only(monkeypatch, stream, title, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream())
    run(parallel([returning(1), returning(2)], progress=title))
    assert ("Summaries" in sys.stderr.getvalue()) is shown
    assert ("2/2" in sys.stderr.getvalue()) is shown


def test_import_error_names_the_cli_extra(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ImportError, match=r"l0-otel\[cli\]"):
        run(parallel([returning(1)], progress="Summaries"))


def recorded_calls(monkeypatch):
    """Record the calls of the bar in order: title and total, one step per task that has ended, then its end."""
    calls, stop = [], Progress.stop

    def end(self):
        calls.append("end")
        stop(self)  # else its thread would draw on during other tests

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(Progress, "add_task", lambda self, title, total: calls.append((title, total)))
    monkeypatch.setattr(Progress, "advance", lambda self, task: calls.append("step"))
    monkeypatch.setattr(Progress, "stop", end)
    return calls


def document():
    return Window.create("a b c d", size=2, overlap=0, strategy="char")


WAYS = {
    "parallel": lambda work: parallel(work, progress="P"),
    "sequential": lambda work: sequential(work, progress="P"),
    "batched": lambda work: batched(work, size=2, progress="P"),
    "from an iterator": lambda work: parallel(iter(work), concurrency=2, progress="P"),
}


@pytest.mark.parametrize("way", WAYS)
def test_progress_bar_advances_for_every_task(monkeypatch, way):
    steps = recorded_calls(monkeypatch)
    run(WAYS[way]([returning(1), returning(ValueError("no")), returning(3)]))
    assert steps == [("P", None if way == "from an iterator" else 3), "step", "step", "step", "end"]


@pytest.mark.parametrize("way", ["process_all", "process_sequential"])
def test_progress_bar_advances_for_every_window(monkeypatch, way):
    steps = recorded_calls(monkeypatch)
    function = (lambda chunk: returning(1)()) if way == "process_all" else (lambda chunk, before: returning(1)())
    run(getattr(document(), way)(function, progress="W"))
    assert steps == [("W", None), *["step"] * 4, "end"]


def test_progress_bar_is_removed_after_a_failure(monkeypatch):
    steps = recorded_calls(monkeypatch)
    with pytest.raises(ValueError, match="no"):
        run(parallel([returning(ValueError("no"))], progress="P", fail_fast=True))
    assert steps == [("P", 1), "end"]


def test_progress_without_a_terminal_does_not_need_rich(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with bar("P", 1) as step:
        step()
    assert sys.stderr.getvalue() == ""

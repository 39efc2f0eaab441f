"""A bar where a terminal is, and nothing else."""

import io
import sys

import pytest
from orchestration_tasks import run, saying

from l0.orchestration.running import parallel


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "title", "shown"),
    [(Terminal, "Summaries", True), (Terminal, None, False), (io.StringIO, "Summaries", False)],
)
def test_it_is_shown_on_a_terminal_only(monkeypatch, stream, title, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    run(parallel([saying(1), saying(2)], progress=title))
    assert ("Summaries" in sys.stderr.getvalue()) is shown
    assert ("2/2" in sys.stderr.getvalue()) is shown


def test_without_rich_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ImportError, match=r"l0-otel\[cli\]"):
        run(parallel([saying(1)], progress="Summaries"))

"""A pytest plugin for the SDKs' own suites: notes how each test ended, and instruments them if told to.

``SDK_SUITE_RESULTS``: the file for the outcomes, as ``{"node id": "passed" | "failed" | "skipped"}``.
``SDK_SUITE_PATCHED``: a function that l0 must have patched; unset for a bare run, in which l0 is not even imported.
"""

import json
import os
import sys
from operator import attrgetter
from pathlib import Path

import pytest

_RANKS = ("skipped", "passed", "failed")
_PATCHED = os.environ.get("SDK_SUITE_PATCHED")


class Outcomes:
    """The worst outcome of each test's set-up, call and tear-down."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test is over."""
        self._note(report.nodeid, report.outcome, skips=report.when == "setup" or report.outcome != "passed")

    def _note(self, test: str, outcome: str, *, skips: bool) -> None:
        known = self._outcomes.get(test)
        if known == "skipped" and outcome == "passed":
            return  # the tear-down of a test that was skipped
        if known is None or (skips and outcome != "passed") or _RANKS.index(outcome) > _RANKS.index(known):
            self._outcomes[test] = outcome

    def pytest_sessionfinish(self) -> None:
        """All tests are over."""
        self._path.write_text(json.dumps(self._outcomes))


class Instrumented:
    """l0 at work, and for each test as in a fresh process, so that no test depends on those before it."""

    def pytest_collection_finish(self) -> None:
        """The SDK is imported by now: without our patches the comparison would prove nothing."""
        module, _, function = (_PATCHED or "").partition(":")
        if module in sys.modules and not hasattr(attrgetter(function)(sys.modules[module]), "__wrapped__"):
            pytest.exit(f"l0 did not patch {_PATCHED}", returncode=3)

    def pytest_runtest_setup(self) -> None:
        """Forget which origins have ended a stream properly."""
        from l0.config import CONFIG
        from l0.shared_state.terminal_event_sources import TerminalEventSources

        CONFIG.shared_state.terminal_event_sources = TerminalEventSources()


def pytest_configure(config: pytest.Config) -> None:
    """Patches by import hook, so that the suite's own plugins still decide what is imported first."""
    path = os.environ.get("SDK_SUITE_RESULTS")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(path)))
    if _PATCHED:
        import l0

        l0.instrument()
        config.pluginmanager.register(Instrumented())


def pytest_unconfigure() -> None:
    """Restore the SDK."""
    if _PATCHED:
        import l0

        l0.uninstrument()

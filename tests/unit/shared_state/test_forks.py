"""A fork happens outside the blocks of the gate, whatever other threads do."""

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from makers import in_child

from l0.shared_state.forks import FORK_GATE
from l0.shared_state.slo_storage import Storage

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def test_fork_waits_for_the_block_of_another_thread() -> None:
    inside, left = threading.Event(), []

    def block() -> None:
        with FORK_GATE:
            inside.set()
            while not FORK_GATE.forking:
                pass
            left.append(True)

    thread = threading.Thread(target=block, daemon=True)
    thread.start()
    inside.wait()
    assert in_child(lambda: left == [True] and not FORK_GATE.forking and not FORK_GATE.entered) == b"yes"
    thread.join()
    assert not FORK_GATE.forking


def test_fork_within_a_block_of_its_own_thread_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FORK_GATE, "LONGEST_WAIT_S", threading.TIMEOUT_MAX)
    with FORK_GATE, FORK_GATE:
        assert in_child(lambda: not FORK_GATE.entered) == b"yes"
        assert FORK_GATE.entered
    assert not FORK_GATE.entered


def test_fork_gives_up_waiting_for_a_block_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FORK_GATE, "LONGEST_WAIT_S", 0.01)
    inside, end = threading.Event(), threading.Event()

    def block() -> None:
        with FORK_GATE:
            inside.set()
            end.wait()

    thread = threading.Thread(target=block, daemon=True)
    thread.start()
    inside.wait()
    assert in_child(lambda: True) == b"yes"
    end.set()
    thread.join()


def test_slo_storage_uses_sqlite_within_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[bool] = []
    connect = sqlite3.connect

    def noted(*arguments: Any, **named: Any) -> sqlite3.Connection:
        entered.append(FORK_GATE.entered)
        return connect(*arguments, **named)

    monkeypatch.setattr(sqlite3, "connect", noted)
    Storage(tmp_path / "slo.db").load()
    assert entered == [True, True]

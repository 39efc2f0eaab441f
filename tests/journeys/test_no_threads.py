"""Calls continue if no thread can be started (the limit of threads, the end of the interpreter).

They have no deadlines and hedges, which one warning says, until threads can be started again.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from journeys_kit import CHATTING, chat_client, close_all

import l0
from l0.runtime import hedge, watchdog
from l0.shared_state import slo_storage
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

LIMITS = l0.Policy(timeout=l0.Timeout(initial_token=60_000, inter_token=10_000), retry=l0.Retry(max_retries=0))
HEDGED = l0.Policy(hedge=l0.Hedge(after=10_000))
STALLED = Fault.stall(at_event=4, seconds=60)


class Limit:
    """No thread of l0's is started while `reached`."""

    reached = True


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Limit]:
    made, start = Limit(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if made.reached and thread.name.startswith("l0-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    watchdog.WATCHDOG.stop()
    watchdog.WATCHDOG._reset()
    monkeypatch.setattr(watchdog, "_RETRY_S", 0.0)
    hedge._warn_unhedged.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    yield made
    watchdog.WATCHDOG.stop()
    watchdog.WATCHDOG._reset()
    l0.uninstrument()
    close_all()


def read(sim: Simulator) -> list[Any]:
    return list(chat_client(sim).chat.completions.create(**CHATTING, stream=True))


@pytest.mark.parametrize("policy", [LIMITS, HEDGED, None], ids=["clocks", "hedge", "none"])
def test_answer_without_threads_is_complete_with_one_warning(
    sim: Simulator, limit: Limit, policy: l0.Policy | None, caplog: pytest.LogCaptureFixture
) -> None:
    l0.uninstrument()
    bare = len(read(sim))
    l0.instrument(policy)
    assert len(read(sim)) == bare
    assert len(read(sim)) == bare
    said = [record.getMessage() for record in caplog.records]
    assert said
    assert len(said) == len(set(said))
    assert all("until a thread can be started" in one for one in said)


def test_clocks_strike_again_once_a_thread_can_be_started(sim: Simulator, limit: Limit) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=60_000, inter_token=100), retry=l0.Retry(max_retries=0)))
    read(sim)
    limit.reached = False
    sim.script(STALLED)
    with pytest.raises(l0.StreamInterrupted) as raised:
        read(sim)
    assert raised.value.reason == "stalled"


def test_objectives_are_stored_at_the_end(sim: Simulator, limit: Limit, tmp_path: Any) -> None:
    path = tmp_path / "slo.db"
    l0.slo.start(store=path)
    try:
        l0.instrument()
        read(sim)
    finally:
        l0.slo.stop()
    assert slo_storage.Storage(path).load()


AT_EXIT = """
import atexit, sys, threading
import openai, l0
from l0.testing import simulator

l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=60_000, inter_token=10_000)))
running = simulator()
sim = running.__enter__()
client = openai.OpenAI(api_key="k", base_url=sim.openai)
ask = lambda: client.chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
alive, unread = ask(), ask()
next(alive)

@atexit.register
def last():
    whole = len(list(ask()))
    print("whole" if whole > 3 else whole, flush=True)
    running.__exit__(None, None, None)
"""


def test_answers_during_interpreter_shutdown_are_complete_without_warnings() -> None:
    """A call in `atexit`: newer Pythons start no thread there. Streams that are open then are left alone."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AT_EXIT], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr
    assert "Traceback" not in done.stderr

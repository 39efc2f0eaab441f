"""An event that wakes one waiting thread each time it is set."""

import signal
import subprocess
import sys
import threading

import pytest

from l0.shared_state.auto_reset_event import AutoResetEvent

HANGS = 60.0
"""Seconds that only a hang takes."""
SIGNALS_AT_THE_END_OF_WAITS = """
import signal
from l0.shared_state.auto_reset_event import AutoResetEvent

signals = []
signal.signal(signal.SIGALRM, lambda *_: signals.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0007)
while len(signals) < 1500:
    assert not AutoResetEvent().wait(0.0008)
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_event_that_was_set_before_wakes_the_next_wait_once() -> None:
    event = AutoResetEvent()
    event.set()
    event.set()
    assert event.wait(HANGS)
    assert not event.wait(0.0)


@pytest.mark.parametrize("timeout_s", [None, HANGS])
def test_waiting_thread_is_woken(timeout_s: float | None) -> None:
    event, woken = AutoResetEvent(), []
    thread = threading.Thread(target=lambda: woken.append(event.wait(timeout_s)))
    thread.start()
    event.set()
    thread.join(HANGS)
    assert woken == [True]


def test_time_that_has_passed_is_not_waited_for() -> None:
    assert not AutoResetEvent().wait(-1.0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no signals of timers here")
def test_wait_ends_however_many_signals_arrive_at_its_end() -> None:
    subprocess.run([sys.executable, "-c", SIGNALS_AT_THE_END_OF_WAITS], check=True, timeout=2 * HANGS)

"""Work that must not run in a finalizer or signal handler runs on another thread."""

import _thread
import os
import threading

import pytest

from l0.runtime.finalizers import Later, interrupted


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While this holds something, no thread can be started."""
    full = [True]

    def start(run, arguments):
        if full:
            raise RuntimeError("can't start new thread")
        return threading.Thread(target=run, args=arguments, daemon=True).start()

    monkeypatch.setattr(_thread, "start_new_thread", start)
    return full


def test_work_is_done_on_another_thread():
    later, done, by = Later(), threading.Event(), []
    later.put(lambda: by.append(threading.get_ident()))
    later.put(done.set)
    assert done.wait(120)
    assert by != [threading.get_ident()]
    assert later.finish(120)


def test_work_that_fails_does_not_end_the_rest():
    later, done = Later(), []
    later.put(lambda: 1 / 0)
    later.put(lambda: done.append(1))
    assert later.finish(120)
    assert done == [1]


def test_without_threads_the_next_call_does_it(refused):
    later, done = Later(), []
    later.put(lambda: done.append(1))
    assert done == []
    later.make_progress()
    assert done == [1]
    assert not later.waiting


def test_threads_are_asked_for_again(refused):
    later, done = Later(), threading.Event()
    later.put(lambda: None)
    refused.clear()
    later.put(done.set)
    assert done.wait(120)


def test_nobody_waits_longer_than_they_want():
    later, goes_on, began = Later(), threading.Event(), threading.Event()
    later.put(lambda: (began.set(), goes_on.wait()))
    assert began.wait(120)
    assert not later.finish(0.01)
    later.make_progress()  # a call waits for nothing
    goes_on.set()
    assert later.finish(120)


def test_end_of_the_process_has_work_done_and_does_not_wait_for_work_that_hangs():
    later, goes_on, done = Later(), threading.Event(), []
    assert later.end(60)
    later.put(lambda: done.append(1))
    assert later.end(60)
    assert done == [1]
    later.put(goes_on.wait)
    assert not later.end(0.01)
    goes_on.set()
    assert later.end(60)


def test_end_of_the_process_without_threads_begins_no_work_after_its_time(refused):
    later, done = Later(), []
    later.put(lambda: done.append(1))
    later.put(lambda: done.append(2))
    assert later.end(60)
    assert done == [1, 2]
    later.put(lambda: done.append(3))
    assert not later.end(0)
    assert done == [1, 2]


def test_put_within_work_is_done_as_well():
    later, done = Later(), []
    later.put(lambda: later.put(lambda: done.append(1)))
    assert later.finish(120)
    assert done == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_leaves_the_parents_work_to_the_parent(refused):
    later, told = Later(), os.pipe()
    later.put(lambda: os.write(told[1], b"x"))
    child = os.fork()
    if child == 0:
        os._exit(0 if later.finish(120) and not later.waiting else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert later.finish(120)
    assert os.read(told[0], 10) == b"x"
    for end in told:
        os.close(end)


def test_interrupted_is_true_inside_l0_opentelemetry_and_logging():
    def code(module):
        scope = {"__name__": module}
        exec("def run(ask): return ask()", scope)
        return scope["run"]

    assert not interrupted()
    assert not code("app")(interrupted)
    for module in ("l0.shared_state.breaker", "opentelemetry.sdk.trace", "queue", "logging"):
        assert code(module)(interrupted)

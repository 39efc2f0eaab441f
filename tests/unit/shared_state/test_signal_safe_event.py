"""An event whose setter may be interrupted by code that waits for another thread."""

import threading

from interruptions import interrupted

from l0.shared_state.signal_safe_event import SignalSafeEvent


def test_all_threads_that_wait_go_on() -> None:
    event = SignalSafeEvent()
    assert not event.wait(0)
    assert not event.is_set()
    threads = [threading.Thread(target=event.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    event.set()
    event.set()
    for thread in threads:
        thread.join()
    assert event.wait(0)
    assert event.is_set()


def test_handler_that_interrupts_it_may_wait_for_a_thread_that_waits_for_it() -> None:
    number = 0
    more = True
    while more:
        number += 1
        event, ended = SignalSafeEvent(), []
        thread = threading.Thread(target=event.wait, daemon=True)
        thread.start()

        def handler(event: SignalSafeEvent = event, thread: threading.Thread = thread) -> None:
            event.set()
            thread.join(30)
            ended.append(not thread.is_alive())  # noqa: B023 - it is called in this round

        more = interrupted(event.set, number, handler)
        assert ended == [True] * more
        thread.join()
    assert number > 3

"""Blocked reads of real sockets, ended by their deadlines. Waits are real and short, and none has to end in time."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from math import inf
from time import perf_counter, sleep

import pytest

from l0.model.policy import Timeout
from l0.runtime import watchdog
from l0.runtime.deadlines import CallDeadlines
from l0.runtime.watchdog import BoundedReads, Expired, ReadDeadline, Watchdog

SOON = 0.05
HANGS = 120.0
"""Seconds that only a hang takes."""


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for the watchdog's thread."""
    end = perf_counter() + HANGS
    while not true():
        assert perf_counter() < end, "the watchdog hangs"
        sleep(0.001)


@pytest.fixture
def dog() -> Iterator[Watchdog]:
    made = Watchdog(idle=0.1)
    yield made
    made.stop()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.settimeout(HANGS)
    with near, far:
        yield near, far


def test_a_blocked_read_ends_at_its_deadline(dog, pair):
    near, _ = pair
    read_deadline, began = ReadDeadline(near), perf_counter()
    dog.arm(read_deadline, began + SOON)
    assert near.recv(10) == b""
    assert perf_counter() - began >= SOON
    assert read_deadline.fired


def test_a_later_watch_does_not_hide_an_earlier_one(dog, pair):
    near, _ = pair
    late, early = ReadDeadline(near), ReadDeadline(near)
    dog.arm(late, perf_counter() + 30)
    dog.arm(early, perf_counter() + SOON)
    assert near.recv(10) == b""
    assert (early.fired, late.fired) == (True, False)


def test_a_deadline_that_moved_on_is_not_enforced(dog, pair):
    near, far = pair
    read_deadline = ReadDeadline(near)
    with dog._changed:  # the thread sees only the second deadline
        dog.arm(read_deadline, perf_counter() + SOON)
        dog.arm(read_deadline, perf_counter() + HANGS)
        queued = read_deadline.queued
    wait_until(lambda: read_deadline.queued > queued)
    far.send(b"x")
    assert near.recv(10) == b"x"
    assert not read_deadline.fired


def test_a_deadline_that_moved_on_is_still_kept(dog, pair):
    near, _ = pair
    read_deadline = ReadDeadline(near)
    dog.arm(read_deadline, perf_counter() + SOON)
    dog.arm(read_deadline, perf_counter() + 2 * SOON)
    assert near.recv(10) == b""
    assert read_deadline.fired


@pytest.mark.parametrize("how", ["over", "between reads"])
def test_nothing_is_shut_that_is_not_being_read(dog, pair, how):
    near, far = pair
    read_deadline = ReadDeadline(near)
    with dog._changed:
        dog.arm(read_deadline, perf_counter() + SOON)
        if how == "over":
            read_deadline.over = True
        else:
            read_deadline.deadline = inf
    wait_until(lambda: not dog._due)
    far.send(b"x")
    assert near.recv(10) == b"x"
    assert not read_deadline.fired


def test_a_watch_that_was_idle_can_be_armed_again(dog, pair):
    near, _ = pair
    read_deadline = ReadDeadline(near)
    with dog._changed:
        dog.arm(read_deadline, perf_counter() + SOON)
        read_deadline.deadline = inf
    wait_until(lambda: not dog._due)
    dog.arm(read_deadline, perf_counter() + SOON)
    assert near.recv(10) == b""
    assert read_deadline.fired


def test_watchdog_thread_ends_without_reads(dog, pair):
    near, _ = pair
    read_deadline = ReadDeadline(near)
    dog.arm(read_deadline, perf_counter() + 0.01)
    thread = dog._thread
    assert thread is not None
    assert thread.daemon
    thread.join(HANGS)
    assert not thread.is_alive()
    again = ReadDeadline(near)
    dog.arm(again, perf_counter() + 0.01)
    assert dog._thread is not thread


def test_one_thread_serves_all_watches(dog):
    shut = threading.Semaphore(0)

    class Shutter:
        def fileno(self) -> int:
            return -1

        def shutdown(self, how: int) -> None:
            assert how == socket.SHUT_RDWR
            shut.release()

    before = threading.active_count()
    for number in range(50):
        dog.arm(ReadDeadline(Shutter()), perf_counter() + 0.01 + number / 10_000)
    assert threading.active_count() <= before + 1
    assert all(shut.acquire(timeout=HANGS) for _ in range(50))


def test_a_peer_that_was_quicker_is_no_error():
    class Gone:
        def fileno(self) -> int:
            return -1

        def shutdown(self, how: int) -> None:
            raise OSError("not connected")

    read_deadline = ReadDeadline(Gone())
    read_deadline.fire()
    assert read_deadline.fired


def test_stop_ends_the_thread_and_it_can_start_again(dog, pair):
    near, _ = pair
    dog.arm(ReadDeadline(near), perf_counter() + 30)
    thread = dog._thread
    dog.stop()
    assert thread is not None
    thread.join(HANGS)
    assert not thread.is_alive()
    read_deadline = ReadDeadline(near)
    dog.arm(read_deadline, perf_counter() + SOON)
    assert near.recv(10) == b""
    assert read_deadline.fired


def test_a_child_process_starts_with_no_watches(pair):
    """Call what `os.register_at_fork` calls in a child, in which the parent's thread does not exist."""
    dog = Watchdog()
    dog._queue(ReadDeadline(pair[0]), perf_counter() + 30)
    dog._thread = threading.Thread()
    dog.reset_after_fork()
    assert dog._thread is None
    assert dog._due == []


# Doubt, in virtual time: who was held up was perhaps not alone


def test_a_watchdog_that_was_late_gives_the_reader_as_much_time(pair):
    read_deadline = ReadDeadline(pair[0])
    read_deadline.deadline = 10.0
    assert read_deadline.next_check(10.3) == pytest.approx(10.6)
    assert read_deadline.next_check(10.6) is None


def test_data_that_waits_for_its_reader_is_left_to_it(pair):
    near, far = pair
    read_deadline = ReadDeadline(near)
    read_deadline.deadline = 10.0
    far.send(b"x")
    now = read_deadline.next_check(10.0)
    assert now == pytest.approx(10.02)
    assert read_deadline.next_check(now) == pytest.approx(10.04)
    assert near.recv(1) == b"x"
    assert read_deadline.next_check(10.04) is None


def test_a_reader_that_takes_nothing_has_half_a_second(pair):
    near, far = pair
    read_deadline = ReadDeadline(near)
    read_deadline.deadline = 10.0
    far.send(b"x")
    read_deadline.next_check(12.0)
    assert read_deadline.next_check(12.49) is not None
    assert read_deadline.next_check(12.5) is None


def test_a_read_that_begins_meanwhile_is_checked_anew(pair):
    read_deadline = ReadDeadline(pair[0])
    read_deadline.deadline = 10.0
    read_deadline.next_check(10.0)
    read_deadline.deadline = 11.0
    assert read_deadline.next_check(11.0) is not None


def test_a_socket_that_is_closed_has_nothing_to_read(pair):
    read_deadline = ReadDeadline(pair[0])
    pair[0].close()
    read_deadline.deadline = 10.0
    read_deadline.next_check(10.0)
    assert read_deadline.next_check(10.02) is None


def test_a_watch_that_may_not_shut_now_is_asked_again(dog):
    asked = threading.Semaphore(0)

    class Busy:
        def fileno(self) -> int:
            return -1

        def shutdown(self, how: int) -> bool:
            asked.release()
            return False

    read_deadline = ReadDeadline(Busy())
    dog.arm(read_deadline, perf_counter())
    assert asked.acquire(timeout=HANGS)
    assert asked.acquire(timeout=HANGS)
    assert not read_deadline.fired
    read_deadline.over = True


def test_a_watch_of_a_distant_deadline_is_forgotten_soon_after_its_end(dog, pair):
    read_deadline = ReadDeadline(pair[0])
    dog.arm(read_deadline, perf_counter() + 3600)
    assert read_deadline.queued < perf_counter() + 60


# Reads


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, dog: Watchdog) -> None:
    monkeypatch.setattr(watchdog, "WATCHDOG", dog)


def reads(advance, near, **limits) -> BoundedReads:
    given = {name: timedelta(milliseconds=limit) for name, limit in limits.items()}
    deadlines = CallDeadlines(Timeout(**({"initial_token": None, "inter_token": None} | given)), perf_counter())
    deadlines.opened(perf_counter(), perf_counter())
    return BoundedReads(advance, ReadDeadline(near), deadlines)


@pytest.mark.usefixtures("own")
def test_expired_read_raises_a_timeout_with_the_transport_error(pair):
    near, _ = pair

    def advance() -> bytes:
        if not (data := near.recv(10)):
            raise ConnectionError("the peer closed")
        return data

    watched = reads(advance, near, initial_token=1000 * SOON)
    with pytest.raises(Expired) as raised:
        watched.read()
    assert isinstance(raised.value.__cause__, ConnectionError)


@pytest.mark.usefixtures("own")
def test_an_end_of_body_that_the_deadline_made_is_an_expiry_too(pair):
    near, _ = pair
    stream = iter(lambda: near.recv(10), b"")
    with pytest.raises(Expired):
        reads(stream.__next__, near, liveness=1000 * SOON).read()


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("error", [StopIteration, ConnectionError, KeyboardInterrupt])
def test_other_endings_come_through_as_they_are(pair, error):
    def advance() -> bytes:
        raise error

    with pytest.raises(error):
        reads(advance, pair[0], total=60_000).read()


@pytest.mark.usefixtures("own")
def test_between_reads_no_deadline_runs(pair):
    near, far = pair
    watched = reads(
        lambda: (watched._read_deadline.deadline, near.recv(10)), near, inter_token=60_000, initial_token=60_000
    )
    for data in (b"a", b"b"):
        far.send(data)
        during, received = watched.read()
        assert received == data
        assert during < inf
        assert watched._read_deadline.deadline == inf
    watched.close()

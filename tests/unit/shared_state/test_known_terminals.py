"""Which origins are known to end their streams properly: bounded, and safe to ask from anywhere."""

import threading

from l0.shared_state.known_terminals import Terminals


def test_an_origin_is_known_for_the_dialect_that_it_ended():
    terminals = Terminals()
    assert not terminals.known("http://a", "chat")
    terminals.add("http://a", "chat")
    assert terminals.known("http://a", "chat")
    assert not terminals.known("http://a", "responses")
    assert not terminals.known("http://b", "chat")


def test_the_oldest_is_forgotten_first():
    terminals = Terminals(most=3)
    for number in range(5):
        terminals.add(f"http://{number}", "chat")
    assert [terminals.known(f"http://{number}", "chat") for number in range(5)] == [False, False, True, True, True]


def test_known_terminal_evicts_nothing():
    terminals = Terminals(most=2)
    for origin in ("http://a", "http://b", "http://a", "http://a"):
        terminals.add(origin, "chat")
    assert terminals.known("http://a", "chat")
    assert terminals.known("http://b", "chat")


def test_many_threads_at_once():
    terminals = Terminals(most=50)

    def fill(start):
        for number in range(200):
            terminals.add(f"http://{start}/{number}", "chat")

    threads = [threading.Thread(target=fill, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(terminals._seen) == 50

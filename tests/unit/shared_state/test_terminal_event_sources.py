"""Sources known to send terminal events: bounded, and safe to use from any thread."""

import threading

from l0.shared_state.terminal_event_sources import StreamSource, TerminalEventSources


def source(base_url="http://a/v1", dialect="chat", model="m"):
    return StreamSource(base_url, dialect, model)


def test_source_is_known_by_base_url_dialect_and_model():
    terminals = TerminalEventSources()
    assert not terminals.known(source())
    terminals.add(source())
    assert terminals.known(source())
    assert not terminals.known(source(dialect="responses"))
    assert not terminals.known(source("http://b/v1"))
    assert not terminals.known(source("http://a/other/v1"))
    assert not terminals.known(source(model="another"))


def test_the_oldest_is_forgotten_first():
    terminals = TerminalEventSources(max_sources=3)
    for number in range(5):
        terminals.add(source(model=f"{number}"))
    assert [terminals.known(source(model=f"{number}")) for number in range(5)] == [False, False, True, True, True]


def test_known_terminal_evicts_nothing():
    terminals = TerminalEventSources(max_sources=2)
    for base_url in ("http://a", "http://b", "http://a", "http://a"):
        terminals.add(source(base_url))
    assert terminals.known(source("http://a"))
    assert terminals.known(source("http://b"))


def test_many_threads_at_once():
    terminals = TerminalEventSources(max_sources=50)

    def fill(start):
        for number in range(200):
            terminals.add(source(f"http://{start}/{number}"))

    threads = [threading.Thread(target=fill, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(terminals._seen) == 50

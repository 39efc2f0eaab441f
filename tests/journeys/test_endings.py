"""Every way to end a stream ends its span exactly once, with the truth in it; and nothing is left behind."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import anthropic
import openai
import pytest
from journeys_kit import CANCELLED, CHATTING, FAILED, OK, OPEN, Spans, chat_client, exhausted
from makers import collected

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator


class Mine(Exception):
    """Raised by the consumer."""


def exhausted_by_next(stream: Any) -> None:
    while next(stream, None) is not None:
        pass


def exhausted_then_closed(stream: Any) -> None:
    with stream:
        exhausted(stream)
    stream.close()


def broken_off(stream: Any) -> None:
    for _ in stream:
        break


def closed(stream: Any) -> None:
    next(stream)
    stream.close()


def closed_twice(stream: Any) -> None:
    next(stream)
    stream.close()
    stream.close()


def left(stream: Any) -> None:
    with stream:
        for _ in stream:
            break


def raised_within(stream: Any) -> None:
    with suppress(Mine), stream:
        for _ in stream:
            raise Mine


def raised_without(stream: Any) -> None:
    with suppress(Mine):
        for _ in stream:
            raise Mine


def generator_closed(stream: Any) -> None:
    def texts() -> Iterator[Any]:
        yield from stream

    with closing(texts()) as generator:
        next(generator)


def never_read(stream: Any) -> None:
    stream.close()


def dropped(stream: Any) -> None:
    """The stream is garbage."""


def thrown_into(stream: Any) -> None:
    iterator = iter(stream)
    next(iterator)
    with suppress(Mine, AttributeError):
        iterator.throw(Mine())


def response_closed(stream: Any) -> None:
    next(stream)
    stream.response.close()


ENDINGS: dict[Callable[[Any], None], tuple[str, str]] = {
    exhausted: OK,
    exhausted_by_next: OK,
    exhausted_then_closed: OK,
    broken_off: CANCELLED,
    closed: CANCELLED,
    closed_twice: CANCELLED,
    left: CANCELLED,
    raised_within: CANCELLED,
    raised_without: CANCELLED,
    generator_closed: CANCELLED,
    never_read: CANCELLED,
    dropped: CANCELLED,
    thrown_into: CANCELLED,
    response_closed: CANCELLED,
}


@pytest.mark.parametrize("dialect", OPEN)
@pytest.mark.parametrize(("end", "expected"), ENDINGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_an_ending(
    sim: Simulator, spans: Spans, dialect: str, end: Callable[[Any], None], expected: tuple[str, str]
) -> None:
    sim.script(Fault.slow_drip(interval=0.001))
    stream = OPEN[dialect](sim)
    assert spans.ends == []
    end(stream)
    del stream
    collected()
    assert spans.ends == [expected]
    assert len(spans.all) == 1


@pytest.mark.parametrize("dialect", OPEN)
def test_an_error_on_the_way(sim: Simulator, spans: Spans, dialect: str) -> None:
    sim.script(Fault.cut(at_event=8))
    stream = OPEN[dialect](sim)
    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError)):
        exhausted(stream)
    assert spans.ends == [FAILED]
    stream.close()
    del stream
    collected()
    assert spans.ends == [FAILED]
    assert (spans.only.attributes or {})["error.type"]


@pytest.mark.parametrize("dialect", OPEN)
def test_an_error_before_the_headers(sim: Simulator, spans: Spans, dialect: str) -> None:
    sim.script(Fault.status(401))
    with pytest.raises((openai.AuthenticationError, anthropic.AuthenticationError)):
        OPEN[dialect](sim)
    assert spans.ends == [FAILED]
    assert len(spans.all) == 1


@pytest.fixture
def interrupted(sim: Simulator) -> Iterator[None]:
    """Ctrl-C is pressed a moment after the request; it interrupts once, as Python's own handler does."""
    over = threading.Event()

    def interrupt(*_: Any) -> None:
        if not over.is_set():
            over.set()
            raise KeyboardInterrupt

    def press() -> None:
        while not sim.requests and not over.wait(0.01):
            pass
        while not over.wait(0.2):  # a signal just before a wait of CPython begins does not interrupt that wait
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    handler = signal.signal(signal.SIGINT, interrupt)
    pressing = threading.Thread(target=press)
    pressing.start()
    yield
    over.set()
    pressing.join()
    signal.signal(signal.SIGINT, handler)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this platform cannot interrupt a thread")
@pytest.mark.parametrize(
    "fault",
    [Fault.status(503, {"retry-after": "5"}), Fault.no_headers(), Fault.stall(at_event=8)],
    ids=["waiting for a retry", "waiting for headers", "reading"],
)
def test_interrupts_are_not_failures(sim: Simulator, spans: Spans, fault: Fault, interrupted: None) -> None:
    sim.script(fault)
    with pytest.raises(KeyboardInterrupt):
        exhausted(OPEN["chat"](sim))
    collected()
    assert spans.ends == [CANCELLED]
    assert len(sim.requests) == 1


def test_raw_responses_end_their_spans(sim: Simulator, spans: Spans) -> None:
    client = chat_client(sim)
    client.chat.completions.with_raw_response.create(**CHATTING)
    exhausted(client.chat.completions.with_raw_response.create(**CHATTING, stream=True).parse())
    with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as response:
        response.read()
    with client.chat.completions.with_streaming_response.create(**CHATTING) as response:
        response.parse()
    assert spans.ends == [OK] * 4
    with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True):
        pass
    assert spans.ends[4:] == [CANCELLED]


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the count is all that matters


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the entries of /proc/self/fd")
@pytest.mark.parametrize("end", [exhausted, closed, left, raised_within], ids=lambda one: one.__name__)
def test_no_socket_leaks(sim: Simulator, spans: Spans, end: Callable[[Any], None]) -> None:
    with openai.OpenAI(api_key="k", base_url=sim.openai) as client:
        end(client.chat.completions.create(**CHATTING, stream=True))
        collected()
        before = descriptors()
        for _ in range(20):
            end(client.chat.completions.create(**CHATTING, stream=True))
        collected()
        assert descriptors() <= before + 1
    assert len(spans.ends) == 21


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the entries of /proc/self/fd")
def test_attempts_that_failed_leave_no_socket(sim: Simulator, spans: Spans) -> None:
    with openai.OpenAI(api_key="k", base_url=sim.openai) as client:
        exhausted(client.chat.completions.create(**CHATTING, stream=True))
        before = descriptors()
        with l0.policy(truncation="strict"):
            for _ in range(10):
                sim.script(Fault.clean_end(at_event=1), Fault.cut(at_event=0))
                exhausted(client.chat.completions.create(**CHATTING, stream=True))
        assert descriptors() <= before + 1
    assert [end for end, _ in spans.ends[1:]] == ["recovered_retry"] * 10


def test_connections_are_used_again(sim: Simulator) -> None:
    """A stream that was read to its end gives its connection back: 10 calls, one connection, as in the bare SDK."""
    l0.instrument(l0.Policy.interactive())
    client = chat_client(sim)
    pools = []
    for _ in range(10):
        stream = client.chat.completions.create(**CHATTING, stream=True)
        exhausted(stream)
        pools.append(stream.response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(set(pools)) == 1


def test_no_thread_is_left(sim: Simulator) -> None:
    l0.instrument(l0.Policy.interactive())
    exhausted(OPEN["chat"](sim))
    l0.uninstrument()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("l0-w")] == []

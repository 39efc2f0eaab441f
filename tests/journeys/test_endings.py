"""Every way to end a stream ends its span exactly once, with the truth in it; and nothing is left behind."""

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing, suppress
from typing import Any

import anthropic
import openai
import pytest
import wrapt
from journeys_kit import CHATTING, MESSAGING, RESPONDING, Spans, async_chat_client, async_claude, chat_client, claude
from opentelemetry import trace

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

OK, CANCELLED, FAILED = ("ok", "UNSET"), ("cancelled", "UNSET"), ("failed", "ERROR")
OPEN = {
    "chat": lambda sim: chat_client(sim).chat.completions.create(**CHATTING, stream=True),
    "responses": lambda sim: chat_client(sim).responses.create(**RESPONDING, stream=True),
    "messages": lambda sim: claude(sim).messages.create(**MESSAGING, stream=True),
}


class Mine(Exception):
    """Raised by the consumer."""


# -- sync -----------------------------------------------------------------------------------------------------------


def exhausted(stream: Any) -> None:
    for _ in stream:
        pass


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
    gc.collect()
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
    gc.collect()
    assert spans.ends == [FAILED]
    assert (spans.only.attributes or {})["error.type"]


@pytest.mark.parametrize("dialect", OPEN)
def test_an_error_before_the_headers(sim: Simulator, spans: Spans, dialect: str) -> None:
    sim.script(Fault.status(401))
    with pytest.raises((openai.AuthenticationError, anthropic.AuthenticationError)):
        OPEN[dialect](sim)
    assert spans.ends == [FAILED]
    assert len(spans.all) == 1


def test_interrupts_are_not_failures(sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a retry waits, and while the answer is read."""
    import time

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", interrupt)
        sim.script(Fault.status(503))
        with pytest.raises(KeyboardInterrupt):
            OPEN["chat"](sim)
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


# -- async ----------------------------------------------------------------------------------------------------------


async def aexhausted(stream: Any) -> None:
    async for _ in stream:
        pass


async def abroken_off(stream: Any) -> None:
    async for _ in stream:
        break


async def aclosed(stream: Any) -> None:
    await anext(stream)
    await stream.close()


async def aleft(stream: Any) -> None:
    async with stream:
        async for _ in stream:
            break


async def araised(stream: Any) -> None:
    with suppress(Mine):
        async with stream:
            async for _ in stream:
                raise Mine


async def agenerator_closed(stream: Any) -> None:
    async def texts() -> Any:
        async for item in stream:
            yield item

    async with aclosing(texts()) as generator:
        await anext(generator)


async def anever_read(stream: Any) -> None:
    await stream.close()


async def adropped(stream: Any) -> None:
    """The stream is garbage."""


async def acancelled(stream: Any) -> None:
    task = asyncio.create_task(aexhausted(stream))
    await asyncio.sleep(0.03)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def atimed_out(stream: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.03):
            await aexhausted(stream)


AENDINGS: dict[Callable[[Any], Awaitable[None]], tuple[str, str]] = {
    aexhausted: OK,
    abroken_off: CANCELLED,
    aclosed: CANCELLED,
    aleft: CANCELLED,
    araised: CANCELLED,
    agenerator_closed: CANCELLED,
    anever_read: CANCELLED,
    adropped: CANCELLED,
    acancelled: CANCELLED,
    atimed_out: CANCELLED,
}


ABANDONED = (abroken_off, agenerator_closed, adropped)
"""Endings that leave the closing to the garbage collector."""


def complaints(loop: asyncio.AbstractEventLoop, *, abandoned: bool) -> list[str]:
    """What asyncio complains of ('Task was destroyed', exceptions that nobody fetched).

    Of an abandoned stream the transport's own generators may complain: so they do, more often, without l0.
    """
    found: list[str] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        generator = context.get("asyncgen")
        file = generator.ag_code.co_filename if generator is not None else ""
        if not (abandoned and "http" in file):
            found.append(str(context))

    loop.set_exception_handler(note)
    return found


@pytest.mark.parametrize("dialect", ["chat", "messages"])
@pytest.mark.parametrize("clocks", [False, True], ids=["plain", "clocks"])
@pytest.mark.parametrize(("end", "expected"), AENDINGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_an_async_ending(
    sim: Simulator,
    spans: Spans,
    dialect: str,
    clocks: bool,
    end: Callable[[Any], Awaitable[None]],
    expected: tuple[str, str],
) -> None:
    sim.script(Fault.slow_drip(interval=0.005))

    async def journey() -> list[str]:
        found = complaints(asyncio.get_running_loop(), abandoned=end in ABANDONED)
        async with async_chat_client(sim) as client, async_claude(sim) as other:
            with l0.policy(timeout=l0.Timeout() if clocks else None):
                if dialect == "chat":
                    stream: Any = await client.chat.completions.create(**CHATTING, stream=True)
                else:
                    stream = await other.messages.create(**MESSAGING, stream=True)
            await end(stream)
            del stream
            gc.collect()
            await asyncio.sleep(0.01)
        return found

    assert asyncio.run(journey()) == []
    gc.collect()
    assert spans.ends == [expected]
    assert len(spans.all) == 1


def test_a_timeout_around_the_request(sim: Simulator, spans: Spans) -> None:
    async def journey() -> None:
        async with async_chat_client(sim) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.chat.completions.create(**CHATTING, stream=True)

    sim.script(Fault.no_headers())
    asyncio.run(journey())
    assert spans.ends == [CANCELLED]
    assert len(sim.requests) == 1


def test_cancelled_while_a_retry_waits(sim: Simulator, spans: Spans) -> None:
    async def journey() -> None:
        async with async_chat_client(sim) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.chat.completions.create(**CHATTING, stream=True)

    sim.script(Fault.status(503, {"retry-after": "5"}))
    asyncio.run(journey())
    assert spans.ends == [CANCELLED]
    assert len(sim.requests) == 1


# -- context --------------------------------------------------------------------------------------------------------


def test_the_parent_is_the_span_of_the_call(sim: Simulator, spans: Spans) -> None:
    with spans.tracer.start_as_current_span("caller") as caller:
        stream = OPEN["chat"](sim)
        assert trace.get_current_span() is caller
    with spans.tracer.start_as_current_span("consumer") as consumer:
        for _ in stream:
            assert trace.get_current_span() is consumer
    ours = next(span for span in spans.all if span.name.startswith("chat"))
    assert ours.parent is not None
    assert ours.parent.span_id == caller.get_span_context().span_id


def test_parents_in_threads_and_tasks(sim: Simulator, spans: Spans) -> None:
    def in_thread(number: int) -> None:
        with spans.tracer.start_as_current_span(f"thread {number}"):
            exhausted(OPEN["messages"](sim))

    async def in_task(client: Any, number: int) -> None:
        with spans.tracer.start_as_current_span(f"task {number}") as mine:
            async for _ in await client.chat.completions.create(**CHATTING, stream=True):
                assert trace.get_current_span() is mine

    async def journey() -> None:
        async with async_chat_client(sim) as client:
            await asyncio.gather(*(in_task(client, number) for number in range(8)))

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(journey())
    for thread in threads:
        thread.join()
    parents = {span.context.span_id: span.name for span in spans.all if span.context and span.parent is None}
    children = sorted(parents[span.parent.span_id] for span in spans.all if span.parent is not None)
    assert children == sorted(
        [*(f"task {number}" for number in range(8)), *(f"thread {number}" for number in range(4))]
    )


# -- nothing is left behind -----------------------------------------------------------------------------------------


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the count is all that matters


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the entries of /proc/self/fd")
@pytest.mark.parametrize("end", [exhausted, closed, left, raised_within], ids=lambda one: one.__name__)
def test_no_socket_leaks(sim: Simulator, spans: Spans, end: Callable[[Any], None]) -> None:
    with openai.OpenAI(api_key="k", base_url=sim.openai) as client:
        end(client.chat.completions.create(**CHATTING, stream=True))
        gc.collect()
        before = descriptors()
        for _ in range(20):
            end(client.chat.completions.create(**CHATTING, stream=True))
        gc.collect()
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


# -- on and off -----------------------------------------------------------------------------------------------------


def functions() -> list[Any]:
    """What is patched."""
    return [
        kind.__dict__[name]
        for sdk in (openai, anthropic)
        for kind, name in (
            (sdk._base_client.SyncAPIClient, "request"),
            (sdk._base_client.AsyncAPIClient, "request"),
            (sdk._streaming.Stream, "__stream__"),
            (sdk._streaming.AsyncStream, "__stream__"),
        )
    ]


def test_on_twice_and_off_twice(sim: Simulator) -> None:
    l0.uninstrument()
    before = functions()
    spans = Spans()
    spans.instrument()
    patched = functions()
    l0.instrument()
    l0.instrument(l0.Policy.batch())
    assert functions() == patched
    assert all(one is not other for one, other in zip(before, patched, strict=True))
    exhausted(OPEN["chat"](sim))
    assert spans.ends == [OK]
    l0.uninstrument()
    l0.uninstrument()
    assert all(one is other for one, other in zip(before, functions(), strict=True))


def test_on_and_off_from_threads(sim: Simulator) -> None:
    l0.uninstrument()
    before = functions()
    failures: list[BaseException] = []

    def toggle(number: int) -> None:
        try:
            for _ in range(3):
                l0.instrument()
                list(OPEN["chat" if number % 2 else "messages"](sim))
                l0.uninstrument()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=toggle, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    l0.uninstrument()
    assert all(one is other for one, other in zip(before, functions(), strict=True))


def test_off_while_a_stream_is_read(sim: Simulator, spans: Spans) -> None:
    sim.script(Fault.slow_drip(interval=0.001))
    stream = OPEN["chat"](sim)
    next(stream)
    l0.uninstrument()
    exhausted(stream)
    assert spans.ends == [OK]


def test_under_a_foreign_wrapper(sim: Simulator, spans: Spans) -> None:
    seen = []

    def foreign(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        seen.append(1)
        return wrapped(*args, **kwargs)

    owner: Any = openai._base_client.SyncAPIClient
    ours = owner.__dict__["request"]
    owner.request = theirs = wrapt.FunctionWrapper(ours, foreign)
    try:
        exhausted(OPEN["chat"](sim))
        assert spans.ends == [OK]
        l0.uninstrument()
        assert owner.__dict__["request"] is theirs
        exhausted(OPEN["chat"](sim))
        assert (len(seen), len(spans.ends)) == (2, 1)
        again = Spans()
        again.instrument()
        exhausted(OPEN["chat"](sim))
        assert (len(again.ends), len(spans.ends)) == (1, 1)
    finally:
        l0.uninstrument()
        owner.request = ours.__wrapped__


# -- one span a call ------------------------------------------------------------------------------------------------


def test_anthropics_own_span_is_replaced(sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """anthropic 2 starts a span of its own on the global provider: with ours, exactly one reaches the exporter."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    with spans.tracer.start_as_current_span("caller"):
        claude(sim).messages.create(**MESSAGING)
        exhausted(claude(sim).messages.create(**MESSAGING, stream=True))
        with claude(sim).messages.stream(**MESSAGING) as stream:
            stream.until_done()
    names = [span.name for span in spans.all]
    assert names == ["chat claude-test"] * 3 + ["caller"]


def test_trace_context_goes_out_as_the_sdk_sends_it(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    journeys: list[list[bool]] = []
    for on in (False, True):
        if not on:
            l0.uninstrument()
        else:
            spans.instrument()
        sim.reset()
        with spans.tracer.start_as_current_span("caller"):
            exhausted(claude(sim).messages.create(**MESSAGING, stream=True))
            exhausted(chat_client(sim).chat.completions.create(**CHATTING, stream=True))
        journeys.append(["traceparent" in request.headers for request in sim.requests])
    assert journeys[0] == journeys[1]


# -- in the way of nobody -------------------------------------------------------------------------------------------


def test_an_observer_that_fails_breaks_nothing(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from l0.telemetry.spans import SpanWatcher

    def broken(*_: Any) -> Any:
        raise Mine

    caplog.set_level(logging.CRITICAL, logger="l0")
    for name in ("notify", "active", "headers"):
        with monkeypatch.context() as patch:
            patch.setattr(SpanWatcher, name, broken)
            assert len(list(OPEN["chat"](sim))) > 3
            assert len(list(OPEN["messages"](sim))) > 3
    del spans

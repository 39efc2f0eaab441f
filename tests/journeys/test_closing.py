"""Closing is the user's right, from anywhere: the exception is the bare SDK's, and nothing is sent again.

Each case is run bare first. In sync code a read that is blocked goes on, bare, until the server sends something; with
l0 it ends at once, and raises what bare code raises if it closes inside its own loop.
"""

import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import anthropic
import anyio
import openai
import pytest
from installed import needs_trio
from journeys_kit import CANCELLED, CHATTING, MESSAGING, Spans, async_chat_client, async_claude, chat_client, claude
from makers import collected

import l0
from l0.runtime.connection_use import ConnectionUse
from l0.simulator.connection import Connection
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.stainless.requests import _SdkRequests
from l0.stainless.sdk_responses import runtime_of

SILENT = Fault.stall(at_event=6, seconds=60)
SDK_ERRORS = (openai.OpenAIError, anthropic.AnthropicError)
HANGS = 120
"""Seconds that only a hang takes."""
HELD_S = 3599.0
"""The length of a silence that ends when `release` is set."""
NOW = l0.Retry(base_delay=0)
POLICIES: dict[str, l0.Policy | None] = {
    "none": None,
    "retries": l0.Policy(retry=NOW),
    "holds": l0.Policy(retry=NOW, hold="message"),
    "resumes": l0.Policy(retry=NOW, resume="exact", truncation="strict"),
    "clocks": l0.Policy(retry=NOW, timeout=l0.Timeout(initial_token=60_000, inter_token=60_000)),
    "falls over": l0.Policy(retry=NOW, fallback=[l0.Fallback(model="gpt-4o-mini")]),
}
CALLS = [
    ("none", "chat"),
    ("retries", "messages"),
    ("holds", "chat"),
    ("resumes", "chat"),
    ("clocks", "messages"),
    ("falls over", "chat"),
]
calls = pytest.mark.parametrize(("policy", "dialect"), CALLS)
CALLS_WITH_AN_OPEN_STREAM = [call for call in CALLS if call[0] != "holds"]
"""With ``hold="message"`` the call is over when its user has the first chunk."""
dialects = pytest.mark.parametrize("dialect", ["chat", "messages"])
backends = pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=needs_trio)])
ErrorClasses = tuple[type, type] | None
"""The classes of an exception and of its cause, if the SDK raised it: what is below a transport's error is its own."""


def classes(error: BaseException | None) -> ErrorClasses:
    if error is None:
        return None
    return type(error), type(error.__cause__) if isinstance(error, SDK_ERRORS) else type(None)


def made(sim: Simulator, dialect: str) -> tuple[Any, Callable[..., Any]]:
    client = chat_client(sim) if dialect == "chat" else claude(sim)
    return client, creator(client, dialect)


def amade(sim: Simulator, dialect: str) -> tuple[Any, Callable[..., Any]]:
    client: Any = async_chat_client(sim) if dialect == "chat" else async_claude(sim)
    return client, creator(client, dialect)


def creator(client: Any, dialect: str) -> Callable[..., Any]:
    def create(*, stream: bool = True) -> Any:
        if dialect == "chat":
            return client.chat.completions.create(**CHATTING, stream=stream)
        return client.messages.create(**MESSAGING, stream=stream)

    return create


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Ends the silences of `HELD_S` that the simulator plays."""
    released = threading.Event()
    silently = Connection.wait_silently

    async def wait_silently(connection: Connection, seconds: float) -> None:
        if seconds != HELD_S:
            await silently(connection, seconds)
            return
        while not released.is_set():
            await silently(connection, 0.005)

    monkeypatch.setattr(Connection, "wait_silently", wait_silently)
    yield released
    released.set()


@contextmanager
def signalled(number: signal.Signals, handler: Callable[[], Any], *, when: Callable[[], bool]) -> Iterator[None]:
    """Send a signal to this thread once ``when`` returns True, and let ``handler`` handle it, once."""
    receiver, handled, over = threading.get_ident(), threading.Event(), threading.Event()

    def handle(*_: Any) -> None:
        if not handled.is_set():
            handled.set()
            handler()

    def send() -> None:
        while not when() and not over.is_set():
            pass
        while not over.is_set() and not handled.wait(0.01):  # a wait that only begins is not interrupted
            signal.pthread_kill(receiver, number)

    before = signal.signal(number, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
        signal.signal(number, before)


def assert_like_bare(
    sim: Simulator,
    spans: Spans,
    policy: l0.Policy | None,
    case: Callable[[], ErrorClasses],
    *faults: Fault,
    direct: bool | None = None,
    requests: int = 1,
) -> None:
    """Run a case with the bare SDK and with L0. Assert the same exception, one cancelled span, and no further request.

    ``requests``: the number of requests that L0 has sent when the case closes.
    """
    l0.uninstrument()
    sim.script(*faults)
    bare = case()
    assert bare is not None
    assert len(sim.requests) == 1
    sim.reset()
    spans.instrument(policy)
    l0.instrument(policy, direct=direct)
    sim.script(*faults)
    assert case() == bare
    collected()
    assert len(sim.requests) == requests
    assert spans.ends == [CANCELLED]


# -- async ----------------------------------------------------------------------------------------------------------


async def aclose_stream(_: Any, stream: Any) -> None:
    await stream.close()


async def aclose_response(_: Any, stream: Any) -> None:
    await stream.response.aclose()


async def aclose_client(client: Any, _: Any) -> None:
    await client.close()


async def aclose_twice(_: Any, stream: Any) -> None:
    await stream.close()
    await stream.close()


AClose = Callable[[Any, Any], Awaitable[None]]
acloses = pytest.mark.parametrize("close", [aclose_stream, aclose_response, aclose_client, aclose_twice])


async def atold(stream: Any, each: Callable[[], Awaitable[None]] | None = None) -> ErrorClasses:
    try:
        async for _ in stream:
            if each is not None:
                await each()
    except Exception as error:
        return classes(error)
    return None


async def by_another_task(sim: Simulator, dialect: str, close: AClose) -> ErrorClasses:
    """The reader is blocked."""
    client, create = amade(sim, dialect)
    told: list[ErrorClasses] = []

    async def read(stream: Any) -> None:
        told.append(await atold(stream))

    async with client:
        stream = await create()
        with anyio.fail_after(HANGS):
            async with anyio.create_task_group() as group:
                group.start_soon(read, stream)
                await anyio.wait_all_tasks_blocked()
                await close(client, stream)
    return told[0]


async def inside_the_loop(sim: Simulator, dialect: str, close: AClose) -> ErrorClasses:
    client, create = amade(sim, dialect)
    async with client:
        stream = await create()
        with anyio.fail_after(HANGS):
            return await atold(stream, lambda: close(client, stream))


async def before_it_is_read(sim: Simulator, dialect: str, close: AClose) -> ErrorClasses:
    client, create = amade(sim, dialect)
    async with client:
        stream = await create()
        await close(client, stream)
        with anyio.fail_after(HANGS):
            return await atold(stream)


def _async_cases() -> Iterator[Any]:
    """Yield every case under asyncio. Reading directly and trio make a difference to two policies only."""
    for case in (by_another_task, inside_the_loop, before_it_is_read):
        for policy, dialect in CALLS_WITH_AN_OPEN_STREAM if case is inside_the_loop else CALLS:
            yield pytest.param(policy, dialect, case, "asyncio", None, id=f"{policy}-{case.__name__}-asyncio")
            if policy in ("none", "resumes"):
                yield pytest.param(policy, dialect, case, "asyncio", True, id=f"{policy}-{case.__name__}-direct")
                yield pytest.param(
                    policy, dialect, case, "trio", None, marks=needs_trio, id=f"{policy}-{case.__name__}-trio"
                )


@acloses
@pytest.mark.parametrize(("policy", "dialect", "case", "backend", "direct"), list(_async_cases()))
def test_async(
    sim: Simulator, spans: Spans, policy: str, dialect: str, close: AClose, backend: str, direct: bool | None, case: Any
) -> None:
    assert_like_bare(
        sim,
        spans,
        POLICIES[policy],
        lambda: anyio.run(case, sim, dialect, close, backend=backend),
        SILENT,
        direct=direct,
    )


@calls
@backends
def test_reading_after_the_block_of_an_async_client(
    sim: Simulator, spans: Spans, policy: str, dialect: str, backend: str
) -> None:
    async def case() -> ErrorClasses:
        client, create = amade(sim, dialect)
        async with client:
            stream = await create()
        with anyio.fail_after(HANGS):
            return await atold(stream)

    assert_like_bare(sim, spans, POLICIES[policy], lambda: anyio.run(case, backend=backend), SILENT)


@dialects
@backends
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("policy", ["none", "falls over"])
def test_a_client_that_is_closed_before_the_headers(
    sim: Simulator, spans: Spans, policy: str, dialect: str, backend: str, stream: bool
) -> None:
    async def case() -> ErrorClasses:
        client, create = amade(sim, dialect)
        told: list[ErrorClasses] = []

        async def call() -> None:
            try:
                await create(stream=stream)
            except Exception as error:
                told.append((type(error), type(None)))  # bare it may have failed more than once by then

        with anyio.fail_after(HANGS):
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                while not sim.requests:
                    await anyio.sleep(0.001)
                await client.close()
        return told[0]

    assert_like_bare(sim, spans, POLICIES[policy], lambda: anyio.run(case, backend=backend), Fault.no_headers(60))


# -- sync -----------------------------------------------------------------------------------------------------------


def close_stream(_: Any, stream: Any) -> None:
    stream.close()


def close_response(_: Any, stream: Any) -> None:
    stream.response.close()


def close_client(client: Any, _: Any) -> None:
    client.close()


def close_in_a_finalizer(_: Any, stream: Any) -> None:
    class Owner:
        def __del__(self) -> None:
            stream.close()

    Owner()
    collected()


Close = Callable[[Any, Any], None]
closes = pytest.mark.parametrize("close", [close_stream, close_response, close_client, close_in_a_finalizer])


def told(stream: Any, each: Callable[[], None] | None = None) -> ErrorClasses:
    try:
        for _ in stream:
            if each is not None:
                each()
    except Exception as error:
        return classes(error)
    return None


@closes
@pytest.mark.parametrize(
    ("policy", "dialect", "unread"),
    [(*call, True) for call in CALLS] + [(*call, False) for call in CALLS_WITH_AN_OPEN_STREAM],
)
def test_sync(sim: Simulator, spans: Spans, policy: str, dialect: str, close: Close, unread: bool) -> None:
    def case() -> ErrorClasses:
        client, create = made(sim, dialect)
        stream = create()
        if unread:
            close(client, stream)
            return told(stream)
        return told(stream, lambda: close(client, stream))

    assert_like_bare(sim, spans, POLICIES[policy], case, SILENT)


@calls
def test_reading_after_the_block_of_a_client(sim: Simulator, spans: Spans, policy: str, dialect: str) -> None:
    def case() -> ErrorClasses:
        client, create = made(sim, dialect)
        with client:
            stream = create()
        return told(stream)

    assert_like_bare(sim, spans, POLICIES[policy], case, SILENT)


def inside(sim: Simulator, dialect: str) -> ErrorClasses:
    """Return the exception that bare code raises if it closes in its own loop."""
    l0.uninstrument()
    sim.script(SILENT)
    _, create = made(sim, dialect)
    stream = create()
    found = told(stream, stream.close)
    sim.reset()
    assert found is not None
    return found


@calls
@pytest.mark.parametrize("close", [close_stream, close_response, close_in_a_finalizer])
def test_another_thread_closes(sim: Simulator, spans: Spans, policy: str, dialect: str, close: Close) -> None:
    bare = inside(sim, dialect)
    spans.instrument(POLICIES[policy])
    sim.script(SILENT)
    client, create = made(sim, dialect)
    stream = create()
    session = runtime_of(stream.response)
    assert session is not None
    got: list[ErrorClasses] = []
    reader = threading.Thread(target=lambda: got.append(told(stream)), daemon=True)
    reader.start()
    while session.connection is not ConnectionUse.READING:
        pass
    close(client, stream)
    reader.join(HANGS)
    assert [found and found[0] for found in got] == [bare and bare[0]]
    assert len(sim.requests) == 1
    assert spans.ends == [CANCELLED]


@calls
def test_a_signal_handler_closes(sim: Simulator, spans: Spans, policy: str, dialect: str) -> None:
    bare = inside(sim, dialect)
    spans.instrument(POLICIES[policy])
    sim.script(SILENT)
    _, create = made(sim, dialect)
    stream = create()
    session = runtime_of(stream.response)
    assert session is not None
    with signalled(signal.SIGALRM, stream.close, when=lambda: session.connection is ConnectionUse.READING):
        found = told(stream)
    assert found is not None
    assert bare is not None
    assert found[0] is bare[0]
    assert len(sim.requests) == 1
    assert spans.ends == [CANCELLED]


# -- between two attempts -------------------------------------------------------------------------------------------

SLOW_TIME = timedelta(seconds=2 * HANGS)
SLOW = l0.Retry(strategy="fixed", base_delay=SLOW_TIME, max_delay=SLOW_TIME)
MOMENTS: dict[str, tuple[l0.Policy, list[Fault]]] = {
    "a backoff": (l0.Policy(retry=SLOW), [Fault.cut(at_event=1)]),
    "a backoff before an answer is taken up": (l0.Policy(retry=SLOW, resume="exact"), [Fault.cut(at_event=6)]),
    "the headers of a second attempt": (l0.Policy(retry=NOW), [Fault.cut(at_event=1), Fault.no_headers(60)]),
    "the headers of what takes it up": (
        l0.Policy(retry=NOW, resume="exact"),
        [Fault.cut(at_event=6), Fault.no_headers(60)],
    ),
    "the headers of a fallback": (
        l0.Policy(retry=l0.Retry(attempts=0, max_retries=0), fallback=[l0.Fallback(model="gpt-4o-mini")]),
        [Fault.cut(at_event=1), Fault.no_headers(60)],
    ),
    "what is swallowed": (
        l0.Policy(retry=NOW, resume="exact"),
        [Fault.cut(at_event=8), Fault.stall(at_event=4, seconds=60)],
    ),
    "what is held back": (l0.Policy(retry=NOW), [Fault.stall(at_event=1, seconds=60)]),
}
moments = pytest.mark.parametrize("moment", MOMENTS)


@moments
@backends
@pytest.mark.parametrize("close", [aclose_stream, aclose_response, aclose_client])
def test_at_any_moment_in_async_code(sim: Simulator, spans: Spans, moment: str, backend: str, close: AClose) -> None:
    bare = inside(sim, "chat")
    policy, faults = MOMENTS[moment]
    spans.instrument(policy)
    sim.script(*faults)

    async def case() -> ErrorClasses:
        client, create = amade(sim, "chat")
        got: list[ErrorClasses] = []

        async def read(stream: Any) -> None:
            got.append(await atold(stream))

        async with client:
            stream = await create()
            with anyio.fail_after(HANGS):
                async with anyio.create_task_group() as group:
                    group.start_soon(read, stream)
                    while len(sim.requests) < len(faults):
                        await anyio.sleep(0.001)
                    session = runtime_of(stream.response)
                    assert session is not None
                    while "backoff" in moment and session.ending.alarm is None:
                        await anyio.sleep(0.001)
                    await anyio.wait_all_tasks_blocked()
                    await close(client, stream)
        return got[0]

    assert anyio.run(case, backend=backend) == bare
    assert len(sim.requests) == len(faults)
    assert spans.ends == [CANCELLED]


def _sync_moments() -> Iterator[Any]:
    """Yield every moment at which a close ends the call at once. A blocked read outlasts its client, as without L0."""
    for moment in MOMENTS:
        yield pytest.param(moment, close_stream, id=f"{moment}-stream")
        if "backoff" in moment:
            yield pytest.param(moment, close_client, id=f"{moment}-client")


@pytest.mark.parametrize(("moment", "close"), list(_sync_moments()))
def test_at_any_moment_in_sync_code(
    sim: Simulator, spans: Spans, release: threading.Event, moment: str, close: Close
) -> None:
    """A request on its way cannot be ended: its answer is not read."""
    bare = inside(sim, "chat")
    policy, faults = MOMENTS[moment]
    faults = [Fault.no_headers(HELD_S) if "no-headers" in str(fault) else fault for fault in faults]
    spans.instrument(policy)
    sim.script(*faults)
    client, create = made(sim, "chat")
    stream = create()
    session = runtime_of(stream.response)
    assert session is not None
    got: list[ErrorClasses] = []
    reader = threading.Thread(target=lambda: got.append(told(stream)), daemon=True)
    reader.start()
    while len(sim.requests) < len(faults) or ("backoff" in moment and session.ending.alarm is None):
        pass
    close(client, stream)
    release.set()
    reader.join(HANGS)
    assert [found and found[0] for found in got] == [bare and bare[0]]
    assert len(sim.requests) == len(faults)
    assert spans.ends == [CANCELLED]


OVERLOADED = Fault.status(503)


def of_a_closed_client(sim: Simulator, dialect: str) -> ErrorClasses:
    """Return what the bare SDK raises for a request through a closed client."""
    l0.uninstrument()
    client, create = made(sim, dialect)
    client.close()
    try:
        create()
    except Exception as error:
        return classes(error)
    raise AssertionError("a closed client sent a request")


@dialects
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("copied", [False, True], ids=["client", "copy of the client"])
def test_a_client_that_is_closed_in_a_backoff(
    sim: Simulator, spans: Spans, resting: threading.Event, dialect: str, stream: bool, copied: bool
) -> None:
    bare = of_a_closed_client(sim, dialect)
    spans.instrument(l0.Policy(retry=SLOW))
    sim.script(OVERLOADED)
    client, create = made(sim, dialect)
    got: list[ErrorClasses] = []

    def call() -> None:
        try:
            create(stream=stream)
        except Exception as error:
            got.append(classes(error))

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    assert resting.wait(HANGS)
    (client.with_options(timeout=5) if copied else client).close()
    caller.join(HANGS)
    assert got == [bare]
    assert len(sim.requests) == 1
    assert spans.ends == [CANCELLED]


@dialects
@backends
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_async_client_that_is_closed_in_a_backoff(
    sim: Simulator, spans: Spans, resting: threading.Event, dialect: str, backend: str, stream: bool
) -> None:
    bare = of_a_closed_client(sim, dialect)
    spans.instrument(l0.Policy(retry=SLOW))
    sim.script(OVERLOADED)

    async def case() -> list[ErrorClasses]:
        client, create = amade(sim, dialect)
        got: list[ErrorClasses] = []

        async def call() -> None:
            try:
                await create(stream=stream)
            except Exception as error:
                got.append(classes(error))

        with anyio.fail_after(HANGS):
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                while not resting.is_set():
                    await anyio.sleep(0.001)
                await client.close()
        return got

    assert anyio.run(case, backend=backend) == [bare]
    assert len(sim.requests) == 1
    assert spans.ends == [CANCELLED]


def test_another_client_that_is_closed_ends_no_backoff(sim: Simulator, spans: Spans, resting: threading.Event) -> None:
    spans.instrument(l0.Policy(retry=SLOW))
    sim.script(OVERLOADED)
    client, create = made(sim, "chat")
    other, _ = made(sim, "chat")
    got: list[ErrorClasses] = []
    caller = threading.Thread(target=lambda: got.append(told_of(create)), daemon=True)
    caller.start()
    assert resting.wait(HANGS)
    other.close()
    assert caller.is_alive()
    assert spans.ends == []
    client.close()
    caller.join(HANGS)
    assert len(got) == 1


def told_of(create: Callable[..., Any]) -> ErrorClasses:
    try:
        create()
    except Exception as error:
        return classes(error)
    return None


def test_sigterm_ends_a_backoff(sim: Simulator, spans: Spans, resting: threading.Event) -> None:
    """A handler that raises, as `sys.exit` does, ends the wait at once."""
    spans.instrument(l0.Policy(retry=SLOW))
    sim.script(OVERLOADED)
    _, create = made(sim, "chat")
    with signalled(signal.SIGTERM, sys.exit, when=resting.is_set), pytest.raises(SystemExit):
        create()
    assert len(sim.requests) == 1
    assert spans.ends == [CANCELLED]


# -- while a hedge runs beside the primary --------------------------------------------------------------------------

HEDGED = l0.Policy(hedge=l0.Hedge(after=timedelta(milliseconds=1)), retry=NOW)
NO_HEADERS, NO_CONTENT = Fault.no_headers(60), Fault.stall(at_event=0, seconds=60)
RACES: dict[str, tuple[Fault, Fault]] = {
    "no headers": (NO_HEADERS, NO_HEADERS),
    "no content": (NO_CONTENT, NO_CONTENT),
    "the hedge has no headers": (NO_CONTENT, NO_HEADERS),
    "the primary has no headers": (NO_HEADERS, NO_CONTENT),
}
races = pytest.mark.parametrize("race", RACES)


@pytest.fixture
def reading_ahead(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The answers of the attempts in a race that have their headers."""
    begun: list[Any] = []
    ahead = _SdkRequests._read_ahead

    def note(requests: Any, answer: Any, *attempt: Any) -> Any:
        begun.append(answer)
        return ahead(requests, answer, *attempt)

    monkeypatch.setattr(_SdkRequests, "_read_ahead", note)
    return begun


def fault_of_primary(sim: Simulator, race: str) -> Fault:
    """The fault that the primary met. Its request may arrive after the hedge's."""
    hedge_came_first = sim.requests[0].headers.get("x-stainless-retry-count", "0") != "0"
    return RACES[race][hedge_came_first]


async def all_disconnected(sim: Simulator) -> None:
    with anyio.fail_after(HANGS):
        while not all(request.disconnected for request in sim.requests):
            await anyio.sleep(0.001)


@races
@dialects
@backends
@pytest.mark.parametrize("cancels", [False, True], ids=["client closed", "task cancelled"])
def test_an_async_race(
    sim: Simulator, spans: Spans, reading_ahead: list[Any], race: str, dialect: str, backend: str, cancels: bool
) -> None:
    script = list(RACES[race])

    def run(requests: int, opened: int) -> type:
        async def case() -> type:
            client, create = amade(sim, dialect)
            got: list[type] = []

            async def call() -> None:
                try:
                    stream = await create()
                    reading_ahead.append(stream)
                    async for _ in stream:
                        pass
                except BaseException as error:
                    got.append(type(error))
                    if not isinstance(error, Exception):
                        raise

            with anyio.fail_after(HANGS):
                async with anyio.create_task_group() as group:
                    group.start_soon(call)
                    while len(sim.requests) < requests or len(reading_ahead) < opened:
                        await anyio.sleep(0.001)
                    await anyio.wait_all_tasks_blocked()
                    if cancels:
                        group.cancel_scope.cancel()
                    else:
                        await client.close()
            await all_disconnected(sim)
            await client.close()
            return got[0]

        return anyio.run(case, backend=backend)

    spans.instrument(HEDGED)
    sim.script(*script)
    got = run(2, script.count(NO_CONTENT))
    assert len(sim.requests) == 2
    assert spans.ends == [CANCELLED]
    primary = fault_of_primary(sim, race)
    l0.uninstrument()
    sim.reset()
    reading_ahead.clear()
    sim.script(primary)
    assert got == run(1, [primary].count(NO_CONTENT))


@races
@dialects
def test_a_sync_race(
    sim: Simulator, spans: Spans, reading_ahead: list[Any], release: threading.Event, race: str, dialect: str
) -> None:
    """A request on its way cannot be ended: its connection closes when its headers come."""
    spans.instrument(HEDGED)
    script = [Fault.no_headers(HELD_S) if fault is NO_HEADERS else fault for fault in RACES[race]]
    sim.script(*script)
    client, create = made(sim, dialect)
    got: list[ErrorClasses] = []
    caller = threading.Thread(target=lambda: got.append(told_of(create)), daemon=True)
    caller.start()
    while len(sim.requests) < 2 or len(reading_ahead) < script.count(NO_CONTENT):
        pass
    client.close()
    release.set()
    caller.join(HANGS)
    assert len(sim.requests) == 2
    assert spans.ends == [CANCELLED]
    primary = fault_of_primary(sim, race)
    bare = inside(sim, dialect) if primary is NO_CONTENT else of_a_closed_client(sim, dialect)
    assert [found and found[0] for found in got] == [bare and bare[0]]


# -- other ways to read ---------------------------------------------------------------------------------------------


@backends
@pytest.mark.parametrize("close", [aclose_stream, aclose_client])
def test_a_helper(sim: Simulator, spans: Spans, backend: str, close: AClose) -> None:
    async def case() -> ErrorClasses:
        client: Any = async_claude(sim)
        got: list[ErrorClasses] = []

        async def read(stream: Any) -> None:
            got.append(await atold(stream))

        async with client, client.messages.stream(**MESSAGING) as stream:
            with anyio.fail_after(HANGS):
                async with anyio.create_task_group() as group:
                    group.start_soon(read, stream)
                    await anyio.wait_all_tasks_blocked()
                    await close(client, stream)
        return got[0]

    assert_like_bare(sim, spans, l0.Policy(retry=NOW), lambda: anyio.run(case, backend=backend), SILENT)


@backends
@pytest.mark.parametrize("closes_client", [False, True], ids=["response", "client"])
def test_a_streaming_response(sim: Simulator, spans: Spans, backend: str, closes_client: bool) -> None:
    async def case() -> ErrorClasses:
        client: Any = async_chat_client(sim)
        got: list[ErrorClasses] = []
        open_ = client.chat.completions.with_streaming_response.create

        async def read(response: Any) -> None:
            got.append(await atold(response.iter_bytes()))

        async with client, open_(**CHATTING, stream=True) as response:
            with anyio.fail_after(HANGS):
                async with anyio.create_task_group() as group:
                    group.start_soon(read, response)
                    await anyio.wait_all_tasks_blocked()
                    await (client.close() if closes_client else response.close())
        return got[0]

    assert_like_bare(sim, spans, l0.Policy(retry=NOW), lambda: anyio.run(case, backend=backend), SILENT)


def seen_through(original: Any) -> Any:
    """A third party's wrapper, which wants to see every stream: the SDK's loop stays in place."""

    def __stream__(self: Any) -> Any:
        return original(self)

    return __stream__


@backends
@pytest.mark.parametrize("case", [by_another_task, inside_the_loop])
@pytest.mark.parametrize("close", [aclose_stream, aclose_client])
def test_where_the_sdks_loop_is_left_in_place(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch, backend: str, case: Any, close: AClose
) -> None:
    l0.uninstrument()
    owner = openai._streaming.AsyncStream
    monkeypatch.setattr(owner, "__stream__", seen_through(owner.__dict__["__stream__"]))
    assert_like_bare(
        sim, spans, l0.Policy(retry=NOW), lambda: anyio.run(case, sim, "chat", close, backend=backend), SILENT
    )
    l0.uninstrument()


def test_what_the_sdks_loop_closes_itself_is_no_stop(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    l0.uninstrument()
    for name in ("Stream", "AsyncStream"):
        owner = getattr(openai._streaming, name)
        monkeypatch.setattr(owner, "__stream__", seen_through(owner.__dict__["__stream__"]))
    spans.instrument()

    async def case() -> None:
        async with async_chat_client(sim) as client:
            assert await atold(await client.chat.completions.create(**CHATTING, stream=True)) is None

    anyio.run(case)
    assert told(chat_client(sim).chat.completions.create(**CHATTING, stream=True)) is None
    assert spans.ends == [("ok", "UNSET")] * 2
    l0.uninstrument()


@pytest.mark.parametrize("hold", ["message", "verified"])
def test_stopping_in_should_retry_releases_nothing_that_is_held(sim: Simulator, spans: Spans, hold: Any) -> None:
    spans.instrument()
    streams: list[Any] = []

    def stop(_: object) -> bool:
        streams[0].close()
        return True

    sim.script(Fault.reset(at_event=4))
    with l0.policy(hold=hold, retry=l0.Retry(base_delay=0, should_retry=stop)):
        stream = chat_client(sim).chat.completions.create(**CHATTING, stream=True)
        streams.append(stream)
        assert list(stream) == []
    assert (len(sim.requests), [end for end, _ in spans.ends]) == (1, ["cancelled"])


def test_a_closed_client_of_a_fallback_is_a_failed_attempt(sim: Simulator, spans: Spans) -> None:
    spans.instrument()
    closed = chat_client(sim)
    closed.close()
    legs = [l0.Fallback(client=closed), l0.Fallback(client=chat_client(sim))]
    sim.script(Fault.status(503), None, Fault.status(503))
    with l0.policy(retry=l0.Retry(max_retries=0), fallback=legs):
        assert list(chat_client(sim).chat.completions.create(**CHATTING, stream=True))
    assert [end for end, _ in spans.ends] == ["recovered_fallback"]
    with l0.policy(retry=l0.Retry(max_retries=0), fallback=legs[:1]), pytest.raises(RuntimeError) as raised:
        chat_client(sim).chat.completions.create(**CHATTING, stream=True)
    assert "the client of the fallback is closed" in raised.value.__notes__[-1]
    assert [end for end, _ in spans.ends] == ["recovered_fallback", "failed"]

"""litellm itself as a source: its streams, over the openai SDK and over its own HTTP, sync and async, with faults."""

import asyncio
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from typing import Any

import openai
import pytest
from makers import collected

from l0 import EventType, Retry, StreamInterrupted, Timeout, l0, parallel
from l0.simulator.corpus import bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

pytestmark = [
    pytest.mark.skipif(
        find_spec("litellm") is None, reason="litellm needs openai 2, and is installed beside it: `make test-matrix`"
    ),
    # What its clients hold is closed when they are collected, whenever that is.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
GREETING = bundled_answer("greeting").text
QUICK = Retry(base_delay=0.001, max_delay=0.001)
Ask = Callable[..., Any]
Run = Callable[..., tuple[str, Any]]


@pytest.fixture(scope="module")
def litellm() -> Iterator[Any]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for its prices
    import litellm as found  # type: ignore[import-not-found]

    found.suppress_debug_info = True
    yield found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves clients behind, and an event loop to close them
        found.in_memory_llm_clients_cache.flush_cache()
        asyncio.set_event_loop(None)
        collected()


@pytest.fixture(params=["openai", "anthropic"])
def route(request: pytest.FixtureRequest) -> str:
    """By which of its ways it asks: with the openai SDK below, or by itself."""
    return str(request.param)


@pytest.fixture
def options(route: str, sim: Simulator) -> dict[str, Any]:
    model = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-haiku-4-5"}[route]
    base = {"openai": sim.openai, "anthropic": sim.anthropic}[route]
    said = [{"role": "user", "content": "hi"}]
    return {"model": model, "api_base": base, "api_key": "k", "messages": said, "max_retries": 0, "stream": True}


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, litellm: Any, options: dict[str, Any]) -> Run:
    """Read an answer to its end: its text, and its stream."""

    def plainly(**asked: Any) -> tuple[str, Any]:
        with l0.run_sync(lambda: litellm.completion(**options), retry=QUICK, **asked) as stream:
            return stream.read(), stream

    def awaited(**asked: Any) -> tuple[str, Any]:
        async def main() -> tuple[str, Any]:
            async with await l0(lambda: litellm.acompletion(**options), retry=QUICK, **asked) as stream:
                return await stream.read(), stream

        return on_a_loop(litellm, main)

    return plainly if request.param == "sync" else awaited


def on_a_loop(litellm: Any, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run on an event loop, whose clients litellm keeps, and closes only when it is told to."""

    async def closing() -> Any:
        try:
            return await main()
        finally:
            await litellm.close_litellm_async_clients()

    return asyncio.run(closing())


def test_an_answer_is_read(sim: Simulator, standing: str, run: Run) -> None:
    text, stream = run()
    assert (text, stream.state.completed, len(sim.requests)) == (GREETING, True, 1)


def test_tool_calls_come_whole_and_once(sim: Simulator, standing: str, run: Run) -> None:
    sim.script(bundled_answer("parallel_tools"))
    seen: list[Any] = []
    run(on_tool_call=seen.append)
    assert [(call.name, call.raw) for call in seen] == [
        (call.name, call.arguments) for call in bundled_answer("parallel_tools").tool_calls
    ]
    assert all(isinstance(call.arguments, dict) and call.id for call in seen)


def test_what_breaks_before_the_first_word_is_retried(sim: Simulator, standing: str, run: Run) -> None:
    sim.script(Fault.status(503), Fault.cut(at_event=0), Fault.empty())
    text, stream = run()
    assert (text, stream.state.attempts, len(sim.requests)) == (GREETING, 4, 4)


@pytest.mark.parametrize(("status", "name"), [(400, "BadRequestError"), (401, "AuthenticationError")])
def test_what_cannot_help_is_asked_once(sim: Simulator, standing: str, run: Run, status: int, name: str) -> None:
    sim.script(*[Fault.status(status)] * 3)
    with pytest.raises(getattr(openai, name)) as raised:
        run()
    assert type(raised.value).__module__ == "litellm.exceptions"
    assert len(sim.requests) == 1


BREAKS = {
    "cut": (Fault.cut(at_event=5), ("incomplete_read", "reset")),
    "reset": (Fault.reset(at_event=5), ("reset",)),
    "clean end": (Fault.clean_end(at_event=5), ("truncated",)),  # litellm says `stop` here
    "no terminal": (Fault.no_terminal(), ("truncated",)),
    "error in band": (Fault.in_band_error(at_event=5), ("connection", "server_error", "overloaded")),
}


@pytest.mark.parametrize(("fault", "reasons"), BREAKS.values(), ids=list(BREAKS))
def test_what_breaks_after_a_part_is_no_success(
    sim: Simulator, standing: str, run: Run, fault: Fault, reasons: tuple[str, ...]
) -> None:
    sim.script(fault)
    seen: list[str] = []
    with pytest.raises(StreamInterrupted) as raised:
        run(on_token=seen.append)
    assert raised.value.reason in reasons
    assert raised.value.partial_text == "".join(seen)
    assert GREETING.startswith("".join(seen))
    assert len(sim.requests) == 1


@pytest.mark.parametrize("resume", ["exact", "restart"])
def test_broken_answer_is_resumed(sim: Simulator, standing: str, run: Run, resume: str) -> None:
    sim.script(Fault.clean_end(at_event=5))
    text, stream = run(resume=resume)
    assert (text, stream.state.attempts) == (GREETING, 2)


def test_a_stall_ends_by_the_clock(sim: Simulator, standing: str, run: Run, request: pytest.FixtureRequest) -> None:
    if "anthropic" in request.node.name and "-sync" in request.node.name:
        pytest.skip("litellm does not show the connection that its own HTTP reads from in sync code")
    sim.script(Fault.stall(at_event=5))
    seen: list[str] = []  # what is delivered piece by piece is not requested again
    with pytest.raises(TimeoutError) as raised:
        run(timeout=Timeout(initial_token=None, inter_token=100), on_token=seen.append)
    assert raised.value.partial_text == "".join(seen) != ""  # type: ignore[attr-defined]
    assert sim.wait_idle(120)


def test_leaving_closes_the_connection_in_sync_code(sim: Simulator, litellm: Any, options: dict[str, Any]) -> None:
    sim.script(Fault.stall(at_event=5))
    with l0.run_sync(lambda: litellm.completion(**options)) as stream:
        next(event for event in stream if event.is_token)
    del stream
    assert sim.wait_idle(120)
    assert sim.requests[0].disconnected


def test_tasks_may_be_litellms(sim: Simulator, standing: str, litellm: Any, options: dict[str, Any]) -> None:
    sim.script(Fault.clean_end(at_event=5))
    work: list[Any] = [lambda: litellm.acompletion(**options)] * 2

    async def main() -> Any:
        return await parallel([*work, lambda: litellm.completion(**options)], concurrency=1)

    results = on_a_loop(litellm, main)
    assert results.succeeded == [GREETING]
    broken, sync = results.errors
    assert isinstance(broken, StreamInterrupted | openai.APIError)
    assert "sync stream" in str(sync)


def test_a_sync_stream_is_read_beside_the_event_loop(
    sim: Simulator, standing: str, litellm: Any, options: dict[str, Any]
) -> None:
    async def main() -> str:
        async with await l0(lambda: litellm.completion(**options)) as stream:
            return await stream.read()

    assert on_a_loop(litellm, main) == GREETING


def test_several_choices_of_which_litellm_ends_one(sim: Simulator, litellm: Any, options: dict[str, Any]) -> None:
    if options["model"].startswith("openai"):
        options |= {"n": 2}
    with l0.run_sync(lambda: litellm.completion(**options)) as stream:
        assert stream.read() == GREETING


def test_a_whole_answer(sim: Simulator, litellm: Any, options: dict[str, Any]) -> None:
    with l0.run_sync(lambda: litellm.completion(**options | {"stream": False})) as stream:
        assert [event.type for event in stream] == [EventType.TOKEN, EventType.COMPLETE]
    assert stream.state.content == GREETING

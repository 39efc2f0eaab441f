"""Silence, pings alone, headers that never come, in sync code, asyncio and trio."""

from collections.abc import Callable
from typing import Any

import anthropic
import anyio
import openai
import pytest
from faults_kit import DIALECTS, SDKS, body_of, difference, prefix_mismatch, sdk_of
from rows import AFTER, BEFORE
from server_time import ServerTime
from traffic_kit import REQUESTS

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator

TIMEOUTS = (openai.APITimeoutError, anthropic.APITimeoutError)
LONG = 60_000
"""Milliseconds. Longer than every silence that a test expects to end sooner."""
GREETING_CHUNKS = 19
"""Number of chunks of the complete recorded answer in chat."""
NO_RETRY = l0.Retry(attempts=0, max_retries=0)
QUICK = l0.Retry(base_delay=0.01)


def _sync(url: dict[str, str], dialect: str, chunks: list[Any]) -> None:
    name = sdk_of(dialect)
    kind = SDKS[name].OpenAI if name == "openai" else SDKS[name].Anthropic
    with kind(api_key="k", base_url=url[name], timeout=120) as client:
        for chunk in _create(client, dialect)(**REQUESTS[dialect], stream=True):
            chunks.append(chunk)  # noqa: PERF402 - what came before an error counts


async def _async(url: dict[str, str], dialect: str, chunks: list[Any]) -> None:
    name = sdk_of(dialect)
    kind = SDKS[name].AsyncOpenAI if name == "openai" else SDKS[name].AsyncAnthropic
    async with kind(api_key="k", base_url=url[name], timeout=120) as client:
        async for chunk in await _create(client, dialect)(**REQUESTS[dialect], stream=True):
            chunks.append(chunk)


def _create(client: Any, dialect: str) -> Any:
    return (client.chat.completions if dialect == "chat" else getattr(client, dialect)).create


Run = Callable[[dict[str, str], str, list[Any]], None]
RUNS: dict[str, Run] = {
    "sync": _sync,
    "asyncio": lambda *args: anyio.run(_async, *args, backend="asyncio"),
    "trio": lambda *args: anyio.run(_async, *args, backend="trio"),
}
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    """Each kind of program."""
    return RUNS[request.param]


def run_call(sim: Simulator, run: Run, dialect: str, *faults: Fault) -> tuple[list[Any], Exception | None]:
    """Return the chunks of one call, and its error."""
    sim.reset()
    body = RecordedBody(content=body_of(dialect).content)
    sim.script(*(Reply(body=body, fault=fault) for fault in faults), *([Reply(body=body)] * 8))
    chunks: list[Any] = []
    error = None
    try:
        run({"openai": sim.openai, "anthropic": sim.anthropic}, dialect, chunks)
    except Exception as raised:
        error = raised
    return chunks, error


@pytest.fixture(autouse=True)
def off() -> Any:
    """Switch l0 off after each test."""
    yield
    l0.uninstrument()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("number", "make"),
    [
        (22, lambda _: Fault.no_headers()),
        (23, lambda _: Fault.stall(at_event=0)),
        (34, lambda dialect: Fault.stall(at_event=BEFORE[dialect])),
        (35, lambda dialect: Fault.pings(at_event=BEFORE[dialect], interval=0.02)),
    ],
    ids=["no-headers", "no-first-byte", "stall-before-content", "pings-before-content"],
)
def test_silence_before_first_content_is_retried(
    sim: Simulator, clock: ServerTime, run: Run, dialect: str, number: int, make: Callable[[str], Fault]
) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=400, inter_token=LONG), retry=QUICK))
    began = clock.time()
    chunks, error = run_call(sim, run, dialect, make(dialect))
    assert error is None, f"row {number}: {error!r}"
    assert len(sim.requests) == 2
    assert 0.4 <= clock.time() - began < 0.6
    l0.uninstrument()
    assert difference(chunks, run_call(sim, _sync, dialect)[0]) is None


@pytest.mark.parametrize("dialect", ["chat", "messages"])
@pytest.mark.parametrize("fault", [Fault.no_headers(), Fault.stall(at_event=0)], ids=["no-headers", "no-first-byte"])
def test_silence_before_first_content_is_retried_as_the_sdk_does(
    sim: Simulator, run: Run, dialect: str, fault: Fault
) -> None:
    """Without `Policy.retry`, the SDK's own rules apply, and the SDKs retry a request that timed out."""
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=400, inter_token=LONG)))
    chunks, error = run_call(sim, run, dialect, fault)
    assert error is None, repr(error)
    assert len(sim.requests) == 2
    l0.uninstrument()
    assert difference(chunks, run_call(sim, _sync, dialect)[0]) is None


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "fault",
    [Fault.stall(at_event=AFTER), Fault.pings(at_event=AFTER, interval=0.02)],
    ids=["stall", "pings"],
)
def test_silence_after_content_is_raised(sim: Simulator, run: Run, dialect: str, fault: Fault) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=LONG, inter_token=150), retry=QUICK))
    chunks, error = run_call(sim, run, dialect, fault)
    assert isinstance(error, l0.StreamInterrupted), repr(error)
    assert isinstance(error, TIMEOUTS)
    assert (error.reason, len(sim.requests)) == ("stalled", 1)
    assert error.partial_text
    l0.uninstrument()
    assert prefix_mismatch(chunks, run_call(sim, _sync, dialect)[0]) is None


def test_liveness_counts_pings_and_notices_their_absence(sim: Simulator, run: Run) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, liveness=3_000), retry=NO_RETRY))
    chunks, error = run_call(sim, run, "chat", Fault.pings(at_event=AFTER, count=35, interval=0.1))
    assert error is None
    assert len(chunks) == GREETING_CHUNKS
    _, error = run_call(sim, run, "chat", Fault.stall(at_event=AFTER))
    assert isinstance(error, l0.StreamInterrupted)
    assert error.reason == "dead"


def test_total_bounds_an_answer_that_drips(sim: Simulator, run: Run) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=None, inter_token=None, total=3_000), retry=QUICK))
    chunks, error = run_call(sim, run, "chat", Fault.slow_drip(interval=0.3))
    assert isinstance(error, l0.StreamInterrupted)
    assert error.reason == "total_timeout"
    assert 1 <= len(chunks) < GREETING_CHUNKS
    assert len(sim.requests) == 1


def test_silence_for_ever_ends_in_a_timeout_of_the_sdk(sim: Simulator, run: Run) -> None:
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=150), retry=l0.Retry(max_retries=1, base_delay=0.01)))
    for dialect in ("chat", "messages"):
        chunks, error = run_call(sim, run, dialect, Fault.stall(at_event=0), Fault.no_headers())
        assert isinstance(error, TIMEOUTS), repr(error)
        assert (chunks, len(sim.requests)) == ([], 2)


def test_a_slow_consumer_is_no_stall(sim: Simulator, clock: ServerTime, run: Run) -> None:
    """Deadlines run only while L0 reads: the time that a user takes for a chunk does not count."""
    l0.instrument(l0.Policy(timeout=l0.Timeout(initial_token=LONG, inter_token=3_000, liveness=3_000), retry=NO_RETRY))
    url = {"openai": sim.openai, "anthropic": sim.anthropic}
    sim.reset()
    sim.play(body_of("chat").content)

    class Slow(list[Any]):
        def append(self, item: Any) -> None:
            if len(self) == 1:
                clock.sleep(3.2)
            super().append(item)

    chunks = Slow()
    run(url, "chat", chunks)
    assert len(chunks) == GREETING_CHUNKS

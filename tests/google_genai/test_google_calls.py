"""Clocks, policies, spans, recordings and many calls at once: a call of google-genai is a call of l0."""

import asyncio
import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from httpx2 import AsyncClient
from makers import python_calls

import l0
from l0.recording.recording import Recording
from l0.runtime.finalizers import LATER
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault

genai = pytest.importorskip("google.genai", reason="google-genai is not installed: run make test-providers")
from google_kit import MODEL, RETRIES, GoogleStage, body_from, body_of, flavours, text_of  # noqa: E402 - it imports the SDK

pytestmark = [
    pytest.mark.usefixtures("on"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]
RETRY = l0.Retry(base_delay=0, max_delay=0)
WHOLE = "Hello! I am a simulated model. How can I help you today?"
STREAMS = 200


@flavours
@pytest.mark.parametrize("retries", [True, False], ids=["with retry options", "without"])
def test_policy_retries_what_breaks_before_content(stage: GoogleStage, flavour: str, retries: bool) -> None:
    with l0.policy(retry=RETRY):
        seen = stage.call(body_of(), Fault.cut(at_event=0), flavour=flavour, retries=retries)
    assert text_of(seen.chunks) == WHOLE
    assert (seen.requests, seen.spans) == (2, 1)


@flavours
@pytest.mark.parametrize("fault", [Fault.clean_end(at_event=2), Fault.status(503)], ids=str)
def test_call_passes_through_if_the_policy_turns_l0_off(stage: GoogleStage, flavour: str, fault: Fault) -> None:
    with l0.policy(mode="off", retry=RETRY):
        off = stage.call(body_of(), fault, flavour=flavour, retries=False)
    l0.uninstrument()
    bare = stage.call(body_of(), fault, flavour=flavour, retries=False)
    assert (off.chunks, repr(off.error), off.requests) == (bare.chunks, repr(bare.error), bare.requests)
    assert off.spans == 0


@flavours
def test_nothing_is_retried_that_the_sdk_would_not_retry(stage: GoogleStage, flavour: str) -> None:
    seen = stage.call(body_of(), Fault.status(503), flavour=flavour, retries=False)
    assert type(seen.error) is genai.errors.ServerError
    assert (seen.requests, seen.spans) == (1, 1)


@pytest.mark.parametrize(("flavour", "requests"), [("sync", 1), ("aiohttp", 2), ("httpx", 1)])
def test_implicit_retry_of_the_sdk_is_kept(stage: GoogleStage, flavour: str, requests: int) -> None:
    """Over aiohttp, the SDK repeats a request that got no answer, without being asked to."""
    seen = stage.call(body_of(), Fault.refuse("rst"), flavour=flavour, retries=False)
    assert seen.requests == requests
    assert (seen.error is None) == (requests == 2)


# Long where a healthy answer must also arrive in time: a slow machine needs more than 100 ms for it.
LIMITS = {
    "no headers": (Fault.no_headers(), l0.Timeout(initial_token=2_000, inter_token=None)),
    "no content": (Fault.stall(at_event=0), l0.Timeout(initial_token=2_000, inter_token=None)),
    "stall": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=100)),
    "total": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=None, total=2_000)),
}


@flavours
@pytest.mark.parametrize("name", LIMITS)
def test_limit_of_time_ends_an_attempt(stage: GoogleStage, flavour: str, name: str) -> None:
    fault, timeout = LIMITS[name]
    with l0.policy(retry=RETRY, timeout=timeout):
        seen = stage.call(body_of(), fault, flavour=flavour)
    if name in ("no headers", "no content"):
        assert text_of(seen.chunks) == WHOLE
        assert seen.requests == 2
        return
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert isinstance(seen.error, genai.errors.APIError)
    assert isinstance(seen.error, TimeoutError)
    assert WHOLE.startswith(text_of(seen.chunks))
    assert seen.requests == 1


@flavours
def test_limit_for_the_headers_does_not_limit_the_reads(stage: GoogleStage, flavour: str) -> None:
    with l0.policy(timeout=l0.Timeout(initial_token=2_000, inter_token=None)):
        seen = stage.call(body_of(), Fault.stall(at_event=8, seconds=2.5), flavour=flavour)
    assert text_of(seen.chunks) == WHOLE


def test_session_of_requests_is_read_like_httpx(stage: GoogleStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK uses such a session for client certificates."""
    client = stage.client("sync")
    with requests.Session() as session:
        monkeypatch.setattr(client._api_client, "_use_google_auth_sync", lambda: True)
        monkeypatch.setattr(client._api_client, "_use_mtls_endpoint", lambda **_: False)
        monkeypatch.setattr(client._api_client, "_authorized_session", session)
        monkeypatch.setattr(session, "_is_mtls", False, raising=False)
        with l0.policy(retry=RETRY, timeout=l0.Timeout(initial_token=2_000, inter_token=200)):
            healed = stage.call(body_of(), Fault.stall(at_event=0), flavour="sync")
            stalled = stage.call(body_of(), Fault.stall(at_event=8), flavour="sync")
    assert (text_of(healed.chunks), healed.requests) == (WHOLE, 2)
    assert isinstance(stalled.error, l0.StreamInterrupted)
    assert stalled.error.reason == "stalled"


@flavours
def test_interruption_says_what_arrived(stage: GoogleStage, flavour: str) -> None:
    fault = Fault.stall(at_event=8, seconds=0.05) | Fault.cut(at_event=8)
    seen = stage.call(body_of(), fault, flavour=flavour)
    error = seen.error
    assert isinstance(error, l0.StreamInterrupted)
    assert (error.partial_text, error.attempts) == (text_of(seen.chunks), 1)
    copy = pickle.loads(pickle.dumps(error)) if flavour != "aiohttp" else error  # aiohttp's response cannot be pickled
    assert isinstance(copy, genai.errors.APIError)
    assert str(copy) == str(error)


@flavours
def test_fallback_is_another_model(stage: GoogleStage, flavour: str) -> None:
    with l0.policy(retry=RETRY, fallback=[l0.Fallback(model="gemini-2.5-pro")]):
        seen = stage.call(body_of(), *[Fault.status(404)], flavour=flavour)
    assert text_of(seen.chunks) == WHOLE
    first, second = (request.path for request in stage.sim.requests)
    assert second == first.replace(MODEL, "gemini-2.5-pro")
    assert seen.span is not None
    assert seen.span["l0.outcome"] == "recovered_fallback"


def test_fallback_with_a_client_is_skipped(stage: GoogleStage, caplog: pytest.LogCaptureFixture) -> None:
    import openai

    other = openai.OpenAI(api_key="k", base_url="http://origin.invalid")
    with other, l0.policy(fallback=[l0.Fallback(client=other)]):
        seen = stage.call(body_of(), flavour="sync")
    assert seen.error is None
    assert text_of(seen.chunks) == WHOLE
    assert "other calls skip this fallback" in caplog.text


@flavours
def test_broken_answer_is_resumed_if_the_model_repeats_it(stage: GoogleStage, flavour: str) -> None:
    fault = Fault.stall(at_event=8, seconds=0.05) | Fault.cut(at_event=8)
    with l0.policy(retry=RETRY, resume="exact"):
        seen = stage.call(body_of(), fault, flavour=flavour)
        whole = stage.call(body_of(), flavour=flavour)
    assert seen.error is None
    assert seen.requests == 2
    assert text_of(seen.chunks) == WHOLE
    assert len(seen.chunks) == len(whole.chunks)
    assert seen.chunks[-1].candidates[0].finish_reason == "STOP"


@flavours
def test_closed_stream_ends_the_call(stage: GoogleStage, flavour: str) -> None:
    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.play(body_from(Answer(tokens=3000)))
    client = stage.client(flavour)
    if flavour == "sync":
        stream = client.models.generate_content_stream(model=MODEL, contents="hi")
        next(stream)
        stream.close()
    else:
        stage.loop.run_until_complete(_read_one(client))
    LATER.finish()  # a generator that is closed may be in a finalizer, so its end is reported later
    assert stage.sim.wait_idle()
    (span,) = [span for span in stage.exporter.get_finished_spans() if span.parent is None]
    assert (span.attributes or {})["l0.outcome"] == "cancelled"


async def _read_one(client: Any) -> None:
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents="hi")
    await anext(stream)
    await stream.aclose()
    for _ in range(10):
        await asyncio.sleep(0)


@flavours
def test_span_describes_the_call(stage: GoogleStage, flavour: str) -> None:
    config = {"temperature": 0.5, "max_output_tokens": 900, "stop_sequences": ["X"], "top_k": 3}
    span = stage.call(body_of(), flavour=flavour, config=config).span
    assert span is not None
    shown = {
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 900,
        "gen_ai.request.top_k": 3.0,
        "gen_ai.request.stop_sequences": ("X",),
        "gen_ai.usage.output_tokens": 16,
        "gen_ai.response.finish_reasons": ("STOP",),
        "server.address": "127.0.0.1",
    }
    assert {name: span.get(name) for name in shown} == shown


@flavours
def test_call_is_recorded(stage: GoogleStage, flavour: str, tmp_path: Path) -> None:
    l0.instrument(record=tmp_path)
    stage.call(body_of(), Fault.cut(at_event=0), flavour=flavour)
    l0.instrument(record=False)
    with Recording.open(tmp_path) as recording:
        (call,) = recording
        assert [attempt.status for attempt in call.attempts] == [200, 200]
        assert b"".join(read.data for read in call.attempts[-1].reads) == body_of()


def test_200_concurrent_tasks(stage: GoogleStage) -> None:
    stage.sim.reset()
    stage.sim.on(reply="reset at_event=0 rate=0.3")

    async def one(client: Any) -> str:
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="hi")
        return text_of([chunk async for chunk in stream])

    async def every() -> list[str]:
        return await asyncio.gather(*(one(client) for _ in range(STREAMS)))

    client = stage.client("aiohttp", retries=False)
    with l0.policy(retry=l0.Retry(base_delay=0, max_delay=0, max_retries=20)):
        texts = stage.loop.run_until_complete(every())
    assert texts == [WHOLE] * STREAMS
    assert len(stage.sim.requests) > STREAMS


def test_200_streams_in_threads(stage: GoogleStage) -> None:
    stage.sim.reset()
    stage.sim.on(reply="reset at_event=0 rate=0.3")
    client = stage.client("sync", retries=False)

    def one(_: int) -> str:
        with l0.policy(retry=l0.Retry(base_delay=0, max_delay=0, max_retries=20)):
            return text_of(list(client.models.generate_content_stream(model=MODEL, contents="hi")))

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(STREAMS))) == [WHOLE] * STREAMS


def test_chunk_costs_hardly_more_calls_than_without_l0(stage: GoogleStage) -> None:
    short, long = body_from(Answer(tokens=100)), body_from(Answer(tokens=600))

    def per_chunk() -> float:
        counts = []
        for body in (short, long):
            calls, seen = python_calls(lambda body=body: stage.call(body, flavour="sync"))
            counts.append((calls, len(seen.chunks)))
        (few, first), (many, second) = counts
        return (many - few) / (second - first)

    per_chunk()
    ours = per_chunk()
    l0.uninstrument()
    assert ours <= per_chunk() * 1.05


def test_retries_go_on_if_the_user_keeps_only_the_async_part_of_a_client(stage: GoogleStage) -> None:
    given = AsyncClient()
    options = genai.types.HttpOptions(base_url=stage.sim.google, retry_options=RETRIES, httpx_async_client=given)
    only_async = genai.Client(api_key="k", http_options=options).aio
    gc.collect()  # the client's finalizer closes its sync transport
    stage.sim.reset()
    stage.sim.script(Fault.status(503))

    async def ask() -> Any:
        try:
            return await only_async.models.generate_content(model=MODEL, contents="hi")
        finally:
            await only_async.aclose()
            await given.aclose()

    assert stage.loop.run_until_complete(ask()).text
    assert len(stage.sim.requests) == 2


@pytest.mark.parametrize(("attempts", "requests"), [(0, 1), (1, 1), (2, 2)])
def test_attempts_of_one_request_are_those_of_the_sdk(stage: GoogleStage, attempts: int, requests: int) -> None:
    retries = genai.types.HttpRetryOptions(attempts=attempts, initial_delay=0.001, max_delay=0.001)
    config = genai.types.GenerateContentConfig(http_options=genai.types.HttpOptions(retry_options=retries))
    stage.sim.reset()
    stage.sim.script(*[Fault.status(503)] * 5)
    with pytest.raises(genai.errors.ServerError):
        stage.client("sync", retries=False).models.generate_content(model=MODEL, contents="hi", config=config)
    assert len(stage.sim.requests) == requests


def test_client_that_replays_sends_nothing(stage: GoogleStage, tmp_path: Path) -> None:
    replaying = genai.client.DebugConfig(client_mode="replay", replays_directory=str(tmp_path), replay_id="a/b")
    client = genai.Client(api_key="k", http_options={"base_url": stage.sim.google}, debug_config=replaying)
    stage.sim.reset()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the SDK says of a replay that does not exist
        client.models.generate_content(model=MODEL, contents="hi")
    assert stage.sim.requests == []

"""Clocks, policies, spans, closed streams and many calls at once: a call of bedrock-runtime is a call of l0."""

import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from makers import python_calls, settled

import l0
from l0.recording.recording import Recording
from l0.runtime.finalizers import LATER
from l0.simulator.answers import Answer
from l0.simulator.dialects.converse_server import CONVERSE as SERVER
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.playback import RecordedBody
from l0.wire.event_stream import CONTENT_TYPE

botocore = pytest.importorskip("botocore", reason="boto3 is not installed: run make test-providers")
from bedrock_kit import CONVERSE, MODEL, WHOLE, BedrockStage, apis, stream_of, text_of  # noqa: E402 - the SDK
from botocore.exceptions import BotoCoreError, EventStreamError, ReadTimeoutError  # noqa: E402 - it is the SDK

pytestmark = pytest.mark.usefixtures("on")
RETRY = l0.Retry(base_delay=0, max_delay=0)
STREAMS = 200
BROKEN = Fault.stall(at_event=8, seconds=0.05) | Fault.cut(at_event=8)


def frames(answer: Answer) -> bytes:
    """Return an answer as it is on the wire."""
    events = SERVER.events(answer, SimulatedRequest(model=MODEL, stream=True), AnswerIdentity.of(0, 0))
    return b"".join(map(SERVER.on_wire, events))


@apis
def test_policy_retries_what_breaks_before_content(stage: BedrockStage, api: str) -> None:
    with l0.policy(retry=RETRY):
        seen = stage.call(Fault.cut(at_event=1), api=api, client=stage.plain)
    assert text_of(seen.chunks) == WHOLE
    assert (seen.requests, seen.spans) == (2, 1)


@apis
@pytest.mark.parametrize("fault", [Fault.clean_end(at_event=4), Fault.status(503)], ids=str)
def test_call_passes_through_if_the_policy_turns_l0_off(stage: BedrockStage, api: str, fault: Fault) -> None:
    with l0.policy(mode="off", retry=RETRY):
        off = stage.call(fault, api=api, client=stage.plain)
    l0.uninstrument()
    bare = stage.call(fault, api=api, client=stage.plain)
    assert (text_of(off.chunks), repr(off.error), off.requests) == (
        text_of(bare.chunks),
        repr(bare.error),
        bare.requests,
    )
    assert off.spans == 0


@apis
def test_nothing_is_retried_that_the_client_would_not_retry(stage: BedrockStage, api: str) -> None:
    seen = stage.call(Fault.status(503), api=api, client=stage.plain)
    assert type(seen.error) is stage.plain.exceptions.ServiceUnavailableException
    assert (seen.requests, seen.spans) == (1, 1)


@pytest.mark.parametrize(
    ("retries", "requests"),
    [
        ({"mode": "legacy"}, 5),
        ({"mode": "standard"}, 3),
        ({"mode": "adaptive"}, 3),
        ({"total_max_attempts": 2, "mode": "standard"}, 2),
        ({"max_attempts": 1, "mode": "legacy"}, 2),
    ],
    ids=str,
)
def test_retries_are_those_of_the_client_and_not_multiplied(
    stage: BedrockStage, retries: dict[str, Any], requests: int
) -> None:
    client = stage.client(retries=retries)
    for fault in (Fault.status(503), Fault.cut(at_event=1)):
        seen = stage.call(*[fault] * 9, client=client)
        assert isinstance(seen.error, stage.plain.exceptions.ClientError | BotoCoreError)
        assert (seen.requests, seen.spans) == (requests, 1)
    numbers = [request.headers["amz-sdk-request"].partition(";")[0] for request in stage.sim.requests]
    assert numbers == [f"attempt={number}" for number in range(1, requests + 1)]
    assert len({request.headers["amz-sdk-invocation-id"] for request in stage.sim.requests}) == 1


# Long where a healthy answer must also arrive in time: a slow machine needs more than 100 ms for it.
LIMITS = {
    "no headers": (Fault.no_headers(), l0.Timeout(initial_token=2_000, inter_token=None)),
    "no content": (Fault.stall(at_event=1), l0.Timeout(initial_token=2_000, inter_token=None)),
    "stall": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=100)),
    "total": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=None, total=2_000)),
}


@apis
@pytest.mark.parametrize("name", LIMITS)
def test_limit_of_time_ends_an_attempt(stage: BedrockStage, api: str, name: str) -> None:
    fault, timeout = LIMITS[name]
    with l0.policy(retry=RETRY, timeout=timeout):
        seen = stage.call(fault, api=api)
    if name in ("no headers", "no content"):
        assert text_of(seen.chunks) == WHOLE
        assert seen.requests == 2
        return
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert isinstance(seen.error, ReadTimeoutError)
    assert WHOLE.startswith(text_of(seen.chunks))
    assert seen.requests == 1


@apis
def test_limit_ends_a_body_without_length(stage: BedrockStage, api: str) -> None:
    """The connection of such a body belongs to the response alone."""
    with l0.policy(retry=RETRY, timeout=l0.Timeout(initial_token=None, inter_token=100)):
        seen = stage.call(Fault.stall(at_event=8) | Fault.close_delimited(), api=api)
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert seen.error.reason == "stalled"


def test_limit_of_a_complete_answer(stage: BedrockStage) -> None:
    stage.sim.reset()
    stage.sim.script(Fault.no_headers())
    timeout = l0.Timeout(total=150, initial_token=None, inter_token=None)
    with l0.policy(retry=RETRY, timeout=timeout), pytest.raises(ReadTimeoutError):
        stage.retrying.converse(**CONVERSE)


@apis
def test_limit_for_the_headers_does_not_limit_the_reads(stage: BedrockStage, api: str) -> None:
    with l0.policy(timeout=l0.Timeout(initial_token=2_000, inter_token=None)):
        seen = stage.call(Fault.stall(at_event=8, seconds=2.5), api=api)
    assert text_of(seen.chunks) == WHOLE


@apis
def test_timeout_of_the_client_is_kept(stage: BedrockStage, api: str) -> None:
    once, retries = {"total_max_attempts": 1}, {"total_max_attempts": 2, "mode": "standard"}
    client = stage.client(read_timeout=2, retries=once)
    seen = stage.call(Fault.stall(at_event=8), api=api, client=client)
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert isinstance(seen.error, ReadTimeoutError)
    healed = stage.call(Fault.stall(at_event=1), api=api, client=stage.client(read_timeout=2, retries=retries))
    assert (text_of(healed.chunks), healed.requests) == (WHOLE, 2)


@apis
def test_interruption_says_what_arrived(stage: BedrockStage, api: str) -> None:
    seen = stage.call(BROKEN, api=api)
    error = seen.error
    assert isinstance(error, l0.StreamInterrupted)
    assert (error.partial_text, error.attempts) == (text_of(seen.chunks), 1)
    assert error.request_id
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, BotoCoreError)
    assert str(copy) == str(error)


@apis
def test_exception_in_a_stream_keeps_its_response(stage: BedrockStage, api: str) -> None:
    seen = stage.call(Fault.in_band_error(at_event=8, code="ThrottlingException", message="slow down"), api=api)
    assert isinstance(seen.error, EventStreamError)
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert seen.error.response["Error"] == {"Code": "throttlingException", "Message": "slow down"}
    assert seen.error.reason == "rate_limit"


def test_exception_in_a_stream_that_blames_the_request_is_not_retried(stage: BedrockStage) -> None:
    seen = stage.call(Fault.in_band_error(at_event=1, code="ValidationException"))
    assert isinstance(seen.error, EventStreamError)
    assert seen.requests == 1


@pytest.mark.parametrize("place", ["sizes", "payload"])
def test_damaged_frame_is_an_interruption_after_what_came_before(stage: BedrockStage, place: str) -> None:
    body = bytearray(frames(Answer(text="One two three four five six.")))
    at = body.rindex(b"four") if place == "payload" else body.rindex(b":event-type", 0, body.rindex(b"four")) - 5
    body[at] ^= 0xFF
    seen = stage.call(answer=RecordedBody(content=bytes(body), chunks="one", content_type=CONTENT_TYPE))
    assert text_of(seen.chunks) == "One two three"
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert isinstance(seen.error, botocore.eventstream.ChecksumMismatch)
    assert isinstance(seen.error, BotoCoreError)
    assert seen.error.reason == "corrupt"


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_stream_cut_within_a_frame_is_never_whole(stage: BedrockStage, cut: int) -> None:
    """A frame that is cut off is silently dropped by the bare SDK. Only that of the usage may be missing."""
    whole = frames(Answer(text="One two three."))
    ends = [whole.rindex(mark) for mark in (b":event-type\x07\x00\x08metadata", b":event-type\x07\x00\x0bmessageStop")]
    for end, complete in zip(ends, (True, False), strict=True):
        body = RecordedBody(content=whole[: end + cut], content_type=CONTENT_TYPE)
        seen = stage.call(answer=body)
        assert (seen.error is None) == complete


@apis
def test_fallback_is_another_model(stage: BedrockStage, api: str) -> None:
    with l0.policy(retry=RETRY, fallback=[l0.Fallback(model="anthropic.claude-3-haiku-20240307-v1:0")]):
        seen = stage.call(Fault.status(404), api=api)
    assert text_of(seen.chunks) == WHOLE
    first, second = (request.path for request in stage.sim.requests)
    assert "claude-3-5-sonnet" in first
    assert "claude-3-haiku" in second
    assert seen.span is not None
    assert seen.span["l0.outcome"] == "recovered_fallback"


def test_fallback_with_a_client_is_skipped(stage: BedrockStage, caplog: pytest.LogCaptureFixture) -> None:
    import openai

    other = openai.OpenAI(api_key="k", base_url="http://origin.invalid")
    with other, l0.policy(fallback=[l0.Fallback(client=other)]):
        seen = stage.call()
    assert seen.error is None
    assert text_of(seen.chunks) == WHOLE
    assert "other calls skip this fallback" in caplog.text


@apis
def test_broken_answer_is_resumed_if_the_model_repeats_it(stage: BedrockStage, api: str) -> None:
    with l0.policy(retry=RETRY, resume="exact"):
        seen = stage.call(BROKEN, api=api)
        whole = stage.call(api=api)
    assert seen.error is None
    assert seen.requests == 2
    assert text_of(seen.chunks) == WHOLE
    assert seen.chunks[-1] == whole.chunks[-1]
    assert len(seen.chunks) == len(whole.chunks)


def test_broken_message_is_continued_from_its_text(stage: BedrockStage) -> None:
    with l0.policy(retry=RETRY, resume="prefill"):
        seen = stage.call(BROKEN, api="bedrock_messages")
    assert seen.error is None
    assert text_of(seen.chunks) == WHOLE
    body = stage.sim.requests[-1].body
    assert body["messages"][-1]["role"] == "assistant"
    assert len(body["messages"][-1]["content"]) > 10
    assert WHOLE.startswith(body["messages"][-1]["content"])
    assert "model" not in body


@apis
def test_closed_stream_ends_the_call(stage: BedrockStage, api: str) -> None:
    for read in (True, False):
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(Answer(tokens=30_000))
        stream = stream_of(stage.retrying, api)
        if read:
            next(iter(stream))
        stream.close()
        LATER.finish()  # a generator that is closed may be in a finalizer, so its end is reported later
        assert stage.sim.wait_idle()
        assert [span["l0.outcome"] for span in stage.spans()] == ["cancelled"]
        assert list(stream) == []
        stream.close()


@apis
def test_dropped_stream_ends_the_call(stage: BedrockStage, api: str) -> None:
    for read in (True, False):
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(Answer(tokens=30_000))
        stream = stream_of(stage.retrying, api)
        if read:
            next(iter(stream))
        del stream
        settled()
        assert stage.sim.wait_idle()
        assert [span["l0.outcome"] for span in stage.spans()] == ["cancelled"]


def test_stream_closed_by_another_thread_ends_the_read(stage: BedrockStage) -> None:
    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(Fault.stall(at_event=8))
    stream = stream_of(stage.retrying)
    events = iter(stream)
    for _ in range(8):
        next(events)
    timer = threading.Timer(0.1, stream.close)
    timer.start()
    rest = _rest_of(events)
    timer.join()
    assert rest == []
    assert [span["l0.outcome"] for span in stage.spans()] == ["cancelled"]


def _rest_of(events: Iterator[Any]) -> list[Any]:
    try:
        return list(events)
    except Exception:  # a read of a closed stream may raise, as with the bare SDK
        return []


@apis
def test_span_describes_the_call(stage: BedrockStage, api: str) -> None:
    settings = {"inferenceConfig": {"temperature": 0.5, "maxTokens": 900, "stopSequences": ["X"], "topP": 0.25}}
    seen = stage.call(api=api, **(settings if api == "converse" else {}))
    shown = {
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.max_tokens": 900,
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 16,
        "gen_ai.response.finish_reasons": ("end_turn",),
        "server.address": "127.0.0.1",
    }
    if api == "converse":
        shown |= {"gen_ai.request.temperature": 0.5, "gen_ai.request.top_p": 0.25}
        shown |= {"gen_ai.request.stop_sequences": ("X",)}
    assert seen.span is not None
    assert {name: seen.span.get(name) for name in shown} == shown


def test_call_is_recorded_without_its_frames(stage: BedrockStage, tmp_path: Path) -> None:
    l0.instrument(record=tmp_path)
    stage.call(Fault.cut(at_event=1))
    l0.instrument(record=False)
    with Recording.open(tmp_path) as recording:
        (call,) = recording
        assert len(call.attempts) == 2
        assert not any(attempt.reads for attempt in call.attempts)


def test_connection_is_used_again(stage: BedrockStage) -> None:
    client = stage.client(max_pool_connections=1)
    for _ in range(3):
        assert text_of(stage.call(client=client).chunks) == WHOLE
    (pool,) = (manager for manager in client._endpoint.http_session._manager.pools._container.values())
    assert (pool.num_connections, pool.num_requests) == (1, 3)


def test_200_streams_in_threads(stage: BedrockStage) -> None:
    stage.sim.reset()
    stage.sim.on(reply="reset at_event=1 rate=0.3")

    def one(_: int) -> str:
        with l0.policy(retry=replace(RETRY, max_retries=20)):
            return text_of(list(stream_of(stage.plain)))

    with ThreadPoolExecutor(STREAMS) as pool:
        assert list(pool.map(one, range(STREAMS))) == [WHOLE] * STREAMS
    assert len(stage.sim.requests) > STREAMS


def test_event_costs_few_more_calls_than_without_l0(stage: BedrockStage) -> None:
    def per_event() -> float:
        counts = []
        for tokens in (100, 600):
            calls, seen = python_calls(lambda tokens=tokens: stage.call(answer=Answer(tokens=tokens)))
            counts.append((calls, len(seen.chunks)))
        (few, first), (many, second) = counts
        return (many - few) / (second - first)

    per_event()
    ours = per_event()
    l0.uninstrument()
    assert ours <= per_event() * 1.15

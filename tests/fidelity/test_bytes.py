"""Any bytes at all: what the SDK makes of them, or a clean error; never something else, and never a hang.

The transport is a mock: bodies that no server would send are tried in their hundreds, in one read and cut anywhere.
"""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import transport_of

import l0
from l0.simulator import corpus
from l0.stainless.discovery import instrumentors
from l0.stainless.sdk_patches import SdkPatches

CLEAN = (openai.OpenAIError, anthropic.AnthropicError, l0.StreamInterrupted, json.JSONDecodeError, UnicodeDecodeError)


def chat_body() -> bytes:
    def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"

    text = corpus.bundled_answer(corpus.DEFAULT).text
    words = [event({"content": word + " é你"}) for word in text.split()]
    return b"".join([event({"role": "assistant"}), *words, event({}, "stop"), b"data: [DONE]\n\n"])


MESSAGE: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}
MESSAGE |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}


def messages_body() -> bytes:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in "abcd"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return b"".join(b"event: %s\ndata: %s\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events)


BODIES = {"chat": chat_body(), "messages": messages_body()}
SNIPPETS = (
    *(b"\n", b"\n\n", b"\r", b"\r\n", b"data: ", b"data:", b": x\n", b"event: x\n", b"id: 1\n", b"null", b"{}", b"[]"),
    *(b"\xff", b"\xed\xa0\x80", b'"\\ud800"', b"1e999", b"[DONE]", b'{"error":{"message":"m"}}', b"\x00", b"NaN"),
)


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> tuple[bytes, list[int]]:
    """A body with a few edits, and the places at which it is cut into reads."""
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        gone = draw(st.integers(0, 12))
        put = draw(st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=8)))
        body = body[:at] + put + body[at + gone :]
    return body, sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))


def reads(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *cuts, len(body)]
    for start, end in pairwise(edges):
        if end > start:
            yield body[start:end]


def received(api: str, body: bytes, cuts: list[int]) -> tuple[list[Any], BaseException | None]:
    """All that a user gets of a body, and what ends it."""

    transport = transport_of(openai if api == "chat" else anthropic)

    def answer(_request: Any) -> Any:
        return transport.Response(200, headers={"content-type": "text/event-stream"}, content=reads(body, cuts))

    with transport.Client(transport=transport.MockTransport(answer)) as http:
        got: list[Any] = []
        try:
            got.extend(CALLS[api](http))
        except Exception as error:
            return got, error
        return got, None


def chat(http: Any) -> Iterator[Any]:
    client = openai.OpenAI(api_key="none", http_client=http, max_retries=0)
    return iter(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))


def messages(http: Any) -> Iterator[Any]:
    client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)
    asked = [{"role": "user", "content": "x"}]
    return iter(client.messages.create(model="m", max_tokens=4096, messages=asked, stream=True))  # type: ignore[arg-type]


CALLS: dict[str, Callable[[Any], Iterator[Any]]] = {"chat": chat, "messages": messages}


@pytest.fixture
def resume_points() -> Iterator[list[SdkPatches]]:
    """Our patches, which a test can make a pass-through: the bare SDK."""
    l0.instrument(l0.Policy(truncation="off"))
    found = [one.patches for one in instrumentors()]
    yield [patches for patches in found if patches is not None]  # None: that SDK is not installed
    l0.uninstrument()


@pytest.mark.parametrize("api", CALLS)
def test_any_bytes_give_the_sdk_result_or_a_typed_error(api, resume_points):
    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(broken(BODIES[api]))
    def holds(case: tuple[bytes, list[int]]) -> None:
        body, cuts = case
        for seam in resume_points:
            seam.active = False
        bare, bare_error = received(api, body, cuts)
        for seam in resume_points:
            seam.active = True
        ours, error = received(api, body, cuts)
        said = [item for item in bare if item is not None]  # an event of `null` is nothing
        if odd(api, body):
            ours, said = [item for item in ours if item in said], [item for item in said if item in ours]
        assert error is None or isinstance(error, CLEAN), repr(error)
        if bare_error is not None:  # the SDK trips over events without data, which we pass over
            assert all(one == other for one, other in zip(ours, said, strict=False))
        else:
            assert ours == (said if error is None else said[: len(ours)])

    holds()


def odd(api: str, body: bytes) -> bool:
    """Bodies that only L0 can read: events whose names a proxy dropped, a first event after a byte order mark."""
    return api == "messages" or body.startswith(b"\xef\xbb\xbf")

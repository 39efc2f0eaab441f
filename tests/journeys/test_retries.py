"""Retries, timeouts and errors are those of the bare SDKs."""

import asyncio
import contextlib
import io
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import anyio
import openai
import pytest
from journeys_kit import (
    CHATTING,
    MESSAGING,
    Spans,
    async_chat_client,
    async_claude,
    both_ways,
    chat_client,
    claude,
    sync_and_async,
)

import l0
from l0.runtime import sync_driver
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator


def test_max_retries_of_0_is_kept(sim: Simulator, spans: Spans) -> None:
    for client in (chat_client(sim, max_retries=0), chat_client(sim).with_options(max_retries=0)):
        sim.reset()
        sim.script(Fault.status(503))
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**CHATTING, stream=True)
        assert len(sim.requests) == 1
    sim.reset()
    sim.script(Fault.cut(at_event=0))
    stream = chat_client(sim, max_retries=0).chat.completions.create(**CHATTING, stream=True)
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    assert len(sim.requests) == 1
    assert [end for end, _ in spans.ends] == ["failed"] * 3


@sync_and_async
@pytest.mark.parametrize("max_retries", [None, -1, 1.5])
def test_invalid_max_retries_are_refused_by_the_sdk(sim: Simulator, max_retries: Any, sync: bool) -> None:
    if not hasattr(openai.OpenAI, "_validate_max_retries"):
        pytest.skip("this SDK accepts them")

    async def acreate() -> None:
        async with async_chat_client(sim) as client:
            client.max_retries = max_retries
            await client.chat.completions.create(**CHATTING)

    def create(_: Simulator) -> str:
        client = chat_client(sim)
        client.max_retries = max_retries
        with pytest.raises((TypeError, ValueError)) as caught:
            client.chat.completions.create(**CHATTING) if sync else asyncio.run(acreate())
        return repr(caught.value)

    bare, ours = both_ways(sim, create)
    assert bare == ours
    assert sim.requests == []


@pytest.mark.parametrize("stream", [True, False])
def test_refused_request_is_sent_once_more(sim: Simulator, stream: bool) -> None:
    def journey(sim: Simulator) -> list[tuple[str | None, str | None, str | None]]:
        answer = chat_client(sim).chat.completions.create(**CHATTING, stream=stream)
        for _ in answer:
            pass
        claude(sim).messages.create(**MESSAGING, stream=False)
        names = ("x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-async")
        return [tuple(request.headers.get(name) for name in names) for request in sim.requests]  # type: ignore[misc]

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(503), None, Fault.status(529)))
    assert bare == ours
    assert [count for count, *_ in ours] == ["0", "1", "0", "1"]


def test_retry_count_includes_restarts_of_a_stream(sim: Simulator) -> None:
    l0.instrument(l0.Policy(truncation="strict"))
    sim.script(Fault.clean_end(at_event=1), Fault.status(503))
    stream = chat_client(sim).chat.completions.create(**CHATTING, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert [request.headers["x-stainless-retry-count"] for request in sim.requests] == ["0", "1", "2"]
    assert stream.response.is_closed


def test_headers_of_requests_are_the_sdks(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[dict[str, str]]:
        list(chat_client(sim).chat.completions.create(**CHATTING, stream=True, extra_headers={"x-mine": "1"}))
        claude(sim).messages.create(**MESSAGING)
        own = ("host", "content-length")
        return [{name: value for name, value in one.headers.items() if name not in own} for one in sim.requests]

    bare, ours = both_ways(sim, journey)
    assert bare == ours


def test_one_idempotency_key_for_all_attempts(sim: Simulator) -> None:
    sim.script(Fault.status(503), Fault.status(503))
    l0.instrument()
    chat_client(sim).chat.completions.create(**CHATTING, extra_headers={"Idempotency-Key": "mine"})
    assert [request.headers.get("idempotency-key") for request in sim.requests] == ["mine"] * 3


def test_retry_after_is_honoured(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(sync_driver, "wait_unless_stopped", lambda seconds, _: slept.append(seconds))
    bare, ours = both_ways(
        sim,
        lambda sim: chat_client(sim).chat.completions.create(**CHATTING).choices[0].finish_reason,
        lambda: sim.script(Fault.status(429, {"retry-after-ms": "10"})),
    )
    assert bare == ours == "stop"
    assert slept == [0.01, 0.01]


@pytest.mark.parametrize(
    ("sdk", "headers"),
    [
        ("openai", {"retry-after": "90"}),
        ("openai", {"retry-after": "150"}),  # more than it allows
        ("anthropic", {"retry-after": "90"}),
        ("openai", {"x-ratelimit-reset-requests": "2m0s"}),
        ("anthropic", {"anthropic-ratelimit-requests-reset": "2199-01-01T00:00:00Z"}),
    ],
    ids=str,
)
def test_without_a_policy_the_longest_wait_is_that_of_the_sdk(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, sdk: str, headers: dict[str, str]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(sync_driver, "wait_unless_stopped", lambda seconds, _: slept.append(seconds))

    def journey(sim: Simulator) -> tuple[str, int, list[float]]:
        slept.clear()
        try:
            if sdk == "openai":
                chat_client(sim).chat.completions.create(**CHATTING)
            else:
                claude(sim).messages.create(**MESSAGING)
        except (openai.RateLimitError, anthropic.RateLimitError) as error:
            return type(error).__name__, len(sim.requests), []
        return "answer", len(sim.requests), [seconds for seconds in slept if seconds > 1]  # shorter ones are random

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(429, headers)))
    assert bare == ours


def test_retries_taken_counts_retries_of_l0(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[int]:
        raw = chat_client(sim).chat.completions.with_raw_response.create(**CHATTING)
        with chat_client(sim).chat.completions.with_streaming_response.create(**CHATTING) as response:
            return [raw.retries_taken, response.retries_taken, raw.http_response.status_code]

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(503), None, Fault.status(500)))
    assert bare == ours == [1, 1, 200]


@pytest.mark.parametrize("timeout", [2.0, openai.Timeout(60.0, read=2.0)])
def test_the_sdks_own_timeout(sim: Simulator, timeout: Any) -> None:
    def journey(sim: Simulator) -> tuple[str, int]:
        with pytest.raises(openai.APITimeoutError) as caught:
            chat_client(sim, max_retries=0).chat.completions.create(**CHATTING, stream=True, timeout=timeout)
        return type(caught.value).__name__, len(sim.requests)

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.no_headers()))
    assert bare == ours


def test_errors_are_the_sdks(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        found: list[Any] = []
        for client, call in ((chat_client(sim), CHATTING), (claude(sim), MESSAGING)):
            create = client.chat.completions.create if isinstance(client, openai.OpenAI) else client.messages.create
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
                create(**call, stream=True)
            error: Any = caught.value
            found += [type(error), error.status_code, error.request.method, error.response.is_closed]
            found += [error.body is not None, error.__notes__ if hasattr(error, "__notes__") else []]
        return found

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(404), Fault.status(401)))
    assert bare == ours


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [True, False])
async def test_an_async_veto_decides_on_the_retries_of_async_calls(sim: Simulator, stream: bool) -> None:
    asked: list[l0.types.Failure] = []

    async def once(failure: l0.types.Failure) -> bool:
        await anyio.sleep(0)
        asked.append(failure)
        return len(asked) == 1

    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0, should_retry=once)))
    sim.script(Fault.status(503), Fault.status(500), None)
    async with async_chat_client(sim) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(**CHATTING, stream=stream)
    assert [failure.status for failure in asked] == [503, 500]
    assert caught.value.status_code == 500
    assert any("Retry.should_retry rejected it" in note for note in caught.value.__notes__)
    assert len(sim.requests) == 2


@pytest.mark.anyio
async def test_an_async_veto_is_asked_about_broken_streams_and_falls_back(sim: Simulator) -> None:
    asked: list[l0.types.Failure] = []

    async def never(failure: l0.types.Failure) -> bool:
        asked.append(failure)
        return False

    retry = l0.Retry(base_delay=0, should_retry=never)
    l0.instrument(l0.Policy(retry=retry, fallback=[l0.Fallback(model="other")], truncation="strict"))
    sim.script(Fault.cut(at_event=0), None)
    async with async_chat_client(sim) as client:
        stream = await client.chat.completions.create(**CHATTING, stream=True)
        assert [chunk async for chunk in stream]
    assert len(asked) == 1
    assert [request.body["model"] for request in sim.requests] == [CHATTING["model"], "other"]


@pytest.mark.anyio
async def test_an_async_veto_that_fails_is_ignored(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async def failing(_: l0.types.Failure) -> bool:
        raise LookupError("no answer")

    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0, should_retry=failing)))
    sim.script(Fault.status(503), None)
    async with async_chat_client(sim) as client:
        assert await client.chat.completions.create(**CHATTING)
    assert "Retry.should_retry failed and is ignored: LookupError" in caplog.text


def test_an_async_veto_is_ignored_in_sync_calls(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async def never(_: l0.types.Failure) -> bool:
        return False

    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0, should_retry=never)))
    sim.script(Fault.status(503), None)
    assert chat_client(sim).chat.completions.create(**CHATTING)
    assert "Retry.should_retry is async, and the call is not: it is ignored" in caplog.text


def unrepeatable(kind: str) -> list[Any] | Iterator[Any]:
    """Return messages that can be read only once."""
    if kind == "generator":
        return (message for message in MESSAGING["messages"])
    source = {"type": "base64", "media_type": "image/png", "data": io.BytesIO(b"an image")}
    return [{"role": "user", "content": [{"type": "image", "source": source}]}]


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "complete"])
@pytest.mark.parametrize("kind", ["generator", "file"])
@pytest.mark.parametrize(
    "policy", [None, l0.Policy(fallback=[l0.Fallback(model="claude-other")])], ids=["none", "falls back"]
)
def test_attempts_do_not_read_the_body_of_the_user_again(
    sim: Simulator, policy: l0.Policy | None, kind: str, stream: bool, sync: bool
) -> None:
    l0.instrument(policy)
    sim.script(*[Fault.status(529, {"retry-after-ms": "1"})] * (1 if policy is None else 3))

    async def ask() -> None:
        async with async_claude(sim) as client:
            answer = await client.messages.create(**MESSAGING | {"messages": unrepeatable(kind)}, stream=stream)
            if stream:
                async for _ in answer:
                    pass

    if sync:
        list(claude(sim).messages.create(**MESSAGING | {"messages": unrepeatable(kind)}, stream=stream))
    else:
        anyio.run(ask)
    first, *others = [request.body["messages"] for request in sim.requests]
    assert first
    assert others
    assert all(messages == first for messages in others)


def test_attempts_do_not_see_what_the_user_changes_meanwhile(sim: Simulator) -> None:
    l0.instrument()
    history = [*MESSAGING["messages"]]
    sim.script(Fault.reset(at_event=1))
    stream = claude(sim).messages.create(**MESSAGING | {"messages": history}, stream=True)
    history.append({"role": "assistant", "content": ""})
    assert list(stream)
    assert [request.body["messages"] for request in sim.requests] == [MESSAGING["messages"]] * 2


@pytest.mark.parametrize("policy", [None, l0.Policy(retry=l0.Retry(base_delay=0))], ids=["", "retry"])
@sync_and_async
def test_refused_token_is_renewed_once(sim: Simulator, policy: l0.Policy | None, sync: bool) -> None:
    types = pytest.importorskip("anthropic.lib.credentials._types", reason="this SDK has no credentials that expire")
    made: list[str] = []

    def credentials(**_: Any) -> Any:
        made.append(f"t{len(made)}")
        return types.AccessToken(token=made[-1], expires_at=int(time.time()) + 3600)

    async def acreate() -> Any:
        async with async_claude(sim, api_key=None, credentials=credentials) as client:
            return await client.messages.create(**MESSAGING)

    def create() -> Any:
        if not sync:
            return asyncio.run(acreate())
        return claude(sim, api_key=None, credentials=credentials).messages.create(**MESSAGING)

    l0.instrument(policy)
    sim.script(Fault.status(401))
    assert create()
    assert [request.headers["authorization"] for request in sim.requests] == ["Bearer t0", "Bearer t1"]
    sim.reset()
    sim.script(Fault.status(401), Fault.status(401))
    with pytest.raises(anthropic.AuthenticationError):
        create()
    assert len(sim.requests) == 2


class Registering(anthropic.Anthropic):
    """A client whose own code sends another request before each attempt."""

    def _prepare_options(self, options: Any) -> Any:
        if options.url != "/v1/register":
            with contextlib.suppress(anthropic.NotFoundError):
                self.post("/v1/register", body={"name": "mine"}, cast_to=object)
        return super()._prepare_options(options)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "complete"])
def test_attempts_do_not_send_the_body_of_a_request_of_the_users_own_code(sim: Simulator, stream: bool) -> None:
    l0.instrument()
    sim.script(Fault.status(529, {"retry-after-ms": "1"}), None)
    with Registering(base_url=claude(sim).base_url, api_key="key") as client:
        assert list(client.messages.create(**MESSAGING, stream=stream))
    bodies = [request.body.get("messages") for request in sim.requests if request.path == "/v1/messages"]
    assert bodies == [MESSAGING["messages"]] * 2

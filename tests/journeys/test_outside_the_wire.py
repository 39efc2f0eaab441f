"""Calls that raise outside the wire have failed: with the error's type, and the tokens that were billed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pydantic
import pytest
from installed import helpers_of, transport_of
from journeys_kit import (
    CANCELLED,
    CHATTING,
    FAILED,
    MESSAGING,
    Heard,
    Spans,
    async_chat_client,
    async_claude,
    chat_client,
    claude,
    sync_and_async,
)

import l0
from l0.runtime import sync_driver
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.stainless import sdk_bodies, sdk_responses


class City(pydantic.BaseModel):
    name: str


class Own(Exception):
    """Raised by code of the user's own."""


def attributes(spans: Spans) -> dict[str, Any]:
    """Of the one call's span."""
    return dict(spans.only.attributes or {})


def run(sim: Simulator, journey: Callable[[Any], Any], *, sync: bool, make: Any = None, **options: Any) -> None:
    """A journey with a client, which is closed."""
    made = (make or (chat_client if sync else async_chat_client))(sim, **options)
    if sync:
        journey(made)
        return

    async def arun() -> None:
        async with made:
            await journey(made)

    asyncio.run(arun())


PARSED = {"response_format": City}
LONG = Answer(text='{"name": "Os', stop="length")
WRONG = Answer(text='{"city": "Oslo"}')


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (LONG, openai.LengthFinishReasonError),
        (Answer(text='{"name":', stop="content_filter"), openai.ContentFilterFinishReasonError),
        (WRONG, pydantic.ValidationError),
    ],
    ids=["length", "content filter", "validation"],
)
def test_what_parse_makes_of_an_answer(
    sim: Simulator, spans: Spans, answer: Answer, error: type[Exception], sync: bool
) -> None:
    sim.script(Reply(answer=answer))

    def call(client: Any) -> Any:
        return helpers_of(client).parse(**CHATTING, **PARSED)

    with pytest.raises(error) as caught:
        run(sim, call, sync=sync)
    assert type(caught.value) is error
    told = attributes(spans)
    assert spans.ends == [FAILED]
    assert told["error.type"] == error.__qualname__
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    assert len(sim.requests) == 1


@sync_and_async
@pytest.mark.parametrize("policy", [None, l0.Policy(retry=l0.Retry(), fallback=l0.Fallback(model="b"))], ids=["", "p"])
def test_what_is_raised_outside_the_wire_is_not_asked_again(
    sim: Simulator, spans: Spans, policy: l0.Policy | None, sync: bool
) -> None:
    l0.instrument(policy)
    sim.script(Reply(answer=LONG))
    with pytest.raises(openai.LengthFinishReasonError):
        run(sim, lambda client: helpers_of(client).parse(**CHATTING, **PARSED), sync=sync)
    assert len(sim.requests) == 1


@sync_and_async
def test_what_parse_raises_has_notes_on_earlier_attempts(
    sim: Simulator, caplog: pytest.LogCaptureFixture, sync: bool
) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0)))
    sim.script(Fault.status(503), Reply(answer=LONG))
    with pytest.raises(openai.LengthFinishReasonError) as caught:
        run(sim, lambda client: helpers_of(client).parse(**CHATTING, **PARSED), sync=sync)
    first, last = caught.value.__notes__
    assert first.startswith("l0: attempt 1 failed: unavailable status 503")
    refused = "local: parse: the answer reached the length limit"
    assert last.startswith(f"l0: attempt 2 failed: {refused}")
    assert refused in caplog.text


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "error"),
    [(LONG, openai.LengthFinishReasonError), (WRONG, pydantic.ValidationError)],
    ids=["length", "validation"],
)
@pytest.mark.parametrize("framing", [Fault.one_write(), Fault.bytewise()], ids=["at once", "byte by byte"])
def test_helper_that_raises_over_a_stream_fails_the_call_with_its_tokens(
    sim: Simulator,
    spans: Spans,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    error: type[Exception],
    framing: Fault,
    sync: bool,
) -> None:
    for module, limit in ((sync_driver, "_DRAIN"), (sdk_bodies, "_DRAIN"), (sdk_responses, "_READ_ON_S")):
        monkeypatch.setattr(module, limit, 60)  # the rest is read however slow the machine is
    sim.script(Reply(answer=answer, fault=framing))

    def journey(client: Any) -> Any:
        manager = helpers_of(client).stream(**CHATTING, **PARSED, stream_options={"include_usage": True})
        if sync:
            with manager as stream:
                return list(stream)

        async def read() -> None:
            async with manager as stream:
                async for _ in stream:
                    pass

        return read()

    with pytest.raises(error):
        run(sim, journey, sync=sync)
    assert spans.ends == [FAILED]
    found = attributes(spans)
    assert found["error.type"] == error.__qualname__
    assert found["gen_ai.usage.input_tokens"] > 0
    assert found["gen_ai.usage.output_tokens"] > 0


@sync_and_async
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_what_the_user_raises_in_the_loop_is_a_cancellation(sim: Simulator, spans: Spans, sdk: str, sync: bool) -> None:
    def journey(client: Any) -> Any:
        manager = helpers_of(client).stream(**CHATTING) if sdk == "openai" else client.messages.stream(**MESSAGING)
        if sync:
            with manager as stream:
                for _ in stream:
                    raise Own

        async def read() -> None:
            async with manager as stream:
                async for _ in stream:
                    raise Own

        return read()

    make = {("openai", True): chat_client, ("openai", False): async_chat_client}.get((sdk, sync))
    with pytest.raises(Own):
        run(sim, journey, sync=sync, make=make or (claude if sync else async_claude))
    assert spans.ends == [CANCELLED]


def test_what_another_call_raises_in_the_loop_is_that_calls_own(sim: Simulator, spans: Spans) -> None:
    """The stream around it was stopped by its user."""
    sim.script(None, Reply(answer=LONG))
    client = chat_client(sim)
    with pytest.raises(openai.LengthFinishReasonError), helpers_of(client).stream(**CHATTING) as outer:
        for _ in outer:
            with helpers_of(client).stream(**CHATTING, **PARSED) as inner:
                list(inner)
    assert spans.ends == [FAILED, CANCELLED]


def test_an_error_that_is_being_handled_is_not_the_streams(sim: Simulator, spans: Spans) -> None:
    sim.script(Reply(answer=LONG))
    client = chat_client(sim)
    try:
        helpers_of(client).parse(**CHATTING, **PARSED)
    except openai.LengthFinishReasonError:
        with helpers_of(client).stream(**CHATTING) as stream:
            next(iter(stream))
    assert spans.ends == [FAILED, CANCELLED]


@sync_and_async
def test_hooks_of_the_user(sim: Simulator, spans: Spans, sync: bool) -> None:
    def hook(_: Any) -> None:
        raise Own

    async def ahook(_: Any) -> None:
        raise Own

    hooks = {"request": [hook if sync else ahook]}
    transport: Any = openai.DefaultHttpxClient if sync else openai.DefaultAsyncHttpxClient
    options = {"http_client": transport(event_hooks=hooks), "max_retries": 0}
    with pytest.raises((Own, openai.APIConnectionError)) as caught:  # old SDKs put their own error around it
        run(sim, lambda client: client.chat.completions.create(**CHATTING), sync=sync, **options)
    assert spans.ends == [FAILED]
    assert attributes(spans)["error.type"] == type(caught.value).__qualname__


@sync_and_async
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_key_providers(sim: Simulator, spans: Spans, stream: bool, sync: bool) -> None:
    def key() -> str:
        raise Own

    async def akey() -> str:
        raise Own

    if not hasattr(openai.OpenAI, "_refresh_api_key"):
        pytest.skip("this SDK takes no key provider")
    options = {"api_key": key if sync else akey}
    with pytest.raises(Own):
        run(sim, lambda client: client.chat.completions.create(**CHATTING, stream=stream), sync=sync, **options)
    assert spans.ends == [FAILED]
    assert attributes(spans)["error.type"] == "Own"
    assert sim.requests == []


@sync_and_async
@pytest.mark.parametrize("parse", [lambda: json.loads("<html>"), b"\xff".decode], ids=["JSON", "text"])
def test_text_that_the_users_own_code_cannot_parse_is_not_asked_for_again(
    sim: Simulator, spans: Spans, sync: bool, parse: Callable[[], Any]
) -> None:
    def hook(_: Any) -> None:
        parse()

    async def ahook(_: Any) -> None:
        parse()

    transport: Any = openai.DefaultHttpxClient if sync else openai.DefaultAsyncHttpxClient
    options = {"http_client": transport(event_hooks={"response": [hook if sync else ahook]})}
    with pytest.raises((ValueError, openai.APIConnectionError)) as caught:  # old SDKs put their own error around it
        run(sim, lambda client: client.chat.completions.create(**CHATTING), sync=sync, **options)
    bare = not isinstance(caught.value, openai.APIConnectionError)
    assert len(sim.requests) == (1 if bare else 3)
    assert spans.ends == [FAILED]
    assert attributes(spans)["error.type"] == type(caught.value).__qualname__


@sync_and_async
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_key_that_cannot_be_parsed_is_not_asked_for_again(
    sim: Simulator, spans: Spans, stream: bool, sync: bool
) -> None:
    asked: list[str] = []

    def key() -> str:
        transport = transport_of(openai)
        asked.append("key")
        vault = transport.Request("GET", "http://vault.invalid/")
        return str(transport.Response(200, text="<html>", request=vault).json())

    async def akey() -> str:
        return key()

    if not hasattr(openai.OpenAI, "_refresh_api_key"):
        pytest.skip("this SDK takes no key provider")
    options = {"api_key": key if sync else akey}
    with pytest.raises(json.JSONDecodeError):
        run(sim, lambda client: client.chat.completions.create(**CHATTING, stream=stream), sync=sync, **options)
    assert (asked, sim.requests) == (["key"], [])
    assert spans.ends == [FAILED]


@sync_and_async
@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"extra_headers": {"x-name": "\ud800"}}, UnicodeEncodeError),
        ({"extra_body": {"value": object()}}, TypeError),
    ],
    ids=["header", "body"],
)
def test_arguments(sim: Simulator, spans: Spans, more: dict[str, Any], error: type[Exception], sync: bool) -> None:
    with pytest.raises(error):
        run(sim, lambda client: client.chat.completions.create(**CHATTING, **more), sync=sync)
    assert spans.ends == [FAILED]
    assert attributes(spans)["error.type"] == error.__qualname__
    assert sim.requests == []


@sync_and_async
def test_interruptions_are_cancellations(sim: Simulator, spans: Spans, sync: bool) -> None:
    def hook(_: Any) -> None:
        raise KeyboardInterrupt

    async def ahook(_: Any) -> None:
        raise asyncio.CancelledError

    hooks = {"request": [hook if sync else ahook]}
    transport: Any = openai.DefaultHttpxClient if sync else openai.DefaultAsyncHttpxClient
    with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
        run(
            sim,
            lambda client: client.chat.completions.create(**CHATTING),
            sync=sync,
            http_client=transport(event_hooks=hooks),
        )
    assert spans.ends == [CANCELLED]


def test_tokens_are_counted_in_metrics_too(sim: Simulator, heard: Heard) -> None:
    sim.script(Reply(answer=LONG))
    with pytest.raises(openai.LengthFinishReasonError):
        helpers_of(chat_client(sim)).parse(**CHATTING, **PARSED)
    kinds = {dict(point.attributes)["gen_ai.token.type"] for point in heard.points("gen_ai.client.token.usage")}
    assert kinds == {"input", "output"}
    (duration,) = heard.points("gen_ai.client.operation.duration")
    assert dict(duration.attributes)["error.type"] == "LengthFinishReasonError"

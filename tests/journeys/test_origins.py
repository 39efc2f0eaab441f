"""A fallback to another client gets the request's content, and nothing that names or opens the first one's account."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import product
from typing import Any

import anthropic
import openai
import pytest
from aws_stubs import stub_aws
from installed import needs_responses
from journeys_kit import sync_and_async
from origins_kit import BASES, CALL, CONTENT, KINDS, Got, Kind, Place, cut_at, down, place, whole

import l0
from l0.config import CONFIG
from l0.shared_state import quantiles
from l0.shared_state.shared import SharedState
from l0.simulator.corpus import bundled_answer


def near(first: Kind, second: Kind) -> bool:
    return KINDS.index(second) - KINDS.index(first) in (0, 1)


ONCE = l0.Retry(max_retries=0)
PAIRS = [
    pair
    for pair in product(KINDS, repeat=2)
    if pair[0].sdk is pair[1].sdk and (BASES[pair[0].sdk] in pair or near(*pair))
]
"""Each class with the plain one, in both directions; with itself; and with the class after it."""
STREAMING = [pair for pair in PAIRS if BASES[pair[0].sdk] in pair]
DIRECT = [kind for kind in KINDS if kind.name in ("openai", "anthropic")]
FRAMED = [kind for kind in KINDS if kind.name in ("aws", "aws-signed")]
"""Classes whose streams are not server-sent events: AWS frames them."""
BREAKING = [(kind, kind) for kind in DIRECT] + [pair for pair in STREAMING if not set(pair).isdisjoint(FRAMED)]
"""Plain streams, and changes from and to framed ones."""
TEXTS = {False: "hi", True: bundled_answer("greeting").text}
"""The text of an answer that is streamed, or not."""
direct = pytest.mark.parametrize("kind", DIRECT, ids=[kind.name for kind in DIRECT])


def pairs(kinds: list[tuple[Kind, Kind]]) -> Any:
    return pytest.mark.parametrize(("first", "second"), kinds, ids=[f"{a.name}-to-{b.name}" for a, b in kinds])


@pytest.fixture
def primary() -> Iterator[Place]:
    """The server of the client that is called: out of service."""
    with place() as made:
        made.answer = down
        yield made


@pytest.fixture
def spare() -> Iterator[Place]:
    """The server of the fallback."""
    with place() as made:
        yield made


@pytest.fixture(autouse=True)
def _off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    stub_aws(monkeypatch)
    yield
    l0.uninstrument()


def lasting(got: Got) -> dict[str, str]:
    """The headers that are the same for every attempt."""
    varies = ("x-stainless-retry-count", "content-length")
    return {name.lower(): value for name, value in got.headers if name.lower() not in varies}


def create(client: Any, dialect: str) -> Any:
    resource = {"chat": lambda: client.chat.completions, "messages": lambda: client.messages}.get(dialect)
    return (resource() if resource is not None else client.responses).create


def call(client: Any, dialect: str, *, sync: bool, others: tuple[Any, ...] = (), **request: Any) -> Any:
    """One call, read to its end; the clients are closed."""
    request = CONTENT.get(dialect, {}) | request
    if sync:
        try:
            answer = create(client, dialect)(**request)
            return list(answer) if request.get("stream") else answer
        finally:
            for one in (client, *others):
                one.close()

    async def journey() -> Any:
        try:
            answer = await create(client, dialect)(**request)
            return [item async for item in answer] if request.get("stream") else answer
        finally:
            for one in (client, *others):
                await one.close()

    return asyncio.run(journey())


def whole_text(answer: Any) -> str:
    return str(answer.choices[0].message.content if hasattr(answer, "choices") else answer.content[0].text)


def streamed_text(events: list[Any]) -> str:
    deltas = [
        choice.delta for event in events for choice in getattr(event, "choices", [event]) if hasattr(choice, "delta")
    ]
    return "".join(getattr(delta, "content", None) or getattr(delta, "text", None) or "" for delta in deltas)


def fall(
    first: Kind, second: Kind, primary: Place, spare: Place, *, sync: bool, more: Any = None, **request: Any
) -> None:
    """One call through a client of ``first`` that falls over to one of ``second``."""
    called = first.client(primary.url, "canary", sync=sync, **(more or {}))
    other = second.client(spare.url, "spare", sync=sync)
    leg = l0.Fallback(client=other, model=request.pop("leg_model", None))
    policy = {"retry": ONCE, "fallback": leg} | request.pop("policy", {})
    l0.instrument(l0.Policy(**policy))
    asked = CALL | request
    asked["extra_headers"] = {k: v for k, v in asked["extra_headers"].items() if k.lower() not in first.refuses}
    answer = call(called, first.dialect, sync=sync, others=(other,), **asked)
    assert (streamed_text(answer) if asked.get("stream") else whole_text(answer)) == TEXTS[bool(asked.get("stream"))]


def assert_content_alone(primary: Place, spare: Place, second: Kind) -> None:
    """The canaries went to their own server, and nowhere else; the content went to both."""
    assert primary.got
    assert spare.got
    assert primary.texts.count("canary-") >= 10
    leaked = [line for line in spare.texts.splitlines() if "canary" in line]
    assert leaked == []
    for got in spare.got:
        assert got.header("cookie") == "session=spare-jar"
        assert got.header("x-tenant") == "spare-tenant"
        assert "spare-default-query" in got.target
        authorized = got.header("authorization") or got.header("api-key") or got.header("x-api-key")
        assert authorized is not None
        assert "spare-" in authorized or second.name == "userinfo"
        for content in ("content-message", "content-user", "content-extra-body"):
            assert content in got.text


@sync_and_async
@pairs(PAIRS)
def test_a_whole_answer(first: Kind, second: Kind, primary: Place, spare: Place, sync: bool) -> None:
    fall(first, second, primary, spare, sync=sync)
    assert_content_alone(primary, spare, second)
    assert (len(primary.got), len(spare.got)) == (1, 1)


@sync_and_async
@direct
def test_a_clients_own_authentication(kind: Kind, primary: Place, spare: Place, sync: bool) -> None:
    fall(kind, kind, primary, spare, sync=sync, more={"auth": ("canary-auth-user", "canary-auth-password")})
    assert_content_alone(primary, spare, kind)


@sync_and_async
@pairs(STREAMING)
def test_a_stream_that_fails_before_its_headers(
    first: Kind, second: Kind, primary: Place, spare: Place, sync: bool
) -> None:
    fall(first, second, primary, spare, sync=sync, stream=True)
    assert_content_alone(primary, spare, second)


@sync_and_async
@pairs(BREAKING)
@pytest.mark.parametrize("begun", [False, True], ids=["empty", "begun"])
def test_a_stream_that_breaks_before_its_content(
    first: Kind, second: Kind, primary: Place, spare: Place, sync: bool, begun: bool
) -> None:
    first_content = b'"content":"Hello"' if first.dialect == "chat" else b"event: content_block_start"
    primary.answer = cut_at(first_content if begun else b"data: ")
    fall(first, second, primary, spare, sync=sync, stream=True)
    assert_content_alone(primary, spare, second)


@sync_and_async
@pairs(BREAKING)
def test_retries_and_resumes_stay_with_the_fallback(
    first: Kind, second: Kind, primary: Place, spare: Place, sync: bool
) -> None:
    mark = b'finish_reason":"stop' if first.dialect == "chat" else b"message_delta"
    spare.answer = cut_at(mark)
    policy = {"retry": l0.Retry(max_retries=2, base_delay=0), "resume": "exact"}
    fall(first, second, primary, spare, sync=sync, stream=True, policy=policy)
    assert len(spare.got) == 2
    assert_content_alone(primary, spare, second)


@sync_and_async
@direct
def test_a_hedge_of_the_fallback(
    kind: Kind, primary: Place, spare: Place, sync: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CONFIG, "shared_state", shared_state := SharedState())
    for _ in range(quantiles.MIN_COUNT):  # only the fallback's model is known to be quick, so only it is hedged
        shared_state.first_token_latencies["127.0.0.1", "other-model", "small"].add(0.001)
    second = threading.Event()

    def slow(got: Got, number: int) -> Any:
        second.set() if number else second.wait(120)
        return whole(got, number)

    spare.answer = slow
    fall(kind, kind, primary, spare, sync=sync, stream=True, policy={"hedge": True}, leg_model="other-model")
    assert len(spare.got) == 2
    assert_content_alone(primary, spare, kind)


@sync_and_async
@needs_responses
def test_what_the_server_replays_is_asked_of_the_one_that_has_it(primary: Place, spare: Place, sync: bool) -> None:
    """A background response: resumed by a GET, with the credentials of the fallback."""
    kind = KINDS[0]
    spare.answer = cut_at(b"event: response.completed")
    called = kind.client(primary.url, "canary", sync=sync)
    other = kind.client(spare.url, "spare", sync=sync)
    retry = l0.Retry(max_retries=2, base_delay=0)
    l0.instrument(l0.Policy(retry=retry, resume="exact", fallback=l0.Fallback(client=other)))
    asked = {"model": "content-model", "input": "content-message", "background": True, "stream": True}
    with pytest.raises(openai.APIError):  # this server begins anew; what counts is who was asked
        call(called, "responses", sync=sync, others=(other,), **asked | CALL)
    assert {got.method for got in spare.got} == {"POST", "GET"}
    assert "starting_after=" in spare.got[-1].target
    assert "canary" not in spare.texts
    assert {got.header("authorization") for got in spare.got} == {"Bearer spare-api-key"}


@sync_and_async
@direct
def test_another_model_of_the_same_client_keeps_all_but_the_idempotency_key(
    kind: Kind, primary: Place, sync: bool
) -> None:
    l0.instrument(l0.Policy(retry=ONCE, fallback=l0.Fallback(model="other")))
    error = openai.InternalServerError if kind.dialect == "chat" else anthropic.InternalServerError
    with pytest.raises(error):
        call(kind.client(primary.url, "canary", sync=sync), kind.dialect, sync=sync, **CALL)
    one, two = primary.got
    own_key = {"idempotency-key": "canary-call-idempotency"}  # it identifies the first body
    assert lasting(one) == lasting(two) | own_key
    assert one.target == two.target
    assert '"other"' in two.text


@sync_and_async
def test_features_that_a_request_needs_go_with_it(primary: Place, spare: Place, sync: bool) -> None:
    """Beta headers, which the SDK's own methods set, say how a request is to be understood."""
    kind = BASES[anthropic]
    beta = {"extra_headers": {"Anthropic-Beta": "feature-1", "Authorization": "canary"}}
    fall(kind, kind, primary, spare, sync=sync, **beta)
    assert spare.got[0].header("anthropic-beta") == "feature-1"
    assert "canary" not in spare.texts


@sync_and_async
def test_a_raw_response_is_one_from_the_fallback_too(primary: Place, spare: Place, sync: bool) -> None:
    kind = KINDS[0]
    called = kind.client(primary.url, "canary", sync=sync)
    other = kind.client(spare.url, "spare", sync=sync)
    l0.instrument(l0.Policy(retry=ONCE, fallback=l0.Fallback(client=other)))
    raw = called.chat.completions.with_raw_response.create
    if sync:
        with called, other:
            answer = raw(**CONTENT["chat"], **CALL)
    else:

        async def journey() -> Any:
            async with called, other:
                return await raw(**CONTENT["chat"], **CALL)

        answer = asyncio.run(journey())
    assert answer.parse().choices[0].message.content == "hi"
    assert "canary" not in spare.texts


@sync_and_async
@direct
def test_a_redirect_is_as_in_the_bare_sdk(kind: Kind, primary: Place, spare: Place, sync: bool) -> None:
    """The transport sends the same to another origin with L0 as without it, and never more."""
    target = "/v1/chat/completions" if kind.dialect == "chat" else "/v1/messages"
    primary.answer = lambda got, number: (307, {"location": spare.url + target}, b"")
    seen = []
    for switch in (lambda: None, l0.instrument):
        switch()
        spare.got.clear()
        call(kind.client(primary.url, "canary", sync=sync), kind.dialect, sync=sync, **CALL)
        (got,) = spare.got
        seen.append({name.lower(): value for name, value in got.headers if name.lower() != "host"})
    assert seen[0] == seen[1]


@sync_and_async
@direct
def test_a_restart_after_a_redirect_begins_at_the_origin(kind: Kind, primary: Place, spare: Place, sync: bool) -> None:
    target = "/v1/chat/completions" if kind.dialect == "chat" else "/v1/messages"
    primary.answer = lambda got, number: (307, {"location": spare.url + target}, b"")
    spare.answer = cut_at(b"data: ")
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0)))
    client = kind.client(primary.url, "canary", sync=sync)
    call(client, kind.dialect, sync=sync, stream=True, **CALL)
    assert (len(primary.got), len(spare.got)) == (2, 2)
    for one in (primary, spare):
        first, again = one.got
        assert lasting(again) == lasting(first)

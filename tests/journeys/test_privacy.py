"""By default nothing that a provider, a prompt or a credential says leaves through spans, metrics, logs, notes,
messages of ours, reprs or files. Each case plants canaries everywhere, and lets a provider repeat them if it can."""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from privacy_kit import ANSWER, CANARY, ECHO, KEY, PROMPT, Leaving, hostile, http, shown, sse

import l0
from l0 import Fallback, Guardrails, Policy, Retry, Timeout
from l0.cli.doctor import doctor
from l0.config import CONFIG
from l0.model.call import Call
from l0.shared_state.shared import SharedState
from l0.simulator.server import Simulator
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_rate_limiter import LogRateLimiter
from l0.telemetry.otlp import _WarnOnce

HELLO: list[Any] = [{"role": "user", "content": PROMPT}]
QUICK = Retry(attempts=1, max_retries=1, base_delay=0, max_delay=0)
HEADERS = {"x-canary": "header-canary", "cookie": "session=canary", "authorization": f"Bearer {KEY}"}
Ask = Callable[[Any, Any], Any]


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def answer(text: str, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": text} | message
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def response(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, **fields}


BEGUN = ("message_start", {"type": "message_start", "message": {"id": "m1", "model": "m", "role": "assistant"}})
BLOCK = (
    "content_block_start",
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
)
DELTA = (
    "content_block_delta",
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}},
)
WHOLE = sse(chunk(ANSWER), chunk("", "stop"), b"data: [DONE]\n\n")
OPENAI_ERROR: dict[str, Any] = {"error": {"message": ECHO, "type": ECHO, "code": KEY, "param": PROMPT}}
CLAUDE_ERROR: dict[str, Any] = {"type": "error", "error": {"type": "invalid_request_error", "message": ECHO}}


def chat(clients: Any, more: Any) -> Any:
    return clients["openai"].chat.completions.create(
        model="m", messages=HELLO, stream=True, extra_headers=HEADERS, **more
    )


def whole(clients: Any, more: Any) -> Any:
    return clients["openai"].chat.completions.create(model="m", messages=HELLO, extra_query={"k": KEY}, **more)


def responses(clients: Any, more: Any) -> Any:
    return clients["openai"].responses.create(model="m", input=PROMPT, stream=True, store=False, **more)


def messages(clients: Any, more: Any) -> Any:
    return clients["anthropic"].messages.create(model="m", max_tokens=4096, messages=HELLO, stream=True, **more)


def message(clients: Any, more: Any) -> Any:
    return clients["anthropic"].messages.create(model="m", max_tokens=4096, messages=HELLO, system=PROMPT, **more)


def embeddings(clients: Any, more: Any) -> Any:
    return clients["openai"].embeddings.create(model="m", input=PROMPT, **more)


def raw(clients: Any, more: Any) -> Any:
    return clients["openai"].chat.completions.with_raw_response.create(model="m", messages=HELLO, **more)


@dataclass(frozen=True, kw_only=True)
class Case:
    """``replies``: what the server sends. ``policy``: fields of a policy. ``client``: options of the clients, of which
    ``base_url`` is a template of the port. ``more``: parameters of the call."""

    ask: Ask
    replies: tuple[bytes, ...]
    policy: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def failing(*_: Any) -> Any:
    """A callback that tells all it knows as it fails."""
    raise ValueError(f"{ECHO}: {_}")


def quoting(text: str) -> str | None:
    return f"it says {text}" if CANARY in text else None


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "s",
        "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["a"]}}}
CALLED = [{"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"canary": "canary"}'}}]
USERINFO = {"base_url": "http://user-canary:pass-canary@127.0.0.1:{port}/v1?token=canary"}
CUT = sse(chunk(ANSWER))
VIOLATED = {"guardrails": Guardrails.pattern_rule(["is well"], "it is forbidden")}

STATUSES = {
    f"{status} {name}": Case(ask=ask, replies=(http(status, body, {"x-request-id": "req_1"}),), policy={"retry": QUICK})
    for status in (400, 401, 403, 404, 422, 429, 500, 503, 529)
    for name, ask, body in (("chat", chat, OPENAI_ERROR), ("messages", message, CLAUDE_ERROR))
}
CASES: dict[str, Case] = STATUSES | {
    "401 raw": Case(ask=raw, replies=(http(401, OPENAI_ERROR),)),
    "401 embeddings": Case(ask=embeddings, replies=(http(401, OPENAI_ERROR),)),
    "401 responses": Case(ask=responses, replies=(http(401, OPENAI_ERROR),)),
    "500 that is no JSON": Case(ask=chat, replies=(http(500, f"<h1>{ECHO}</h1>".encode(), content_type="html"),)),
    "400 with a string": Case(ask=whole, replies=(http(400, {"error": ECHO}),)),
    "two failures, then an answer": Case(ask=chat, replies=(http(500, OPENAI_ERROR), http(429, OPENAI_ERROR), WHOLE)),
    "quota": Case(ask=chat, replies=(http(429, {"error": {"code": "insufficient_quota", "message": ECHO}}),)),
    "in-band, at once": Case(ask=chat, replies=(sse(OPENAI_ERROR),)),
    "in-band, after text": Case(ask=chat, replies=(sse(chunk(ANSWER), OPENAI_ERROR),)),
    "in-band, a string": Case(ask=chat, replies=(sse({"error": ECHO}),)),
    "in-band, messages": Case(ask=messages, replies=(sse(BEGUN, ("error", CLAUDE_ERROR)),)),
    "in-band, messages, after text": Case(ask=messages, replies=(sse(BEGUN, BLOCK, DELTA, ("error", CLAUDE_ERROR)),)),
    "in-band, messages, no JSON": Case(ask=messages, replies=(sse(BEGUN, f"event: error\ndata: {ECHO}\n\n".encode()),)),
    "responses error": Case(ask=responses, replies=(sse(response("error", code=KEY, message=ECHO, param=PROMPT)),)),
    "responses failed": Case(
        ask=responses,
        replies=(sse(response("response.failed", response={"id": "r", "error": {"code": KEY, "message": ECHO}})),),
    ),
    "a page": Case(ask=chat, replies=(http(200, f"<html>{ECHO}</html>".encode(), content_type="html"),)),
    "a whole answer that is a page": Case(ask=whole, replies=(http(200, ECHO.encode(), content_type="html"),)),
    "a whole answer that does not parse": Case(ask=whole, replies=(http(200, f'{{"id": "{ECHO}'.encode()),)),
    "an event that does not parse": Case(ask=chat, replies=(sse(b'data: {"id": "' + ECHO.encode() + b"\n\n"),)),
    "an event of another shape": Case(
        ask=messages, replies=(sse(("content_block_delta", {"index": ECHO, "delta": ECHO})),)
    ),
    "a block that is a text": Case(
        ask=messages, replies=(sse(BEGUN, ("content_block_delta", {**DELTA[1], "index": ECHO})),)
    ),
    "cut, after text": Case(ask=chat, replies=(CUT,), policy={"truncation": "strict"}),
    "cut, accepted": Case(ask=chat, replies=(CUT,)),
    "cut inside a chunked body": Case(
        ask=chat,
        replies=(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\ndata: canary",),
    ),
    "a chunk size that is a text": Case(
        ask=chat, replies=(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ncanary canary\r\n",)
    ),
    "a header that is none": Case(ask=chat, replies=(f"HTTP/1.1 200 OK\r\n{ECHO}\x01 = : {KEY}\r\n\r\n".encode(),)),
    "a status line that is none": Case(ask=message, replies=(ECHO.encode() + b"\r\n\r\n",)),
    "nothing at all": Case(ask=message, replies=(b"",)),
    "redirects forever": Case(ask=chat, replies=(http(307, b"", {"location": f"/v1/canary?key={KEY}"}),)),
    "a redirect to nowhere": Case(ask=chat, replies=(http(307, b"", {"location": f"http://user:{KEY}@127.0.0.1:1/"}),)),
    "user information and a query in base_url": Case(ask=chat, replies=(http(401, OPENAI_ERROR),), client=USERINFO),
    "the same, accepted with a warning": Case(ask=chat, replies=(CUT,), client=USERINFO),
    "no TLS": Case(
        ask=chat, replies=(ECHO.encode(),), client={"base_url": "https://u:canary@127.0.0.1:{port}/v1?k=canary"}
    ),
    "nobody there": Case(
        ask=message, replies=(b"",), client={"base_url": "http://u:canary@127.0.0.1:1/canary?k=canary"}
    ),
    "fallback fails too": Case(
        ask=chat, replies=(http(500, OPENAI_ERROR),), policy={"retry": QUICK, "fallback": "client"}
    ),
    "fallback answers": Case(
        ask=chat, replies=(http(401, OPENAI_ERROR), WHOLE), policy={"retry": QUICK, "fallback": "client"}
    ),
    "breaker": Case(ask=chat, replies=(http(500, OPENAI_ERROR),), policy={"breaker": True, "retry": QUICK}),
    "hedge": Case(
        ask=chat,
        replies=(http(500, OPENAI_ERROR),),
        policy={"hedge": l0.Hedge(after=timedelta(microseconds=10)), "retry": QUICK},
    ),
    "shadow": Case(
        ask=chat,
        replies=(http(500, OPENAI_ERROR), CUT),
        policy={"mode": "shadow", "retry": QUICK, "guardrails": "strict"},
    ),
    "a pattern": Case(ask=chat, replies=(WHOLE,), policy=VIOLATED | {"retry": QUICK, "hold": "verified"}),
    "a pattern, whole": Case(ask=whole, replies=(http(200, answer(ANSWER)),), policy=VIOLATED),
    "a rule that quotes": Case(
        ask=chat, replies=(WHOLE,), policy={"guardrails": Guardrails.rule(quoting), "retry": QUICK}
    ),
    "a rule that quotes, whole": Case(
        ask=whole, replies=(http(200, answer(ANSWER)),), policy={"guardrails": Guardrails.rule(quoting)}
    ),
    "a rule that fails": Case(ask=chat, replies=(WHOLE,), policy={"guardrails": Guardrails.rule(failing)}),
    "callbacks that fail": Case(
        ask=chat, replies=(WHOLE,), policy=VIOLATED | {"on_violation": failing, "on_resume": failing, "retry": QUICK}
    ),
    "should_retry that fails": Case(
        ask=chat, replies=(http(500, OPENAI_ERROR), WHOLE), policy={"retry": Retry(should_retry=failing, base_delay=0)}
    ),
    "a seam": Case(
        ask=chat,
        replies=(sse(chunk(ANSWER * 3)), WHOLE),
        policy={"resume": "splice", "truncation": "strict", "retry": QUICK} | {"on_resume": failing},
    ),
    "resumed, and different": Case(
        ask=chat,
        replies=(sse(chunk(ANSWER)), sse(chunk("another canary"), chunk("", "stop"))),
        policy={"resume": "exact", "truncation": "strict", "retry": QUICK},
    ),
    "drift": Case(
        ask=chat,
        replies=(sse(chunk("As an AI language model, I cannot tell of the canary. " * 9), chunk("", "stop")),),
        policy={"drift": l0.Drift(severity="error"), "retry": QUICK},
    ),
    "structured, no JSON": Case(
        ask=whole, replies=(http(200, answer(ANSWER)),), policy={"structured": True}, more={"response_format": SCHEMA}
    ),
    "structured, another type": Case(
        ask=chat,
        replies=(sse(chunk('{"a": "canary"}'), chunk("", "stop")),),
        policy={"structured": True, "retry": QUICK},
        more={"response_format": SCHEMA},
    ),
    "structured, arguments": Case(
        ask=whole,
        replies=(http(200, answer("", content=None, tool_calls=CALLED)),),
        policy={"structured": True},
        more={"tools": [TOOL]},
    ),
    "a schema that is none": Case(
        ask=whole,
        replies=(http(200, answer("{}")),),
        policy={"structured": True},
        more={"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "canary"}}}},
    ),
    "a total that has passed": Case(
        ask=chat,
        replies=(http(500, OPENAI_ERROR),),
        policy={"timeout": Timeout(total=timedelta(milliseconds=1)), "retry": Retry(base_delay=0.1)},
    ),
    "all is well": Case(ask=chat, replies=(WHOLE,)),
}


@pytest.fixture
def leaving(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leaving]:
    for sdk in (openai, anthropic):
        monkeypatch.setattr(sdk._base_client, "INITIAL_RETRY_DELAY", 0.001)
    # A breaker that opens, and what it keeps, ends with its case.
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())
    monkeypatch.setattr(CALL_LOG, "_rate_limiter", LogRateLimiter())
    made = Leaving(tmp_path, caplog)
    yield made
    l0.slo.stop()
    l0.uninstrument()


def clients(case: Case, port: int, kinds: tuple[Any, Any]) -> dict[str, Any]:
    made = {}
    for sdk, kind, path in (("openai", kinds[0], "/v1"), ("anthropic", kinds[1], "")):
        options = {"api_key": KEY, "base_url": f"http://127.0.0.1:{port}{path}", "timeout": 10, "max_retries": 2}
        options |= {"default_headers": HEADERS, "default_query": {"key": KEY}} | case.client
        options["base_url"] = str(options["base_url"]).format(port=port)
        made[sdk] = kind(**options)
    return made


def policy(case: Case, made: dict[str, Any]) -> Policy:
    fields = dict(case.policy)
    if fields.get("fallback") == "client":
        sdk = "anthropic" if case.ask in (message, messages) else "openai"
        fields["fallback"] = Fallback(client=made[sdk], model="m2")
    return Policy(**fields)


def checked(leaving: Leaving) -> None:
    found = leaving.collected()
    assert '"l0.outcome"' in found["spans"]
    assert found["metrics"]
    assert found["files"].startswith("SQLite")
    assert "CallEnded" in found["reprs"]
    assert "l0_event" in found["logs"] or not leaving.errors
    for place, text in found.items():
        at = text.lower().find(CANARY)
        assert at < 0, f"{place}: ...{text[max(0, at - 300) : at + 100]}"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nothing_leaves_that_was_not_asked_for(case: Case, leaving: Leaving) -> None:
    with hostile(case.replies) as port:
        made = clients(case, port, (openai.OpenAI, anthropic.Anthropic))
        leaving.instrument(policy(case, made))
        for _ in range(3 if case.policy.get("breaker") else 1):
            try:
                got = case.ask(made, case.more)
                for _ in got if hasattr(got, "__stream__") else ():
                    pass
            except Exception as error:
                leaving.errors.append(error)
        for one in made.values():
            one.close()
    checked(leaving)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nothing_leaves_that_was_not_asked_for_in_async_code(case: Case, leaving: Leaving) -> None:
    async def run(port: int) -> None:
        made = clients(case, port, (openai.AsyncOpenAI, anthropic.AsyncAnthropic))
        leaving.instrument(policy(case, made))
        try:
            got = await case.ask(made, case.more)
            if hasattr(got, "__stream__"):
                async for _ in got:
                    pass
        except Exception as error:
            leaving.errors.append(error)
        for one in made.values():
            await one.close()

    with hostile(case.replies) as port:
        asyncio.run(run(port))
    checked(leaving)


def test_nothing_leaves_from_sources_of_ones_own(leaving: Leaving) -> None:
    """The explicit API: sources, fallbacks, callbacks and adapters that fail with what they know."""
    leaving.instrument(Policy())

    def breaking() -> Iterator[str]:
        yield ANSWER
        raise ConnectionError(ECHO)

    def telling() -> Iterator[l0.Event]:
        yield l0.Event(l0.EventType.TOKEN, ANSWER)
        yield l0.Event(l0.EventType.ERROR, ECHO, KEY)

    callbacks = {"on_token": failing, "on_retry": failing, "on_error": failing, "on_fallback": failing}
    for source in (breaking, telling, failing, lambda: iter([object()])):
        for options in ({}, {"fallbacks": [breaking]}, {"guardrails": Guardrails.rule(quoting)}, callbacks):
            try:
                l0.run_sync(source, retry=QUICK, **options).read()  # type: ignore[arg-type]
            except Exception as error:
                leaving.errors.append(error)

    async def several() -> None:
        for work in (l0.race, l0.parallel):
            try:
                leaving.said.append(repr((await work([failing, failing])).stats))  # type: ignore
            except Exception as error:
                leaving.errors.append(error)
        try:
            await l0.l0.structured(SCHEMA["json_schema"]["schema"], lambda: iter(['{"a": "canary"}']))  # type: ignore
        except Exception as error:
            leaving.errors.append(error)

    asyncio.run(several())
    assert len(leaving.errors) > 10
    found = leaving.collected()
    assert "failed and is ignored" in found["logs"]
    for place, text in found.items():
        assert CANARY not in text.lower(), place


def test_content_capture_records_the_answer_on_the_span(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    case = CASES["two failures, then an answer"]
    leaving = Leaving(tmp_path, caplog)
    try:
        with hostile((http(500, OPENAI_ERROR), http(401, OPENAI_ERROR))) as port:
            made = clients(case, port, (openai.OpenAI, anthropic.Anthropic))
            leaving.instrument(Policy(retry=QUICK))
            with pytest.raises(openai.AuthenticationError) as raised:
                chat(made, {})
            for one in made.values():
                one.close()
        found = leaving.collected()
    finally:
        l0.slo.stop()
        l0.uninstrument()
    spans = found["spans"].split("\n}\n")  # older SDKs repeat the text in their message
    assert sum("Incorrect API key provided" in span for span in spans) == 3  # the call, and its two attempts
    assert CANARY not in found["logs"]
    assert [note.split(" (")[0] for note in raised.value.__notes__] == [
        "l0: attempt 1 failed: server_error status 500: the provider failed",
        "l0: attempt 2 failed: authentication status 401: the provider refused the credentials",
    ]
    assert ECHO in str(raised.value)  # the SDK's own words are the SDK's


def test_a_log_of_a_broken_answer_does_not_hold_it() -> None:
    """`partial_text` is for the user, who asks for it by name."""
    case = CASES["cut, after text"]
    with hostile(case.replies) as port:
        made = clients(case, port, (openai.OpenAI, anthropic.Anthropic))
        l0.instrument(policy(case, made))
        try:
            with pytest.raises(l0.StreamInterrupted) as raised:
                list(chat(made, {}))
        finally:
            l0.uninstrument()
            for one in made.values():
                one.close()
    assert raised.value.partial_text == ANSWER
    assert CANARY not in shown(raised.value) + str(raised.value) + repr(raised.value) + repr(raised.value.args)


def test_reprs_and_messages_of_policies_show_no_client() -> None:
    class Client:
        base_url = "http://user:canary@host/?key=canary"

        def __repr__(self) -> str:
            return f"Client(api_key={KEY!r})"

    assert repr(Fallback(client=Client(), model="m")) == "Fallback(model='m', client=<Client>)"
    assert CANARY not in repr(Policy(fallback=[Fallback(client=Client())]))
    wrong: list[Callable[[], Any]] = [
        lambda: Policy(fallback=Client()),  # type: ignore[arg-type]
        lambda: Policy(timeout=Client()),  # type: ignore[arg-type]
        lambda: Policy(retry={"client": Client()}),  # type: ignore[arg-type]
        lambda: Policy(guardrails=[Client()]),  # type: ignore[list-item]
        lambda: Fallback(model=Client()),  # type: ignore[arg-type]
        lambda: l0.instrument(Client()),  # type: ignore[arg-type]
        lambda: l0.instrument(otlp="grpc://user:canary@host:4317?key=canary"),
        lambda: l0.slo.start([Client()]),  # type: ignore[list-item]
    ]
    for make in wrong:
        with pytest.raises(l0.PolicyError) as raised:
            make()
        assert CANARY not in str(raised.value) + repr(raised.value)


def test_the_ledger_shows_neither_keys_nor_prompts(sim: Simulator) -> None:
    with openai.OpenAI(api_key=KEY, base_url=sim.openai) as client:
        client.chat.completions.create(model="m", messages=HELLO, extra_headers=HEADERS)
    assert sim.requests
    assert sim.requests[0].body["messages"] == HELLO
    assert CANARY not in repr(sim.requests) + repr(sim) + repr(sim.requests[0])


def test_the_doctor_shows_no_value_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:canary@127.0.0.1:1/v1?key=canary")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {KEY}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@127.0.0.1:1?key=canary")
    out = io.StringIO()
    with redirect_stdout(out):
        doctor()
    assert "OTEL_EXPORTER_OTLP_HEADERS" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_an_export_that_fails_does_not_name_credentials(caplog: pytest.LogCaptureFixture) -> None:
    once = _WarnOnce("http://user:canary@collector:4318/v1?key=canary")
    message = "Failed to export to http://user:canary@collector:4318/v1/traces?key=canary: refused"
    record = logging.LogRecord("opentelemetry.exporter", logging.ERROR, "f", 1, message, None, None)
    assert not once.filter(record)
    assert "collector:4318/v1" in caplog.text
    assert CANARY not in caplog.text


def test_server_attributes_hold_no_credentials(leaving: Leaving) -> None:
    seen: list[Call] = []

    class Watching:
        def observe(self, call: Call) -> None:
            seen.append(call)

    l0.instrument(observers=[Watching()])  # type: ignore[list-item]
    with hostile((WHOLE,)) as port:
        made = clients(CASES["user information and a query in base_url"], port, (openai.OpenAI, anthropic.Anthropic))
        list(chat(made, {}))
        for one in made.values():
            one.close()
    assert [(call.origin, call.host) for call in seen] == [(f"http://127.0.0.1:{port}", "127.0.0.1")]

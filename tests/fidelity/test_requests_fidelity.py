"""A call sends the same requests as the bare SDK's, however its client and its options change between calls.

Each scenario makes calls with and without l0, several of a kind, since a template is made from the second one and
proven by the third. Compared is everything that a hook, a transport or a server can see of a request.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0.fastpath.request_template import RequestTemplate
from l0_anthropic import AnthropicInstrumentor

ANSWERS = {
    "openai": {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]},
    "anthropic": {"id": "c", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "x"}], "usage": {"input_tokens": 1, "output_tokens": 1}},
}  # fmt: skip
NEWEST = {"openai": 3, "anthropic": 2}
"""The major versions whose requests must come from templates. Those of older ones may be left to the SDK."""
PACKAGES: dict[str, Any] = {"openai": openai, "anthropic": anthropic}
FLAVOURS = [(name, sync) for name in PACKAGES for sync in (True, False)]
IDS = [f"{name} {'sync' if sync else 'async'}" for name, sync in FLAVOURS]


class Session:
    """Calls through one SDK, and the requests that they sent."""

    def __init__(self, name: str, sync: bool) -> None:
        self.name = name
        self.sync = sync
        self.package = PACKAGES[name]
        streaming: Any = self.package._streaming
        self.transport = getattr(streaming, "httpx2", None) or streaming.httpx
        self.sent: list[Any] = []
        self.statuses: list[int] = []
        self.answer_headers: dict[str, str] = {}
        self.loop = None if sync else asyncio.new_event_loop()
        self.clients: list[Any] = []

    def http(self, **options: Any) -> Any:
        async def arespond(request: Any) -> Any:
            return self.respond(request)

        kind = self.transport.Client if self.sync else self.transport.AsyncClient
        mock = self.transport.MockTransport(self.respond if self.sync else arespond)
        return kind(transport=mock, **options)

    def respond(self, request: Any) -> Any:
        self.sent.append(observable(request))
        status = self.statuses.pop(0) if self.statuses else 200
        return self.transport.Response(
            status, headers={"content-type": "application/json", **self.answer_headers},
            content=json.dumps(ANSWERS[self.name]).encode(), request=request,
        )  # fmt: skip

    def client(self, kind: Any = None, **options: Any) -> Any:
        usual = "Anthropic" if self.name == "anthropic" else "OpenAI"
        kind = kind or getattr(self.package, usual if self.sync else f"Async{usual}")
        given = {"api_key": "k", "base_url": "http://origin.invalid/v1", "http_client": self.http(), "max_retries": 0}
        made = kind(**given | options)
        self.clients.append(made)
        return made

    def call(self, client: Any, text: str = "x", times: int = 1, **options: Any) -> None:
        owner = client.messages if self.name == "anthropic" else client.chat.completions
        body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}]}
        if self.name == "anthropic":
            body["max_tokens"] = 9
        for _ in range(times):
            try:
                made = owner.create(**body | options)
                if self.loop is not None:
                    self.loop.run_until_complete(made)
            except Exception as error:  # the bare SDK must refuse it as well
                self.sent.append(type(error).__qualname__)

    def close(self) -> None:
        for client in self.clients:
            if self.loop is None:
                client.close()
            else:
                self.loop.run_until_complete(client.close())
        if self.loop is not None:
            self.loop.close()


def observable(request: Any) -> list[Any]:
    """Return everything of a request that can be seen."""
    parts = vars(request)
    stream = vars(request.stream)
    kinds = [type(parts[name]).__qualname__ for name in parts]
    headers = list(request.headers._list), request.headers.encoding
    return [type(request).__qualname__, kinds, list(parts), request.method, str(request.url), headers,
        json.dumps(request.extensions), request.content, stream]  # fmt: skip


# -- scenarios ---------------------------------------------------------------------------------------------------------


def bodies(session: Session) -> None:
    client = session.client()
    session.call(client, times=5)
    for text in ("y", "a longer one", "ü\ud800"[:1], "y"):
        session.call(client, text)
    session.call(client, extra_body={"more": [1]}, times=4)
    session.call(client, times=2)


def options(session: Session) -> None:
    client = session.client()
    timeout = session.transport.Timeout
    for given in (5, 5.0, True, timeout(3, read=7), timeout(3.0, read=7), None):
        session.call(client, timeout=given, times=4)
    for headers in ({"X-One": "1"}, {"x-one": "1"}, {"X-One": "2", "X-Two": "ü"}, {"User-Agent": "mine"}):
        session.call(client, extra_headers=headers, times=4)
    session.call(client, extra_headers={"Accept": session.package._types.Omit()}, times=4)
    session.call(client, extra_headers={"x-stainless-retry-count": "7", "X-Stainless-Read-Timeout": "8"}, times=4)
    session.call(client, extra_query={"a": "b"}, times=4)
    session.call(client, times=2)


def state_of_the_client(session: Session) -> None:
    headers = {"X-Mine": "1"}
    timeout = session.transport.Timeout(9)
    client = session.client(default_headers=headers, timeout=timeout)
    http = client._client
    changes: list[Callable[[], object]] = [
        lambda: setattr(client, "api_key", "other"),
        lambda: setattr(client, "base_url", "http://elsewhere.invalid:81/v2?a=b"),
        lambda: setattr(client, "base_url", "http://elsewhere.invalid/v2"),
        lambda: headers.update({"X-Mine": "2"}),
        lambda: client._custom_headers.update({"X-More": "3"}),
        lambda: client._custom_headers.pop("X-Mine"),
        lambda: client._custom_query.update({"q": "1"}),
        client._custom_query.clear,
        lambda: setattr(timeout, "read", 9),
        lambda: setattr(client, "timeout", 9),
        lambda: setattr(client, "timeout", 9.0),
        lambda: setattr(client, "max_retries", 1),
        lambda: setattr(client, "organization", "o"),
        lambda: setattr(client, "auth_token", "t"),
        lambda: http.headers.update({"X-Http": "1"}),
        lambda: setattr(http, "params", {"p": "1"}),
        lambda: setattr(http, "params", {}),
        lambda: http.cookies.set("c", "1"),
        lambda: http.cookies.set("d", "2"),
        http.cookies.clear,
        lambda: setattr(http, "timeout", 3),
        lambda: setattr(client, "_idempotency_header", "Idempotency-Key"),
        lambda: setattr(client, "_idempotency_header", None),
        lambda: setattr(client, "default_header", "unused"),
    ]
    session.call(client, times=4)
    for change in changes:
        change()
        if client._idempotency_header is None:
            session.call(client, times=4)
            session.call(client, "other")


def cookies_of_the_server(session: Session) -> None:
    client = session.client()
    session.call(client, times=4)
    session.answer_headers["set-cookie"] = "c=1; Path=/"
    session.call(client, times=5)
    session.answer_headers["set-cookie"] = "c=2; Path=/v1"
    session.call(client, times=5)


def hooks(session: Session) -> None:
    def change(request: Any) -> None:
        request.headers["X-Hook"] = str(len(session.sent))
        request.extensions["timeout"]["read"] = len(session.sent)
        del request.headers["Accept"]

    async def achange(request: Any) -> None:
        change(request)

    http = session.http(event_hooks={"request": [change if session.sync else achange]})
    session.call(session.client(http_client=http), times=6)


def copies(session: Session) -> None:
    client = session.client()
    session.call(client, times=4)
    session.call(client.with_options(timeout=2, max_retries=1), times=4)
    session.call(client.with_options(default_headers={"X-One": "1"}), times=4)
    session.call(client.with_options(default_query={"a": "1"}), times=4)
    for _ in range(3):
        session.call(client.with_options(api_key="once"))
    session.call(client, times=2)


def retries(session: Session) -> None:
    client = session.client(max_retries=2)
    for _ in range(4):
        session.statuses = [500, 429]
        session.answer_headers = {"retry-after-ms": "1"}
        session.call(client)


def subclass(session: Session) -> None:
    usual = "Anthropic" if session.name == "anthropic" else "OpenAI"
    base = getattr(session.package, usual if session.sync else f"Async{usual}")
    kind = type("Mine", (base,), {"default_headers": property(lambda self: {"X-Count": str(len(session.sent))})})
    session.call(session.client(kind, default_headers={"Authorization": "a", "X-Api-Key": "b"}), times=5)


def headers_of_the_caller(session: Session) -> None:
    headers = {"X-One": "1"}
    client = session.client(default_headers={"x-one": "0", "X-Name": "ü"})
    session.call(client, extra_headers=headers, times=4)
    for name, value in {"X-One": "2", "X-Two": "ü", "x-two": "3", "X-Name": "4", "Content-Type": "text/plain"}.items():
        headers[name] = value
        session.call(client, extra_headers=headers, times=4)
    headers["Content-Type"] = "multipart/form-data; boundary=b"
    session.call(client, extra_headers=headers, times=4)


def bodies_of_the_caller(session: Session) -> None:
    client = session.client()
    message = {"role": "user", "content": 'ü\u2028 "quoted"'}
    for number in range(5):
        message["content"] += str(number)
        session.call(client, messages=[message], timeout=session.package.NOT_GIVEN)
    session.call(client, messages=[{"role": "user", "content": object()}], times=4)
    session.call(client, messages=[{"role": "user", "content": float("nan")}], times=4)
    session.call(client, messages=(message for _ in range(2)), times=4)


def wrappers_of_answers(session: Session) -> None:
    client = session.client()
    owner = client.messages if session.name == "anthropic" else client.chat.completions
    for _ in range(4):
        made = owner.with_raw_response.create(model="m", messages=[], max_tokens=1)
        if session.loop is not None:
            session.loop.run_until_complete(made)
    session.call(client, times=4)


def addresses(session: Session) -> None:
    for url in (
        "http://under_score.invalid/v1",
        "http://[::1]:81",
        "https://origin.invalid:443/a%20b/ü/",
        "http://o/v?q=1",
    ):
        session.call(session.client(base_url=url), times=4)


def credentials(session: Session) -> None:
    keys = iter(range(99))

    async def akey() -> str:
        return f"k{next(keys) // 3}"

    if session.name == "openai" and hasattr(session.client(), "_refresh_api_key"):
        session.call(session.client(api_key=(lambda: f"k{next(keys) // 3}") if session.sync else akey), times=12)
        kind = getattr(session.package, "AzureOpenAI" if session.sync else "AsyncAzureOpenAI")
        azure = {"base_url": None, "azure_endpoint": "http://azure.invalid", "api_version": "v"}
        for more in ({}, {"azure_deployment": "d"}):
            session.call(session.client(kind, **azure, **more), times=4)
            session.call(session.clients[-1], model="other", times=4)
    http = session.http(auth=("user", "secret"), headers={"X-Http": "ü".encode("latin-1")}, params={"p": "1"})
    session.call(session.client(http_client=http), times=4)
    session.call(session.client(http_client=session.http(auth=("user", "secret"))), times=4)


def new_headers_for_each_call(session: Session) -> None:
    client = session.client()
    for number in range(10):
        session.call(client, extra_headers={"X-Trace": str(number)})
    session.call(client, times=4)


SCENARIOS = [bodies, options, state_of_the_client, cookies_of_the_server, hooks, copies, retries, subclass,
    headers_of_the_caller, bodies_of_the_caller, wrappers_of_answers, addresses, credentials,
    new_headers_for_each_call]  # fmt: skip

LEFT = {(name, scenario) for name in PACKAGES for scenario in (subclass, headers_of_the_caller)}
LEFT.add(("anthropic", addresses))
"""Scenarios with requests that are left to the SDK: code of the user, another kind of body, an address with a query."""


def run(scenario: Callable[[Session], None], name: str, sync: bool) -> list[Any]:
    session = Session(name, sync)
    try:
        scenario(session)
    finally:
        session.close()
    return session.sent


@pytest.fixture
def from_templates(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The requests that were made from templates."""
    made: list[Any] = []
    original = RequestTemplate.request

    def request(self: RequestTemplate, *given: Any) -> Any:
        made.append(original(self, *given))
        return made[-1]

    monkeypatch.setattr(RequestTemplate, "request", request)
    yield made
    l0.uninstrument()


@pytest.mark.parametrize(("name", "sync"), FLAVOURS, ids=IDS)
def test_requests_are_those_of_the_bare_sdk(name, sync, from_templates, caplog):
    bare = {scenario: run(scenario, name, sync) for scenario in SCENARIOS}
    assert not from_templates
    l0.instrument()
    caplog.set_level(logging.DEBUG, "l0")
    for scenario in SCENARIOS:
        before = len(from_templates)
        caplog.clear()
        assert run(scenario, name, sync) == bare[scenario], scenario.__name__
        made = len(from_templates) - before
        print(f"{scenario.__name__}: {made} of {len(bare[scenario])} requests from templates")
        if int(PACKAGES[name].__version__.partition(".")[0]) >= NEWEST[name]:
            assert made or scenario is subclass
            assert any("leaves the requests" in line for line in caplog.messages) == ((name, scenario) in LEFT)


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_templates_carry_the_trace_of_each_call(sync, from_templates):
    exporter, provider, session = InMemorySpanExporter(), TracerProvider(), Session("anthropic", sync)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    try:
        client = session.client()
        if not hasattr(client, "_open_telemetry"):
            pytest.skip("needs an anthropic that propagates traces: 2.0 or newer")
        client._open_telemetry = {**client._open_telemetry, "tracer_provider": provider, "propagation": True}
        session.call(client, times=6)
    finally:
        session.close()
    if int(anthropic.__version__.partition(".")[0]) >= NEWEST["anthropic"]:
        assert len(from_templates) == 4
    headers = [one[5][0] for one in session.sent]
    by_sdk, *others = [[line for line in lines if line[1] != b"traceparent"] for lines in headers]
    assert all(one == by_sdk for one in others)
    traces = [
        (index, value) for lines in headers for index, (_, name, value) in enumerate(lines) if name == b"traceparent"
    ]
    spans = [span.context for span in exporter.get_finished_spans()]
    place = traces[0][0]
    assert traces == [
        (place, b"00-%032x-%016x-%02x" % (span.trace_id, span.span_id, span.trace_flags)) for span in spans
    ]


def calls_of_the_module(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Call `openai.chat.completions`, whose client reads its settings from variables of the module."""
    session = Session("openai", sync=True)
    monkeypatch.setattr(openai, "_client", None)
    settings = {
        "http_client": session.http(),
        "max_retries": 0,
        "api_key": "of one tenant",
        "base_url": "http://one.invalid/v1/",
    }
    changes = {
        "api_key": "of another tenant",
        "base_url": "http://other.invalid/v1/",
        "default_headers": {"X-Tenant": "other"},
        "default_query": {"q": "1"},
        "organization": "o",
        "project": "p",
        "timeout": 3.0,
    }
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(openai, name, value)
        session.call(openai, times=4)
        for name, value in changes.items():
            patch.setattr(openai, name, value)
            session.call(openai, times=4)
        patch.setattr(openai, "_client", None)
    settings["http_client"].close()
    return session.sent


def test_settings_of_the_module_count_for_the_next_call(from_templates, monkeypatch):
    bare = calls_of_the_module(monkeypatch)
    l0.instrument()
    assert calls_of_the_module(monkeypatch) == bare
    assert from_templates == []

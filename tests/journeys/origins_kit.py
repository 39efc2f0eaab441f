"""Servers that keep every byte of a request, and clients of every class with a canary wherever a secret can stand."""

import http.server
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from aws_stubs import framed
from journeys_kit import body

_CHAT_ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
}
_MESSAGE_ANSWER = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANSWERS = {"chat": _CHAT_ANSWER, "messages": _MESSAGE_ANSWER}
CALL_HEADERS = {
    "Authorization": "Bearer canary-call-authorization",
    "Cookie": "call=canary-call-cookie",
    "api-key": "canary-call-api-key",
    "x-api-key": "canary-call-x-api-key",
    "x-goog-api-key": "canary-call-goog-key",
    "OpenAI-Organization": "canary-call-organization",
    "OpenAI-Project": "canary-call-project",
    "Idempotency-Key": "canary-call-idempotency",
    "Proxy-Authorization": "canary-call-proxy",
    "anthropic-workspace-id": "canary-call-workspace",
    "anthropic-user-profile-id": "canary-call-profile",
    "x-amz-security-token": "canary-call-amz",
    "x-custom": "canary-call-custom",
}
CALL: dict[str, Any] = {
    "extra_headers": CALL_HEADERS,
    "extra_query": {"key": "canary-call-query", "api-version": "canary-call-version"},
    "extra_body": {"extra": "content-extra-body"},
}
"""The arguments of one call."""
CHAT: dict[str, Any] = {
    "model": "content-model",
    "messages": [{"role": "user", "content": "content-message"}],
    "user": "content-user",
    "metadata": {"a": "content-metadata"},
}
MESSAGE: dict[str, Any] = {
    "model": "content-model",
    "max_tokens": 4096,
    "messages": [{"role": "user", "content": "content-message"}],
    "metadata": {"user_id": "content-user"},
}
CONTENT = {"chat": CHAT, "messages": MESSAGE}


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    content: bytes

    @property
    def text(self) -> str:
        """All of it."""
        lines = [f"{self.method} {self.target}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join([*lines, self.content.decode()])

    def header(self, name: str) -> str | None:
        """One header's value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Answer = Callable[[Got, int], tuple[int, dict[str, str], bytes | Iterator[bytes]]]
"""The answer to a request and its number, from 0. A ``content-length`` above that of the body cuts it; the length of
an iterator is not told."""


class Place:
    """A server."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Answer = whole
        self.url = ""

    @property
    def texts(self) -> str:
        """Everything that came."""
        return "\n\n".join(got.text for got in self.got)


def whole(got: Got, number: int) -> tuple[int, dict[str, str], bytes]:
    """A whole answer of the dialect that was asked for, streamed if that was asked for."""
    return answer_with(got, lambda content: content)


def answer_with(got: Got, change: Callable[[bytes], bytes]) -> tuple[int, dict[str, str], bytes]:
    """As `whole`, with the events of a stream as ``change`` leaves them."""
    asked = json.loads(got.content) if got.content else {}
    path = got.target.partition("?")[0]
    dialect = "chat" if "completions" in path else "responses" if "responses" in path else "messages"
    if path.endswith("/invoke-with-response-stream"):
        return 200, {"content-type": "application/vnd.amazon.eventstream"}, framed(change(body(dialect)))
    if asked.get("stream") or got.method == "GET":
        return 200, {"content-type": "text/event-stream"}, change(body(dialect))
    return 200, {"content-type": "application/json"}, json.dumps(ANSWERS[dialect]).encode()


def down(got: Got, number: int) -> tuple[int, dict[str, str], bytes]:
    """Out of service."""
    return 503, {"content-type": "application/json"}, b"{}"


def cut_at(mark: bytes, then: Answer = whole) -> Answer:
    """The first answer is cut right before ``mark``; those after it are as ``then`` says."""

    def answer(got: Got, number: int) -> tuple[int, dict[str, str], bytes]:
        if number:
            return then(got, number)
        status, headers, content = answer_with(got, lambda content: content[: content.index(mark)])
        return status, headers | {"content-length": str(len(content) + 1)}, content

    return answer


@contextmanager
def place() -> Iterator[Place]:
    """A running server."""
    made = Place()
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            got = Got(self.command, self.path, list(self.headers.items()), content)
            with lock:
                number = len(made.got)
                made.got.append(got)
            status, headers, answer = made.answer(got, number)
            self.send_response(status)
            length = {"content-length": str(len(answer))} if isinstance(answer, bytes) else {}
            for name, value in (length | headers).items():
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            for part in [answer] if isinstance(answer, bytes) else answer:
                self.wfile.write(part)
            self.close_connection = True

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _vertex(kind: type, url: str, secret: str, common: dict[str, Any]) -> Any:
    vertex = pytest.importorskip("openai.providers.vertex", reason="this openai has no provider of Vertex").vertex
    token_provider = _token_provider(kind, f"{secret}-provided-token")
    return kind(provider=vertex(base_url=f"{url}/{secret}-project/v1", token_provider=token_provider), **common)


def _access_token(token: str) -> Callable[..., Any]:
    """Return a function that returns an access token of anthropic's. Async clients call it in a thread."""

    def provide(*, force_refresh: bool = False) -> Any:
        from anthropic.lib.credentials import AccessToken

        return AccessToken(token)

    return provide


@dataclass(frozen=True)
class _GoogleCredentials:
    """As `google.auth.credentials.Credentials`."""

    token: str
    project_id: str
    expired: bool = False


def _token_provider(kind: type, token: str) -> Callable[[], Any]:
    """A function that returns a token, sync or async as the class of clients wants it."""

    async def provide() -> str:
        return token

    return provide if kind.__name__.startswith("Async") else lambda: token


@dataclass(frozen=True)
class Kind:
    """A class of clients. ``make``: from address, name of the secrets, and what all classes take."""

    name: str
    sdk: Any
    classes: tuple[str, str]
    make: Callable[[type, str, str, dict[str, Any]], Any]
    needs: str = ""
    """A parameter that older versions of the class lack."""
    refuses: frozenset[str] = frozenset()
    """Headers of a call, in lower case, that the class refuses, as they would replace its own credentials."""

    @property
    def dialect(self) -> str:
        return "messages" if self.sdk is anthropic else "chat"

    def client(self, url: str, secret: str, *, sync: bool, **more: Any) -> Any:
        """One with a secret in every place that the class has."""
        kind = getattr(self.sdk, self.classes[0 if sync else 1], None)
        if kind is None or (self.needs and self.needs not in inspect.signature(kind.__init__).parameters):
            pytest.skip(f"this {self.sdk.__name__} has no such client")
        transport = self.sdk.DefaultHttpxClient if sync else self.sdk.DefaultAsyncHttpxClient
        common = {
            "default_headers": {"x-default": f"{secret}-default-header", "x-tenant": f"{secret}-tenant"},
            "default_query": {"default": f"{secret}-default-query"},
            "http_client": transport(
                cookies={"session": f"{secret}-jar"}, headers={"x-http": f"{secret}-http-header"}, **more
            ),
        }
        return self.make(kind, url, secret, common)


def _userinfo(url: str, secret: str) -> str:
    return url.replace("http://", f"http://{secret}-user:{secret}-password@")


KINDS = (
    Kind(
        "openai",
        openai,
        ("OpenAI", "AsyncOpenAI"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key",
            organization=f"{secret}-organization",
            project=f"{secret}-project",
            base_url=f"{url}/{secret}-path/v1",
            **(
                {"webhook_secret": f"{secret}-webhook"}
                if "webhook_secret" in inspect.signature(kind).parameters
                else {}
            ),
            **common,
        ),
    ),
    Kind(
        "userinfo",
        openai,
        ("OpenAI", "AsyncOpenAI"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key", base_url=f"{_userinfo(url, secret)}/v1", **common
        ),
    ),
    Kind(
        "azure",
        openai,
        ("AzureOpenAI", "AsyncAzureOpenAI"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key", api_version=f"{secret}-version", azure_endpoint=url, **common
        ),
    ),
    Kind(
        "deployment",
        openai,
        ("AzureOpenAI", "AsyncAzureOpenAI"),
        lambda kind, url, secret, common: kind(
            azure_ad_token=f"{secret}-ad-token",
            api_version=f"{secret}-version",
            azure_endpoint=url,
            azure_deployment=f"{secret}-deployment",
            **common,
        ),
    ),
    Kind(
        "azure-provider",
        openai,
        ("AzureOpenAI", "AsyncAzureOpenAI"),
        lambda kind, url, secret, common: kind(
            azure_ad_token_provider=_token_provider(kind, f"{secret}-provided-token"),
            api_version=f"{secret}-version",
            azure_endpoint=url,
            **common,
        ),
    ),
    Kind(
        "bedrock",
        openai,
        ("BedrockOpenAI", "AsyncBedrockOpenAI"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key", base_url=f"{url}/v1", aws_region="eu-north-1", **common
        ),
        refuses=frozenset({"authorization"}),
    ),
    Kind(
        "bedrock-provider",
        openai,
        ("BedrockOpenAI", "AsyncBedrockOpenAI"),
        lambda kind, url, secret, common: kind(
            bedrock_token_provider=_token_provider(kind, f"{secret}-provided-token"),
            base_url=f"{url}/v1",
            aws_region="eu-north-1",
            **common,
        ),
        needs="bedrock_token_provider",
        refuses=frozenset({"authorization"}),
    ),
    Kind(
        "bedrock-signed",
        openai,
        ("BedrockOpenAI", "AsyncBedrockOpenAI"),
        lambda kind, url, secret, common: kind(
            aws_access_key_id=f"{secret}-access-key",
            aws_secret_access_key=f"{secret}-secret-key",
            aws_session_token=f"{secret}-session-token",
            aws_region="eu-north-1",
            base_url=f"{url}/v1",
            **common,
        ),
        needs="aws_secret_access_key",
        refuses=frozenset({"authorization"}),
    ),
    Kind(
        "vertex-provider",
        openai,
        ("OpenAI", "AsyncOpenAI"),
        _vertex,
        needs="provider",
        refuses=frozenset({"authorization", "api-key", "openai-organization", "openai-project"}),
    ),
    Kind(
        "anthropic",
        anthropic,
        ("Anthropic", "AsyncAnthropic"),
        lambda kind, url, secret, common: kind(api_key=f"{secret}-api-key", base_url=f"{url}/{secret}-path", **common),
    ),
    Kind(
        "token",
        anthropic,
        ("Anthropic", "AsyncAnthropic"),
        lambda kind, url, secret, common: kind(auth_token=f"{secret}-auth-token", base_url=url, **common),
    ),
    Kind(
        "access-token",
        anthropic,
        ("Anthropic", "AsyncAnthropic"),
        lambda kind, url, secret, common: kind(
            credentials=_access_token(f"{secret}-provided-token"), base_url=url, **common
        ),
        needs="credentials",
    ),
    Kind(
        "aws",
        anthropic,
        ("AnthropicBedrock", "AsyncAnthropicBedrock"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key", aws_region=f"{secret}-region", base_url=url, **common
        ),
        needs="api_key",
    ),
    Kind(
        "aws-signed",
        anthropic,
        ("AnthropicBedrock", "AsyncAnthropicBedrock"),
        lambda kind, url, secret, common: kind(
            aws_access_key=f"{secret}-access-key",
            aws_secret_key=f"{secret}-secret-key",
            aws_session_token=f"{secret}-session-token",
            aws_region=f"{secret}-region",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "vertex",
        anthropic,
        ("AnthropicVertex", "AsyncAnthropicVertex"),
        lambda kind, url, secret, common: kind(
            access_token=f"{secret}-access-token",
            region=f"{secret}-region",
            project_id=f"{secret}-project",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "vertex-credentials",
        anthropic,
        ("AnthropicVertex", "AsyncAnthropicVertex"),
        lambda kind, url, secret, common: kind(
            credentials=_GoogleCredentials(f"{secret}-access-token", f"{secret}-project"),
            region=f"{secret}-region",
            project_id=f"{secret}-project",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "google-cloud",
        anthropic,
        ("AnthropicGoogleCloud", "AsyncAnthropicGoogleCloud"),
        lambda kind, url, secret, common: kind(
            token_provider=_token_provider(kind, f"{secret}-provided-token"),
            project=f"{secret}-project",
            workspace_id=f"{secret}-workspace",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "aws-gateway",
        anthropic,
        ("AnthropicAWS", "AsyncAnthropicAWS"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key",
            workspace_id=f"{secret}-workspace",
            aws_region=f"{secret}-region",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "aws-gateway-signed",
        anthropic,
        ("AnthropicAWS", "AsyncAnthropicAWS"),
        lambda kind, url, secret, common: kind(
            aws_access_key=f"{secret}-access-key",
            aws_secret_key=f"{secret}-secret-key",
            aws_session_token=f"{secret}-session-token",
            workspace_id=f"{secret}-workspace",
            aws_region=f"{secret}-region",
            base_url=url,
            **common,
        ),
    ),
    Kind(
        "mantle",
        anthropic,
        ("AnthropicBedrockMantle", "AsyncAnthropicBedrockMantle"),
        lambda kind, url, secret, common: kind(
            api_key=f"{secret}-api-key", aws_region=f"{secret}-region", base_url=url, **common
        ),
    ),
    Kind(
        "foundry",
        anthropic,
        ("AnthropicFoundry", "AsyncAnthropicFoundry"),
        lambda kind, url, secret, common: kind(api_key=f"{secret}-api-key", base_url=f"{url}/anthropic", **common),
    ),
)
"""Every class of clients, with each way to give it a credential."""
BASES = {openai: KINDS[0], anthropic: next(kind for kind in KINDS if kind.name == "anthropic")}

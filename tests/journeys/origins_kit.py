"""Servers that keep every byte of a request, and clients of every class with a canary wherever a secret can stand."""

import http.server
import inspect
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import anthropic
import openai
import pytest
from journeys_kit import body

CHAT_ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
}
MESSAGE_ANSWER = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
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
    "max_tokens": 9,
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


Answer = Callable[[Got, int], tuple[int, dict[str, str], bytes]]
"""The answer to a request and its number, from 0. A ``content-length`` above that of the body cuts it."""


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
    asked = json.loads(got.content) if got.content else {}
    path = got.target.partition("?")[0]
    dialect = "chat" if "completions" in path else "responses" if "responses" in path else "messages"
    if asked.get("stream") or got.method == "GET":
        return 200, {"content-type": "text/event-stream"}, body(dialect)
    answer = CHAT_ANSWER if dialect == "chat" else MESSAGE_ANSWER
    return 200, {"content-type": "application/json"}, json.dumps(answer).encode()


def down(got: Got, number: int) -> tuple[int, dict[str, str], bytes]:
    """Out of service."""
    return 503, {"content-type": "application/json"}, b"{}"


def cut_at(mark: bytes, then: Answer = whole) -> Answer:
    """The first answer is cut right before ``mark``; those after it are as ``then`` says."""

    def answer(got: Got, number: int) -> tuple[int, dict[str, str], bytes]:
        status, headers, content = whole(got, number)
        if number:
            return then(got, number)
        return status, headers | {"content-length": str(len(content))}, content[: content.index(mark)]

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
            for name, value in ({"content-length": str(len(answer))} | headers).items():
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(answer)
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


class _Credentials:
    def __init__(self, access: str, secret: str, token: str) -> None:
        self.access, self.secret, self.token = access, secret, token


class _Session:
    """As `boto3.Session` and `botocore.session.Session`, with the credentials that it was given."""

    def __init__(self, **given: Any) -> None:
        self.region_name = given.get("region_name")
        self._credentials = _Credentials(*(given.get(f"aws_{part}") or "" for part in _PARTS))

    def get_credentials(self) -> _Credentials:
        return self._credentials


_PARTS = ("access_key_id", "secret_access_key", "session_token")


class _Request:
    """As `botocore.awsrequest.AWSRequest`."""

    def __init__(self, *, headers: Any, **_: Any) -> None:
        self.headers = dict(headers)

    def prepare(self) -> "_Request":
        return self


class _Signer:
    """As `botocore.auth.SigV4Auth`, with a signature that shows the secret, so that a copy of it is found."""

    def __init__(self, credentials: _Credentials, *_: Any) -> None:
        self._credentials = credentials

    def add_auth(self, request: _Request) -> None:
        given = self._credentials
        request.headers |= {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={given.access}, Signature={given.secret}",
            "X-Amz-Date": f"{given.secret}-date",
            "X-Amz-Security-Token": given.token,
        }


def stub_signing(patch: pytest.MonkeyPatch) -> None:
    """Replace botocore and boto3: only the headers of a signature count here, and the packages have 17 MB."""
    modules = {
        "boto3": {"Session": _Session},
        "botocore": {},
        "botocore.auth": {"SigV4Auth": _Signer},
        "botocore.awsrequest": {"AWSRequest": _Request},
        "botocore.credentials": {"Credentials": _Credentials},
        "botocore.session": {"Session": _Session},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        patch.setitem(sys.modules, name, module)


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

    @property
    def framed(self) -> bool:
        """Return True if its streams arrive in frames of AWS, which botocore decodes."""
        return "Bedrock" in self.classes[0] and self.sdk is anthropic

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
        "foundry",
        anthropic,
        ("AnthropicFoundry", "AsyncAnthropicFoundry"),
        lambda kind, url, secret, common: kind(api_key=f"{secret}-api-key", base_url=f"{url}/anthropic", **common),
    ),
)
"""Every class of clients, with each way to give it a credential."""
BASES = {openai: KINDS[0], anthropic: next(kind for kind in KINDS if kind.name == "anthropic")}

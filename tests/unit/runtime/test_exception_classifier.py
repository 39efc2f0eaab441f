"""One classifier: an exception of a real SDK means the same in a patched SDK and in a source of the explicit API."""

import ssl
from socket import gaierror
from types import SimpleNamespace
from typing import Any

import anthropic
import openai
import pytest
from installed import transport_of

from l0.model.failure import Cause
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_call_adapter import StainlessCallAdapter
from l0.streams.source_failures import classify

SDKS: dict[str, Any] = {"openai": openai, "anthropic": anthropic}


def call_adapter(name: str) -> StainlessCallAdapter:
    client = {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic}[name](api_key="k")
    options: Any = SimpleNamespace(idempotency_key=None)
    call: Any = SimpleNamespace(policy=SimpleNamespace(retry=None, legs=()))
    nothing: Any = None
    return StainlessCallAdapter(Sdk(name), nothing, client, options, nothing, call)


def responded(name: str, status: int, body: dict[str, Any], **headers: str) -> Exception:
    """The SDK's exception for a response."""
    transport = transport_of(SDKS[name])
    request = transport.Request("POST", "http://origin.invalid/")
    sent = {header.replace("_", "-"): value for header, value in headers.items()}
    response = transport.Response(status, json=body, headers=sent, request=request)
    client: Any = call_adapter(name).client
    error: Exception = client._make_status_error_from_response(response)
    return error


def unanswered(name: str, cause: BaseException, *, late: bool = False) -> Exception:
    """The SDK's exception for a request without an answer."""
    sdk = SDKS[name]
    request = transport_of(sdk).Request("POST", "http://origin.invalid/")
    error: Exception = (sdk.APITimeoutError if late else sdk.APIConnectionError)(request=request)
    error.__cause__ = cause
    return error


def error_body(kind: str, code: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "code": code, "message": "m"}}


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize(
    ("status", "body", "cause", "code"),
    [
        (429, error_body("insufficient_quota", "insufficient_quota"), Cause.QUOTA, "insufficient_quota"),
        (429, error_body("rate_limit_error"), Cause.RATE_LIMIT, "rate_limit_error"),
        (400, error_body("invalid_request_error", "context_length_exceeded"), Cause.CONTEXT_LENGTH, None),
        (404, error_body("invalid_request_error"), Cause.NOT_FOUND, "invalid_request_error"),
        (402, error_body("billing_error"), Cause.QUOTA, "billing_error"),
        (413, error_body("request_too_large"), Cause.BAD_REQUEST, "request_too_large"),
        (529, error_body("overloaded_error"), Cause.OVERLOADED, "overloaded_error"),
        (500, error_body("api_error"), Cause.SERVER_ERROR, "api_error"),
        (418, {}, Cause.BAD_REQUEST, None),
    ],
    ids=str,
)
def test_error_response_means_the_same(
    name: str, status: int, body: dict[str, Any], cause: Cause, code: str | None
) -> None:
    error = responded(name, status, body, x_request_id="r1", retry_after="7")
    patched, source = call_adapter(name).failed(error, opened=False), classify(error, opened=False)
    assert patched is not None
    assert source is not None
    assert (patched.cause, patched.status, patched.request_id, patched.retry_after) == (cause, status, "r1", 7.0)
    assert code is None or patched.code == code
    for field in ("cause", "status", "code", "detail", "retry_after", "sdk_retries", "request_id", "error"):
        assert getattr(patched, field) == getattr(source, field), field


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize("opened", [False, True], ids=["before headers", "inside the body"])
@pytest.mark.parametrize(
    ("kind", "unreached", "broken"),
    [
        ("ReadTimeout", Cause.NO_HEADERS, Cause.READ_TIMEOUT),
        ("ConnectError", Cause.CONNECTION, Cause.RESET),
        ("RemoteProtocolError", Cause.CONNECTION, Cause.INCOMPLETE_READ),
        ("DecodingError", Cause.CONNECTION, Cause.CORRUPT),
        ("TooManyRedirects", Cause.REDIRECTS, Cause.RESET),
        (ssl.SSLCertVerificationError, Cause.TLS_CERTIFICATE, Cause.RESET),
        (gaierror, Cause.DNS, Cause.CONNECTION),
        (ValueError, Cause.CONNECTION, Cause.CONNECTION),
    ],
    ids=str,
)
def test_transport_error_means_the_same(name: str, opened: bool, kind: Any, unreached: Cause, broken: Cause) -> None:
    inner = getattr(transport_of(SDKS[name]), kind)("x") if isinstance(kind, str) else kind("x")
    error = unanswered(name, inner, late=kind == "ReadTimeout")
    patched, source = call_adapter(name).failed(error, opened=opened), classify(error, opened=opened)
    assert patched is not None
    assert source is not None
    assert patched.cause is (broken if opened else unreached)
    if kind is not gaierror:  # a source may resolve names itself; below an SDK the transport always wraps it
        assert source.cause is patched.cause
    assert source.sdk_retries is patched.sdk_retries is True


@pytest.mark.parametrize("name", SDKS)
def test_error_inside_an_answer_means_the_same(name: str) -> None:
    sdk = SDKS[name]
    request = transport_of(sdk).Request("POST", "http://origin.invalid/")
    error = sdk.APIError("m", request, body={"type": "overloaded_error", "message": "m"})
    patched, source = call_adapter(name).failed(error, opened=True), classify(error, opened=True)
    assert patched is not None
    assert source is not None
    assert patched.cause is source.cause is Cause.OVERLOADED
    assert call_adapter(name).failed(error, opened=False) is None  # raised by a hook of the user


@pytest.mark.parametrize("error", [KeyError("mine"), TypeError("mine"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("opened", [False, True])
def test_mistake_of_the_user_is_no_failure(error: BaseException, opened: bool) -> None:
    assert call_adapter("openai").failed(error, opened=opened) is None
    assert classify(error, opened=opened) is None

"""Exceptions of HTTP libraries and cloud SDKs: their causes, and which of them are repeated."""

from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import openai
import pytest
import requests
from installed import transport_of

from l0.model.failure import Category, Cause, Failure
from l0.streams.source_failures import classify

httpx: Any = transport_of(openai)


def foreign(module: str, *names: str, **fields: Any) -> Exception:
    """Return an exception of a library that is not installed. ``names``: its class, then those that it inherits."""
    kind: type = Exception
    for name in reversed(names):
        kind = type(name, (kind,), {"__module__": module})
    error: Exception = kind("m")
    for field, value in fields.items():
        setattr(error, field, value)
    return error


def httpx_status(status: int, **headers: str) -> Exception:
    request = httpx.Request("POST", "http://origin.invalid/")
    response = httpx.Response(status, request=request, headers={n.replace("_", "-"): v for n, v in headers.items()})
    return httpx.HTTPStatusError("m", request=request, response=response)


def httpx_body(status: int, code: str) -> Exception:
    request = httpx.Request("POST", "http://origin.invalid/")
    response = httpx.Response(status, request=request, json={"error": {"code": code}})
    return httpx.HTTPStatusError("m", request=request, response=response)


def requests_status(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("m", response=response)


def aws(code: str, status: int | None, name: str = "ClientError") -> Exception:
    received = {"HTTPStatusCode": status, "HTTPHeaders": {"Retry-After": "7"}} if status is not None else {}
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": received}
    return foreign("botocore.exceptions", name, "ClientError", response=response)


def grpc(name: str) -> Exception:
    return foreign("grpc", "RpcError", code=lambda: SimpleNamespace(name=name))


def google(code: int) -> Exception:
    return foreign("google.genai.errors", "APIError", code=code, status="TEXT", response=None)


AIOHTTP = "aiohttp.client_exceptions"
BOTO = "botocore.exceptions"
REPEATED = [
    (httpx_status(503), Cause.UNAVAILABLE),
    (httpx_status(429), Cause.RATE_LIMIT),
    (httpx.ReadError("m"), Cause.CONNECTION),
    (requests_status(500), Cause.SERVER_ERROR),
    (requests.ConnectionError("m"), Cause.CONNECTION),
    (requests.ReadTimeout("m"), Cause.NO_HEADERS),
    (requests.exceptions.ChunkedEncodingError("m"), Cause.CONNECTION),
    (foreign("urllib3.exceptions", "ReadTimeoutError", "HTTPError"), Cause.NO_HEADERS),
    (foreign(AIOHTTP, "ClientResponseError", status=503, headers={}), Cause.UNAVAILABLE),
    (foreign(AIOHTTP, "ServerDisconnectedError", "ClientConnectionError"), Cause.CONNECTION),
    (foreign(AIOHTTP, "ContentTypeError", "ClientResponseError", status=200, headers={}), Cause.NOT_A_STREAM),
    (aws("ThrottlingException", 429), Cause.RATE_LIMIT),
    (aws("ModelErrorException", 424), Cause.SERVER_ERROR),
    (aws("modelStreamErrorException", None, "EventStreamError"), Cause.SERVER_ERROR),
    (foreign(BOTO, "EndpointConnectionError", "ConnectionError", "BotoCoreError"), Cause.CONNECTION),
    (foreign(BOTO, "NewError", "BotoCoreError"), Cause.SOURCE_ERROR),
    (foreign("botocore.parsers", "ResponseParserError"), Cause.MALFORMED),
    (foreign("botocore.eventstream", "ChecksumMismatch", "ParserError"), Cause.CORRUPT),
    (google(503), Cause.UNAVAILABLE),
    (google(HTTPStatus.TOO_MANY_REQUESTS), Cause.RATE_LIMIT),
    (foreign("google.api_core.exceptions", "RetryError"), Cause.NO_HEADERS),
    (grpc("UNAVAILABLE"), Cause.UNAVAILABLE),
    (grpc("RESOURCE_EXHAUSTED"), Cause.RATE_LIMIT),
]
NEVER_REPEATED = [
    (httpx_status(400), Cause.BAD_REQUEST),
    (httpx_status(401), Cause.AUTHENTICATION),
    (httpx_body(429, "insufficient_quota"), Cause.QUOTA),
    (httpx.UnsupportedProtocol("m"), Cause.BAD_REQUEST),
    (requests_status(404), Cause.NOT_FOUND),
    (requests.exceptions.MissingSchema("m"), Cause.BAD_REQUEST),
    (foreign(AIOHTTP, "ClientResponseError", status=422, headers={}), Cause.BAD_REQUEST),
    (foreign(AIOHTTP, "ClientConnectorCertificateError", "ClientConnectionError"), Cause.TLS_CERTIFICATE),
    (foreign(AIOHTTP, "TooManyRedirects", "ClientResponseError", status=302), Cause.REDIRECTS),
    (aws("ValidationException", 400), Cause.BAD_REQUEST),
    (aws("accessDeniedException", None, "EventStreamError"), Cause.AUTHENTICATION),
    (foreign(BOTO, "NoCredentialsError", "BotoCoreError"), Cause.AUTHENTICATION),
    (foreign(BOTO, "ParamValidationError", "BotoCoreError"), Cause.BAD_REQUEST),
    (google(400), Cause.BAD_REQUEST),
    (foreign("google.auth.exceptions", "DefaultCredentialsError"), Cause.AUTHENTICATION),
    (grpc("INVALID_ARGUMENT"), Cause.BAD_REQUEST),
]


def named(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__name__}" if isinstance(value, Exception) else str(value)


def failure_of(error: Exception, *, opened: bool = False) -> Failure:
    failure = classify(error, opened=opened)
    assert failure is not None
    return failure


@pytest.mark.parametrize(("error", "cause"), REPEATED, ids=named)
def test_library_error_that_is_retried(error: Exception, cause: Cause) -> None:
    failure = failure_of(error)
    assert failure.cause is cause
    assert failure.category is not Category.FATAL
    assert failure.sdk_retries or failure.status is None


@pytest.mark.parametrize(("error", "cause"), NEVER_REPEATED, ids=named)
def test_library_error_that_is_never_retried(error: Exception, cause: Cause) -> None:
    failure = failure_of(error)
    assert (failure.cause, failure.category) == (cause, Category.FATAL)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (requests.exceptions.ChunkedEncodingError("m"), Cause.INCOMPLETE_READ),
        (foreign(AIOHTTP, "ClientPayloadError"), Cause.INCOMPLETE_READ),
        (foreign(BOTO, "ReadTimeoutError", "HTTPClientError"), Cause.READ_TIMEOUT),
        (requests.ConnectionError("m"), Cause.RESET),
    ],
    ids=named,
)
def test_library_error_within_a_body(error: Exception, cause: Cause) -> None:
    assert failure_of(error, opened=True).cause is cause


def test_wait_that_a_response_asks_for_is_kept() -> None:
    failure = failure_of(httpx_status(429, retry_after="7", x_request_id="r1"))
    assert (failure.status, failure.retry_after, failure.request_id) == (429, 7.0, "r1")
    assert failure_of(aws("ThrottlingException", 429)).retry_after == 7.0


def test_library_error_is_found_below_an_exception_of_the_application() -> None:
    error = Exception("mine")
    error.__cause__ = httpx_status(401)
    failure = failure_of(error)
    assert (failure.cause, failure.status) == (Cause.AUTHENTICATION, 401)
    assert failure.error is error


@pytest.mark.parametrize("content", [b"not json", b"[" * 100_000, b""], ids=["text", "deep", "empty"])
def test_body_without_a_code_leaves_the_status(content: bytes) -> None:
    error = httpx_status(429)
    error.response._content = content  # type: ignore[attr-defined]
    assert failure_of(error).cause is Cause.RATE_LIMIT


@pytest.mark.parametrize(
    "value", [True, "429", 200, 99, None, lambda: 1 / 0], ids=["bool", "text", "200", "99", "none", "function"]
)
def test_attribute_that_is_not_a_status_is_ignored(value: object) -> None:
    assert failure_of(foreign("mine", "Error", status=value, code=value)).cause is Cause.SOURCE_ERROR

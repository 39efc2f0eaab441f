"""Classify the exceptions of HTTP libraries and of cloud SDKs that L0 does not patch.

They are recognized by package and class name, so that none of them is imported: httpx, requests, urllib3, aiohttp,
botocore (boto3), google-api-core, google-genai, google-auth and grpc.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from socket import gaierror
from typing import Any

from l0.dialects.provider_errors import cause_of_status, codes_in
from l0.model.failure import CATEGORIES, Category, Cause, Failure
from l0.model.tolerant_reading import code_of, object_of
from l0.wire.request_id import request_id_of
from l0.wire.retry_after import server_wait

from .exception_classifier import ExceptionClasses, text_of_exception, unreached
from .transport_messages import transport_message

# Pairs of causes: before the headers of the answer arrived, and after.
_LOST, _LATE = (Cause.CONNECTION, Cause.RESET), (Cause.NO_HEADERS, Cause.READ_TIMEOUT)
_CUT, _CORRUPT = (Cause.CONNECTION, Cause.INCOMPLETE_READ), (Cause.CORRUPT, Cause.CORRUPT)
_REFUSED, _UNAUTHORIZED = (Cause.BAD_REQUEST, Cause.BAD_REQUEST), (Cause.AUTHENTICATION, Cause.AUTHENTICATION)
_REDIRECTS, _CERTIFICATE = (Cause.REDIRECTS, Cause.REDIRECTS), (Cause.TLS_CERTIFICATE, Cause.TLS_CERTIFICATE)
_NO_ANSWER, _GARBLED = (Cause.NOT_A_STREAM, Cause.NOT_A_STREAM), (Cause.MALFORMED, Cause.MALFORMED)

_HTTPX = {
    **dict.fromkeys(("InvalidURL", "UnsupportedProtocol", "LocalProtocolError", "CookieConflict"), _REFUSED),
    "TooManyRedirects": _REDIRECTS,
}
_CAUSES: Mapping[str, Mapping[str, tuple[Cause, Cause]]] = {
    "httpx": _HTTPX,  # its other classes are in `LIBRARY_CLASSES`
    "httpx2": _HTTPX,
    "requests": {
        **dict.fromkeys(("Timeout", "ConnectTimeout", "ReadTimeout"), _LATE),
        **dict.fromkeys(("InvalidURL", "InvalidSchema", "MissingSchema", "InvalidHeader", "URLRequired"), _REFUSED),
        "ConnectionError": _LOST,
        "ChunkedEncodingError": _CUT,
        "ContentDecodingError": _CORRUPT,
        "TooManyRedirects": _REDIRECTS,
        "JSONDecodeError": _GARBLED,
    },
    "urllib3": {
        **dict.fromkeys(("TimeoutError", "ReadTimeoutError", "ConnectTimeoutError"), _LATE),
        **dict.fromkeys(("MaxRetryError", "NewConnectionError", "SSLError", "ProxyError"), _LOST),
        **dict.fromkeys(("ProtocolError", "IncompleteRead"), _CUT),
        **dict.fromkeys(("LocationParseError", "URLSchemeUnknown"), _REFUSED),
        "DecodeError": _CORRUPT,
    },
    "aiohttp": {
        **dict.fromkeys(("ServerTimeoutError", "ConnectionTimeoutError", "SocketTimeoutError"), _LATE),
        **dict.fromkeys(("InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError"), _REFUSED),
        "ClientConnectorCertificateError": _CERTIFICATE,
        "ClientConnectionError": _LOST,
        "ClientPayloadError": _CUT,
        "ContentTypeError": _NO_ANSWER,
        "TooManyRedirects": _REDIRECTS,
    },
    "botocore": {
        **dict.fromkeys(("ReadTimeoutError", "ConnectTimeoutError"), _LATE),
        **dict.fromkeys(("HTTPClientError", "ConnectionError", "EndpointConnectionError"), _LOST),
        **dict.fromkeys(("IncompleteReadError", "ResponseStreamingError"), _CUT),
        **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"), _UNAUTHORIZED),
        **dict.fromkeys(("SSOError", "TokenRetrievalError", "UnauthorizedSSOTokenError"), _UNAUTHORIZED),
        **dict.fromkeys(("ParamValidationError", "NoRegionError", "InvalidRegionError", "ProfileNotFound"), _REFUSED),
        **dict.fromkeys(("UnknownServiceError", "ValidationError"), _REFUSED),
        "ResponseParserError": _GARBLED,
        "ParserError": _CORRUPT,  # of the frames of event streams
    },
    "google": {
        "RetryError": _LATE,
        "TransportError": _LOST,  # of google-auth
        **dict.fromkeys(("DefaultCredentialsError", "RefreshError", "MalformedError"), _UNAUTHORIZED),
        "UnknownApiResponseError": _GARBLED,
    },
}
"""Pairs of causes by package and class. The first class in the exception's `__mro__` that is listed decides."""

LIBRARY_CLASSES = ExceptionClasses(
    status=(Exception,),
    transport=(
        *("TransportError", "TimeoutException", "DecodingError", "RemoteProtocolError", "IncompleteRead"),
        *("TooManyRedirects", "EndOfStream", ssl.SSLError, gaierror),
    ),
    connection=("APIConnectionError", TimeoutError, ConnectionError, EOFError),
    provider=("APIError",),
)
"""The classes that the table does not list, for `classify`. Several HTTP libraries and SDKs share these names."""

_AWS: Mapping[str, Cause] = {
    "throttlingexception": Cause.RATE_LIMIT,
    "toomanyrequestsexception": Cause.RATE_LIMIT,
    "servicequotaexceededexception": Cause.QUOTA,
    "serviceunavailableexception": Cause.UNAVAILABLE,
    "modelnotreadyexception": Cause.UNAVAILABLE,
    "internalserverexception": Cause.SERVER_ERROR,
    "modelstreamerrorexception": Cause.SERVER_ERROR,
    "modelerrorexception": Cause.SERVER_ERROR,
    "modeltimeoutexception": Cause.REQUEST_TIMEOUT,
    "validationexception": Cause.BAD_REQUEST,
    "accessdeniedexception": Cause.AUTHENTICATION,
    "expiredtokenexception": Cause.AUTHENTICATION,
    "unrecognizedclientexception": Cause.AUTHENTICATION,
    "resourcenotfoundexception": Cause.NOT_FOUND,
}
"""Codes of Bedrock, in lower case, because its event streams spell them differently:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html"""

_GRPC: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""HTTP statuses of gRPC's codes: https://cloud.google.com/apis/design/errors#handling_errors"""
_MAX_BODY_BYTES = 65_536
"""Bytes of an error body that are searched for the provider's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ErrorResponse:
    """The response that an exception describes. ``codes``: the provider's code and type of the error. ``cause``: set if
    the provider's code alone determines it."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[object, object] = (None, None)
    cause: Cause | None = None


def library_failure(
    error: Exception, retries_status: Callable[[int, Mapping[str, str]], bool], *, opened: bool
) -> Failure | None:
    """Return the failure for an exception of one of these libraries, or for any exception with an HTTP status;
    ``None`` for all others.

    ``retries_status``: returns True if the request should be sent again after a status with these headers. ``opened``:
    True if the headers of the answer have arrived.
    """
    response = _error_response(error)
    if response is not None:
        return _of_response(error, response, retries_status)
    cause = _library_cause(error, opened=opened)
    if cause is Cause.CONNECTION:
        cause = unreached(error, error)
    if cause is None:
        return None
    message = transport_message(cause, error)
    return Failure(cause=cause, message=message, detail=text_of_exception(error), error=error)


def _of_response(
    error: Exception, response: _ErrorResponse, retries_status: Callable[[int, Mapping[str, str]], bool]
) -> Failure:
    status, headers = response.status, response.headers
    cause = response.cause or cause_of_status(status or 500, *response.codes)
    retried = response.cause is not None or status is None or retries_status(status, headers)
    return Failure(
        cause=cause,
        detail=text_of_exception(error),
        status=status,
        code=code_of(*response.codes),
        retry_after=server_wait(headers),
        sdk_retries=retried and CATEGORIES[cause] is not Category.FATAL,
        error=error,
        request_id=request_id_of(headers),
    )


def _error_response(error: BaseException) -> _ErrorResponse | None:
    """Return the error response that an exception describes; ``None`` if it describes none.

    The status is in ``status_code``, ``status`` or ``code``, or in the exception's response.
    """
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return _of_botocore(response)
    # One after the other, until there is a status: to read the last warns in aiohttp.
    places = ((error, "status_code"), (response, "status_code"), (error, "status"), (error, "code"))
    status = next(filter(None, (_status(getattr(owner, name, None)) for owner, name in places)), None)
    if status is None:
        return None
    headers = getattr(response, "headers", None) or getattr(error, "headers", None)
    return _ErrorResponse(status=status, headers=_lower(headers), codes=_codes(response))


def _library_cause(error: BaseException, *, opened: bool) -> Cause | None:
    """Return the cause of an exception in the table; ``None`` for any other. ``opened``: the headers have arrived."""
    for base in type(error).__mro__:
        causes = _CAUSES.get(base.__module__.partition(".")[0], {}).get(base.__name__)
        if causes is not None:
            return causes[opened]
    return None


def _status(value: object) -> int | None:
    """Return an HTTP status of an error. ``value``: a number, or a function that returns a gRPC code."""
    if callable(value):
        try:
            return _GRPC.get(getattr(value(), "name", ""))
        except Exception:
            return None
    if isinstance(value, bool) or not isinstance(value, int):  # `HTTPStatus` is an int
        return None
    return int(value) if 400 <= value < 600 else None


def _of_botocore(response: Mapping[str, Any]) -> _ErrorResponse | None:
    code = object_of(response.get("Error")).get("Code")
    received = object_of(response.get("ResponseMetadata"))
    status, cause = _status(received.get("HTTPStatusCode")), _AWS.get(str(code).lower())
    if status is None and cause is None:
        return None
    return _ErrorResponse(status=status, headers=_lower(received.get("HTTPHeaders")), codes=(code, None), cause=cause)


def _lower(headers: object) -> Mapping[str, str]:
    try:
        return {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}  # type: ignore[call-overload]
    except (TypeError, ValueError):  # not headers
        return {}


def _codes(response: object) -> tuple[object, object]:
    """Return the code and the type in a JSON body that has been read already. To read it here would use the network."""
    content = getattr(response, "_content", None)
    if not isinstance(content, bytes) or len(content) > _MAX_BODY_BYTES:
        return None, None
    try:
        return codes_in(json.loads(content))
    except (ValueError, RecursionError):
        return None, None

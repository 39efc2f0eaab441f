"""The call adapter of google-genai: its requests, its errors and its retries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from l0.dialects.generate_content import GenerateContentReader
from l0.dialects.provider_errors import error_in, in_band_failure
from l0.dialects.resume_requests import resume_request
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.failure import TIMEOUT_CAUSES, Category, Cause, Failure
from l0.model.inference_request import InferenceRequest
from l0.model.ports import Build, WireReader
from l0.model.tolerant_reading import object_of, objects_in, text_of
from l0.wrapped_sdks.wrapped_call_adapter import WrappedCallAdapter

from .describe import base_url, with_model

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
"""The type of the error detail that states how long to wait:
https://cloud.google.com/apis/design/errors#error_details"""
_NO_JSON = Failure(
    cause=Cause.NOT_A_STREAM, message="the server reported success, but its body is not JSON", sdk_retries=True
)
_NO_ANSWER = Failure(
    cause=Cause.EMPTY, message="the server reported success, but its body has no candidate", sdk_retries=True
)


class GoogleCallAdapter(WrappedCallAdapter):
    """The `CallAdapter` of one call. ``module``: the SDK's `_api_client`. ``request``: the SDK's `HttpRequest` of the
    call. ``http_options``: the options that the user gave to the call. ``is_async``: the client's async transport sends
    it."""

    def __init__(
        self,
        module: Any,
        client: Any,
        request: Any,
        http_options: Any,
        inference: InferenceRequest,
        call: Call,
        *,
        is_async: bool,
    ) -> None:
        super().__init__(call, inference, base_url(client))
        self._module = module
        self._client = client
        self._request = request
        self._options = _retry_options(client, http_options)
        self._is_async = is_async

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:  # noqa: ARG002 - the SDK sends no trace
        """Return the SDK's `HttpRequest` of one attempt. Its headers are a copy, since the SDK adds credentials."""
        self.begin_attempt(attempt)
        url = self._request.url if self.model is None else with_model(self._request.url, self.model)
        body = self._request.data
        if attempt.resume_state is not None and attempt.resume is not None:
            resumed = resume_request(self.inference, body, attempt.resume, attempt.resume_state)
            body = body if resumed is None else resumed.body
        return replace(self._request, url=url, data=body, headers=dict(self._request.headers))

    def reader(self, build: Build, content_type: str) -> WireReader:
        """Return a reader of one attempt's events."""
        return GenerateContentReader(
            build,
            content_type,
            choices=self.inference.choices,
            make_error=self._in_band,
            order=self.call.policy.order,
        )

    # -- failing ------------------------------------------------------------------------------------------------

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """As `CallAdapter.failed`. Google may state how long to wait in the details of an error."""
        if type(error).__name__ == "ClientResponseError":  # aiohttp's, for HTTP that it cannot parse; no status came
            return Failure(cause=Cause.INCOMPLETE_READ, detail=str(error), error=error, sdk_retries=True)
        failure = super().failed(error, opened=opened)
        if failure is None or failure.status is None:
            return failure
        stated_wait = None if self.call.policy.retry is None else _stated_wait(getattr(error, "details", None))
        wait = stated_wait if failure.retry_after is None else failure.retry_after
        return replace(failure, retry_after=wait, code=text_of(getattr(error, "status", None)) or failure.code)

    def sdk_retries(self, error: Exception, status: int | None) -> bool:  # noqa: ARG002 - the status decides
        """As `WrappedCallAdapter.sdk_retries`. The SDK retries nothing unless its `HttpRetryOptions` are set."""
        if status is None:
            return True
        statuses = getattr(self._options, "http_status_codes", None)
        retries = self._options is not None or self.call.policy.asks_for_retries
        return retries and status in (statuses or self._module._RETRY_HTTP_STATUS_CODES)

    def backoff(self, retry: int, failure: Failure) -> float:  # noqa: ARG002
        """Return the SDK's own delay, in seconds."""
        options = self._options or self._module.HttpRetryOptions()
        return float(self._module.retry_args(options)["wait"](SimpleNamespace(attempt_number=retry)))

    def sdk_error(self, failure: Failure, message: str) -> Exception:
        """Return an `APIError` with the status of the failure, else that of the response."""
        status = failure.status or getattr(self.response, "status", 0) or 0
        body = {"error": {"code": status, "message": message, "status": failure.cause.value.upper()}}
        error: Exception = self._module.errors.APIError(status, body, getattr(self.response, "raw", None))
        error.args = (message,)
        return error

    def unwrapped(self, failure: Failure) -> tuple[type[BaseException], ...]:
        """As `WrappedCallAdapter.unwrapped`: the transport's exception, or the SDK's for an unreadable body."""
        if failure.cause in (Cause.MALFORMED, Cause.NOT_A_STREAM):
            return (self._module.errors.UnknownApiResponseError,)
        if failure.error is not None:
            return (type(failure.error),)
        return (TimeoutError,) if failure.cause in TIMEOUT_CAUSES else ()

    def _in_band(self, message: str, body: object) -> Exception:  # noqa: ARG002 - it is part of the body
        """Return the exception that the SDK raises for an error inside a stream."""
        fields = object_of(body)
        code = fields.get("code")
        status = code if type(code) is int else 0
        errors = self._module.errors
        kind = errors.ClientError if 400 <= status < 500 else errors.ServerError if status >= 500 else errors.APIError
        made: Exception = kind(status, {"error": body}, getattr(self.response, "sdk_response", None))
        return made

    # -- the user's end -----------------------------------------------------------------------------------------

    @property
    def client_closed(self) -> bool:
        """True if the user closed the client. (Over aiohttp, a closed client opens again.)

        Only the transport of the call counts: the SDK closes the sync one when the garbage collector finds that the
        user kept nothing but ``client.aio``.
        """
        if not self._is_async:
            return bool(getattr(self._client._httpx_client, "is_closed", False))
        return not self._client._use_aiohttp() and bool(getattr(self._client._async_httpx_client, "is_closed", False))

    # -- answering ----------------------------------------------------------------------------------------------

    def answer_failure(self, answer: Any) -> Failure | None:
        """As `CallAdapter.answer_failure`. ``answer``: the SDK's response to a request that is not streamed."""
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            return _NO_JSON if answer.body else _NO_ANSWER
        if not isinstance(value, dict):
            return _NO_JSON
        error = None if "candidates" in value else error_in(value)
        if error is not None:
            failure = in_band_failure(error, value, self._in_band)
            return replace(failure, sdk_retries=failure.category is not Category.FATAL)
        if not value.get("candidates") and not value.get("promptFeedback"):
            return _NO_ANSWER
        self.decoded = value
        return None


def retries_of(module: Any, client: Any, http_options: Any, *, implicit: bool) -> tuple[int, int]:
    """Return the number of retries as configured, and the SDK's default number if its options set none.

    ``implicit``: True if the SDK, without any options, retries a request once that got no answer. It does so over
    aiohttp.
    """
    default = module._RETRY_ATTEMPTS - 1
    options = _retry_options(client, http_options)
    if options is None:
        return int(implicit), default
    attempts = module._RETRY_ATTEMPTS if options.attempts is None else options.attempts  # 0 or 1: no retries
    return max(attempts - 1, 0), default


def _retry_options(client: Any, http_options: Any) -> Any:
    """Return the SDK's retry options of the call, else those of the client; ``None`` if there are none."""
    of_call = (
        http_options.get("retry_options")
        if isinstance(http_options, dict)
        else getattr(http_options, "retry_options", None)
    )
    options = of_call or client._http_options.retry_options
    return SimpleNamespace(**options) if isinstance(options, dict) else options


def _stated_wait(details: object) -> float | None:
    """Return how long to wait in seconds, as an error states it; ``None`` if it does not."""
    error = object_of(object_of(details).get("error")) or object_of(details)
    for detail in objects_in(error.get("details")):
        delay = text_of(detail.get("retryDelay"))
        if detail.get("@type") == _RETRY_INFO and delay is not None and delay.endswith("s"):
            try:
                return max(float(delay[:-1]), 0.0)
            except ValueError:
                return None
    return None

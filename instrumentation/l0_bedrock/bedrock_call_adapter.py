"""The call adapter of bedrock-runtime: its requests, its errors and its retries."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from l0.dialects.converse import ConverseReader
from l0.dialects.messages import MessagesReader
from l0.dialects.provider_errors import error_event_failure
from l0.dialects.resume_requests import resume_request
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.failure import TIMEOUT_CAUSES, Cause, Failure
from l0.model.inference_request import InferenceRequest
from l0.model.ports import Build, WireReader
from l0.wrapped_sdks.wrapped_call_adapter import WrappedCallAdapter

from .describe import INVOKE_STREAM, message_body, with_body
from .single_attempt import SingleAttempt, new_call_id

_RETRIED = frozenset({429, 500, 502, 503, 504, 509})
"""Statuses that botocore retries in one of its modes. It also retries some error codes; L0 retries the causes that they
stand for."""
_LEGACY_ATTEMPTS, _STANDARD_ATTEMPTS = 5, 3
"""botocore's default number of requests per call: in the retry mode ``legacy``, and in its other modes."""
_LONGEST_WAIT = 20.0
"""The longest delay before a retry, in seconds, as in `botocore.retries.standard`."""
_UNWRAPPED = ("botocore", "urllib3")
"""Packages whose exceptions the bare SDK raises as they are."""
_NO_ANSWER = Failure(
    cause=Cause.EMPTY, message="the service reported success, but its answer has no message", sdk_retries=True
)


class BedrockCallAdapter(WrappedCallAdapter):
    """The `CallAdapter` of one call. ``exceptions``: the module `botocore.exceptions`. ``parameters``: the arguments of
    the operation."""

    def __init__(
        self,
        exceptions: Any,
        client: Any,
        operation: str,
        parameters: Mapping[str, Any],
        inference: InferenceRequest,
        call: Call,
    ) -> None:
        super().__init__(call, inference, client.meta.endpoint_url)
        self.operation = operation
        self.read_timeout: float | None = client.meta.config.read_timeout
        """Seconds that the client waits for each read; ``None`` without a limit."""
        self._exceptions = exceptions
        self._client = client
        self._parameters = parameters
        self._call_id = new_call_id()
        self._attempts = 0

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - an operation takes none
        """Return the request options of one attempt: here the parameters of the operation."""
        self.begin_attempt(attempt)
        self._attempts += 1
        parameters = dict(self._parameters)
        if attempt.resume_state is not None and attempt.resume is not None and self.operation == INVOKE_STREAM:
            body = message_body(parameters) or {}
            resumed = resume_request(self.inference, body, attempt.resume, attempt.resume_state)
            if resumed is not None and resumed.body is not None:
                parameters = with_body(parameters, resumed.body)
        return parameters if self.model is None else {**parameters, "modelId": self.model}

    def attempt(self, seconds: float | None) -> SingleAttempt:
        """Return the attempt to send. ``seconds``: the limit for its headers; ``None`` for no limit."""
        shorter = seconds is not None and (self.read_timeout is None or seconds < self.read_timeout)
        return SingleAttempt(
            endpoint=self._client._endpoint,
            number=self._attempts,
            read_timeout=seconds if shorter else None,
            call_id=self._call_id,
        )

    def reader(self, build: Build, content_type: str) -> WireReader:
        """Return a reader of one attempt's events."""
        order = self.call.policy.order
        if self.operation == INVOKE_STREAM:
            return MessagesReader(build, content_type, names=None, typed=True, refuse=self._refuse, order=order)
        return ConverseReader(build, content_type, order=order)

    # -- failing ------------------------------------------------------------------------------------------------

    def sdk_retries(self, error: Exception, status: int | None) -> bool:  # noqa: ARG002 - the status decides
        """Return True if one of botocore's retry modes sends the request again."""
        return status is None or status in _RETRIED

    def backoff(self, retry: int, failure: Failure) -> float:
        """Return the delay of the client's retry mode in botocore 1.44, in seconds."""
        legacy = (self._client.meta.config.retries or {}).get("mode") == "legacy"
        # The scales of `botocore.retries.standard`. Older versions always wait as long as after throttling.
        scale = 1.0 if legacy or failure.cause is Cause.RATE_LIMIT else 0.05
        return random.random() * min(scale * 2.0 ** (retry - 1), _LONGEST_WAIT)

    def exception_in(self, message: Any) -> Failure:
        """Return the failure for a message of the stream that states an exception."""
        parsed, operation = self.response.exception_in(message)
        error = self._exceptions.EventStreamError(parsed, operation)
        return self.failed(error, opened=True) or Failure(cause=Cause.IN_BAND_ERROR, detail=str(error), error=error)

    def sdk_error(self, failure: Failure, message: str) -> Exception:
        """Return botocore's exception: the one that the service stated, else one for a timeout or a broken stream."""
        exceptions, error = self._exceptions, failure.error
        made: Exception
        if isinstance(error, Exception) and isinstance(error, (exceptions.ClientError, exceptions.BotoCoreError)):
            made = error
        elif failure.cause in TIMEOUT_CAUSES:
            made = exceptions.ReadTimeoutError(endpoint_url=self.base_url, error=message)
            made.args = (message,)
        else:
            made = exceptions.ResponseStreamingError(error=message)
            made.args = (message,)
        return made

    def unwrapped(self, failure: Failure) -> tuple[type[BaseException], ...]:
        """As `WrappedCallAdapter.unwrapped`: urllib3's exception, botocore's for a damaged frame, or the exception for
        an event that is not UTF-8."""
        error = failure.error
        raised_as_is = type(error).__module__.startswith(_UNWRAPPED) or isinstance(error, UnicodeDecodeError)
        return (type(error),) if error is not None and raised_as_is else ()

    def _refuse(self, data: bytes) -> Failure:
        return error_event_failure(data, self._in_band, "an error without data")

    def _in_band(self, message: str, body: object) -> Exception:  # noqa: ARG002 - it is part of the message
        """Return the exception for an error event of the model's own API, for which botocore itself raises nothing."""
        error = {"Error": {"Code": "modelStreamErrorException", "Message": message}}
        made: Exception = self._exceptions.EventStreamError(error, self.operation)
        return made

    # -- the user's end -----------------------------------------------------------------------------------------

    @property
    def client_closed(self) -> bool:
        """False: a client of botocore opens new connections after it was closed."""
        return False

    # -- answering ----------------------------------------------------------------------------------------------

    def answer_failure(self, answer: Any) -> Failure | None:
        """As `CallAdapter.answer_failure`. ``answer``: botocore's response to a request that is not streamed."""
        return None if answer.get("output") else _NO_ANSWER


def retries_of(client: Any) -> tuple[int, int]:
    """Return how often the client retries a request, and how often it does by default."""
    retries = client.meta.config.retries or {}
    default = _LEGACY_ATTEMPTS if retries.get("mode") == "legacy" else _STANDARD_ATTEMPTS
    total = retries.get("total_max_attempts")
    return max((default if total is None else total) - 1, 0), default - 1

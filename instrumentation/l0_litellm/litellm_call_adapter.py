"""The call adapter of litellm: its requests, its errors and its retries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from l0.dialects.chat import ChatReader
from l0.dialects.messages import MessagesReader
from l0.dialects.provider_errors import answer_error, codes_in, error_event_failure, in_band_failure
from l0.dialects.responses import ResponsesReader
from l0.dialects.resume_requests import resume_request, server_can_replay
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, RetrySafety
from l0.model.failure import TIMEOUT_CAUSES, Category, Cause, Failure
from l0.model.inference_request import InferenceRequest
from l0.model.policy import ResumeMode
from l0.model.ports import Build, WireReader
from l0.model.resume_state import ResumeState
from l0.stainless.openai_requests import has_effect_once_created
from l0.wrapped_sdks.wrapped_call_adapter import WrappedCallAdapter

from .describe import with_body

_NO_JSON = Failure(
    cause=Cause.NOT_A_STREAM, message="the server reported success, but its body is not JSON", sdk_retries=True
)


class LitellmCallAdapter(WrappedCallAdapter):
    """The `CallAdapter` of one call. ``module``: litellm's module `http_handler`. ``handler``: litellm's object that
    sends the requests. ``arguments``: the arguments of its ``post``, by name."""

    def __init__(
        self, module: Any, handler: Any, arguments: Mapping[str, Any], inference: InferenceRequest, call: Call
    ) -> None:
        super().__init__(call, inference, str(arguments["url"]))
        self._module = module
        self._handler = handler
        self._arguments = arguments

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - sends no trace
        """Return the arguments of ``post`` for one attempt."""
        self.begin_attempt(attempt)
        body = self.inference.body
        if attempt.resume_state is not None and attempt.resume is not None:
            resumed = resume_request(self.inference, body, attempt.resume, attempt.resume_state)
            body = body if resumed is None or resumed.body is None else resumed.body
        if self.model is not None:
            body = {**body, "model": self.model}
        return dict(self._arguments) if body is self.inference.body else with_body(self._arguments, body)

    def timeout_of(self, arguments: Mapping[str, Any]) -> Any:
        """Return the limits of a request, as httpx's `Timeout`."""
        timeout = arguments.get("timeout")
        if timeout is None:
            timeout = self._handler.client.timeout
        return self._module.httpx.Timeout(timeout)

    def limited(self, timeout: Any, seconds: float) -> Any:
        """Return the limits of ``timeout``, each lowered to ``seconds`` if it is longer."""
        phases = ((name, getattr(timeout, name)) for name in ("connect", "read", "write", "pool"))
        return self._module.httpx.Timeout(
            **{name: seconds if limit is None else min(limit, seconds) for name, limit in phases}
        )

    def reader(self, build: Build, content_type: str) -> WireReader:
        """Return a reader of one attempt's events."""
        inference, order = self.inference, self.call.policy.order
        if inference.dialect == "messages":
            return MessagesReader(build, content_type, names=None, typed=True, refuse=self._refuse, order=order)
        if inference.dialect == "responses":
            kept = inference.retry_safety is RetrySafety.UNTIL_EFFECT and has_effect_once_created(inference.body)
            return ResponsesReader(build, content_type, kept=kept, replays=False, make_error=self._in_band, order=order)
        return ChatReader(
            build,
            content_type,
            choices=inference.choices,
            wraps=frozenset(),
            make_error=self._in_band,
            order=order,
        )

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """As `CallAdapter.resumes`. A background response would be read again by another method than ``post``."""
        return not server_can_replay(self.inference) and super().resumes(strategy, resume_state)

    # -- failing ------------------------------------------------------------------------------------------------

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """As `CallAdapter.failed`. For a timeout, litellm raises its own exception in place of the transport's."""
        if type(error) is self._module.httpx.RequestError:  # of litellm, for what aiohttp cannot parse; no status came
            return Failure(cause=Cause.INCOMPLETE_READ, detail=str(error), error=error, sdk_retries=True)
        replaced = error.__context__
        is_timeout = isinstance(replaced, self._module.httpx.TimeoutException)
        if replaced is not None and is_timeout and isinstance(error, self._module.litellm.Timeout):
            failure = super().failed(replaced, opened=opened)
            return None if failure is None else replace(failure, error=error)
        return super().failed(error, opened=opened)

    def sdk_retries(self, error: Exception, status: int | None) -> bool:  # noqa: ARG002 - the status decides
        """As `WrappedCallAdapter.sdk_retries`, by litellm's rule. (A retry of litellm itself is a separate call.)"""
        return status is None or bool(self._module.litellm._should_retry(status))

    def backoff(self, retry: int, failure: Failure) -> float:  # noqa: ARG002
        """Return litellm's own delay, in seconds."""
        limit = self.call.retry_limit
        return float(self._module.litellm.utils._calculate_retry_after(max(limit - retry, 0), limit))

    def sdk_error(self, failure: Failure, message: str) -> Exception:
        """Return the exception that litellm makes of the failure. litellm passes it to the user unchanged."""
        model, provider, litellm, error = self.call.model, self.call.provider, self._module.litellm, failure.error
        if failure.cause in TIMEOUT_CAUSES:
            made: Exception = litellm.Timeout(message=message, model=model, llm_provider=provider)
        elif error is not None and type(error).__module__.startswith("litellm."):
            made = self._mapped(error)
        else:
            made = litellm.APIConnectionError(message=message, model=model, llm_provider=provider)
        made.message = message  # type: ignore[attr-defined]  # of each of these classes
        made.args = (message,)
        return made

    def _mapped(self, error: BaseException) -> Exception:
        """Return what litellm's own mapping of exceptions returns or raises for this one."""
        try:
            found: Exception = self._module.litellm.exception_type(
                model=self.call.model, original_exception=error, custom_llm_provider=self.call.provider
            )
        except Exception as raised:
            return raised
        return found

    def unwrapped(self, failure: Failure) -> tuple[type[BaseException], ...]:
        """As `WrappedCallAdapter.unwrapped`. Streams of Responses raise the transport's exception, or wrap it for the
        router of litellm. Other streams raise litellm's own exception instead."""
        transport = self._module.httpx
        if self.call.dialect != "responses" or failure.cause in TIMEOUT_CAUSES:
            return ()
        error = failure.error
        if error is not None and isinstance(error, transport.TransportError):
            return (type(error),)
        return (transport.RemoteProtocolError,)

    def _in_band(self, message: str, body: object) -> Exception:
        """Return what litellm raises for an error inside a stream, before it maps that to a public class."""
        status = next((code for code in codes_in(body) if type(code) is int and 400 <= code < 600), 500)
        kind = import_module("litellm.llms.base_llm.chat.transformation").BaseLLMException
        made: Exception = kind(status_code=status, message=message)
        return made

    def _refuse(self, data: bytes) -> Failure:
        return error_event_failure(data, self._in_band, "an error without data")

    # -- the user's end -----------------------------------------------------------------------------------------

    @property
    def client_closed(self) -> bool:
        """True if the user closed the client. (Newer versions of litellm replace a closed client.)"""
        return bool(getattr(self._handler.client, "is_closed", False))

    # -- answering ----------------------------------------------------------------------------------------------

    def answer_failure(self, answer: Any) -> Failure | None:
        """As `CallAdapter.answer_failure`. ``answer``: the response to a request that is not streamed."""
        try:
            value = json.loads(answer.content)
        except (ValueError, RecursionError):
            return _NO_JSON
        if not isinstance(value, dict):
            return _NO_JSON
        error = answer_error(value)
        if error is not None:
            failure = in_band_failure(error, value, self._in_band)
            return replace(failure, sdk_retries=failure.category is not Category.FATAL)
        self.decoded = value
        return None

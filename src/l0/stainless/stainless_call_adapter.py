"""Implement the engine's `CallAdapter` port for SDKs that Stainless generates. `Provider` adds the provider's part."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from json import JSONDecodeError, loads
from typing import Any, Protocol, cast

from l0.config import CONFIG
from l0.dialects.answer_fold import complete_answer
from l0.dialects.dialect_catalogue import DIALECTS
from l0.dialects.provider_errors import answer_error, in_band_failure
from l0.dialects.resume_requests import can_resume, resume_request
from l0.fastpath.event_template import EventTemplates, event_templates
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.call_events import ResponseMetadata, ToolCalls
from l0.model.error_context import ErrorContext
from l0.model.failure import TIMEOUT_CAUSES, UNANSWERED_CAUSES, Category, Cause, Failure
from l0.model.inference_request import InferenceRequest
from l0.model.policy import OrderMode, ResumeMode
from l0.model.ports import Build, WireReader
from l0.model.resume_state import ResumeState
from l0.model.rule import LIMIT_REASONS
from l0.model.tolerant_reading import log_unread
from l0.runtime.exception_classifier import ExceptionClasses, RetryRules, classify, response_in, transport_error
from l0.runtime.exception_links import is_a
from l0.shared_state.terminal_event_sources import StreamSource
from l0.wire.request_id import request_id_of
from l0.wire.retry_after import requested_wait, server_wait

from .addresses import address_of
from .interruptions import interruption, read_of_closed, request_of_closed
from .request_content import CAST_HEADER, RAW_HEADER, keep_content, replace_model
from .sdk import Sdk, StreamLoop
from .unenforced_limit import UnenforcedLimit

_COUNT_HEADER = "x-stainless-retry-count"
"""A header of the SDKs: the number of retries before this request."""
_KEY_HEADER = "idempotency-key"
"""The header in which servers expect an idempotency key, if the SDK names no other."""
_OPENS, _CLOSES = (b"{", b"["), (b"}", b"]")
_NO_JSON = Failure(
    cause=Cause.NOT_A_STREAM, message="the server reported success, but its body is not JSON", sdk_retries=True
)
_FALLBACK_CLOSED = "the client of the fallback is closed"
_PARSER_ERRORS = ("ValidationError", "LengthFinishReasonError", "ContentFilterFinishReasonError")
"""The exceptions with which ``parse()`` refuses a complete answer: pydantic's, or one of the SDK."""
_REFUSED = "parse: the SDK's parser refused the answer"
"""The message for such an answer if the policy repeats it."""
_MISFIT = "parse: the SDK's parser refused the complete answer, because it does not fit the type"
_FILTERED = "parse: a content filter ended the answer, so the SDK's parser refused it"
_REFUSED_AT_LIMIT = "parse: the answer reached the length limit, so the SDK's parser refused it; a retry would not help"
"""The message for such an answer that its length limit cut. It is not retried, because the limit stays the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderContext:
    """The inputs from which a provider creates the reader of one attempt.

    ``build``: builds the SDK's object for an event. ``response``, ``request``: those of the transport. ``client``: the
    SDK's client that sent the request.
    """

    inference: InferenceRequest
    loop: StreamLoop
    build: Build
    response: Any
    request: Any
    client: Any
    order: OrderMode


class Provider(Protocol):
    """The part of a call adapter that each provider's package implements."""

    shared_headers: frozenset[str]
    """Lower-case names of headers that change the meaning of a request: a fallback's client sends them as well."""

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        """Return the inference call that a request makes; ``None`` for others, which pass through unchanged."""

    def reader(self, reading: ReaderContext) -> WireReader:
        """Return a reader of one attempt's events."""
        ...

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """Apply the provider's final changes to the options of an attempt."""


class StainlessCallAdapter:
    """The `CallAdapter` of one call: its options, its client and its current request."""

    def __init__(
        self, sdk: Sdk, provider: Provider, client: Any, options: Any, inference: InferenceRequest, call: Call
    ) -> None:
        self.sdk = sdk
        self.provider = provider
        self.client = client
        self._primary = client
        self._fallback_model: str | None = None
        self.inference = inference
        self.request: Any = None
        self.decoded: Mapping[str, Any] | None = None
        """The JSON of the complete answer to the current request, once the SDK has decoded it."""
        self.response: Any = None
        """The transport's response to the current request, if its JSON was decoded and the call is recorded."""
        self.call = call
        self.propagated: frozenset[str] = frozenset()
        """The names of headers with which the current request propagates a trace."""
        self.cast_to: Any = None
        """The type that the caller requested for a complete answer."""
        self.unenforced_limit: UnenforcedLimit | None = None
        """Set only for a call with deadlines; used if the call is sync."""
        self._options = options
        self._prepared: tuple[Any, Any, Any] | None = None
        """The body, the query and the further fields of the body that the SDK prepared for the first attempt."""
        self._keys: dict[int, str] = {} if options.idempotency_key is None else {0: options.idempotency_key}
        """The idempotency key of each leg. A key is valid on one server, and identifies one body."""
        # Middleware receives the number of each attempt, and may request a retry: then the SDK's own loop stays active.
        self.loops = bool(getattr(client, "_middleware", None)) and call.policy.retry is None and not call.policy.legs

    # -- sending ------------------------------------------------------------------------------------------------

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:
        """Return a copy for one attempt: SDK retries off, correct retry counts, one idempotency key per body."""
        client, changed = self._on_leg(attempt.leg) if attempt.leg else (self.client, None)
        resends = attempt.number - 1
        self.decoded = self.response = None
        options = self._options.model_copy()
        if self._prepared is not None:
            options.json_data, options.params, options.extra_json = self._prepared
        if client is not self._primary:
            keep_content(options, self.provider.shared_headers)
        options.max_retries = max(self.call.retry_limit - resends, 0) if self.loops else 0
        if changed is not None:
            replace_model(options, changed)
        body = options.json_data
        if attempt.resume_state is not None and attempt.resume is not None:
            self._resume(options, attempt.resume, attempt.resume_state)
        if attempt.leg not in self._keys and getattr(client, "_idempotency_header", None):
            self._keys[attempt.leg] = client._idempotency_key()
        same_body = not attempt.hedge and options.json_data is body
        options.idempotency_key = self._keys.get(attempt.leg) if same_body else None
        if attempt.leg or not same_body:
            _drop_idempotency_keys(options, client)
        own = dict(options.headers) if isinstance(options.headers, Mapping) else {}
        if resends and _COUNT_HEADER not in {name.lower() for name in own}:
            own[_COUNT_HEADER] = str(resends)
            options.headers = own
        parser = getattr(options, "post_parser", None)
        if callable(parser) and RAW_HEADER not in {name.lower() for name in own}:  # the user parses a raw response
            options.post_parser = partial(self._parsed, parser)
        self.provider.prepare(client, options, headers)
        if isinstance(options.headers, Mapping):
            self.propagated = frozenset([name for name in options.headers if name not in own])
        return options

    def keep_prepared(self, options: Any) -> None:
        """Send what the SDK prepared for the first attempt in all further ones.

        The user's own data may hold iterators and files, which can be read only once, and may change meanwhile.
        """
        if self._prepared is None:
            self._prepared = options.json_data, options.params, options.extra_json

    def _parsed(self, parser: Callable[[Any], Any], answer: Any) -> Any:
        """Return the answer as the SDK's ``parser`` does; unparsed if it is a failure, at which the parser would fail
        with an error of its own code."""
        return parser(answer) if self.answer_failure(answer) is None else answer

    @property
    def base_url(self) -> object:
        """Return the base URL of the client that sends the latest attempt."""
        return self.client.base_url

    def _resume(self, options: Any, strategy: ResumeMode, resume_state: ResumeState) -> None:
        """Change the options to those of a request that resumes an answer."""
        request = resume_request(self.inference, options.json_data, strategy, resume_state)
        if request is None:
            return
        options.json_data = request.body
        if request.replayed_from is not None:
            options.method = "get"
            options.url = f"{options.url}/{request.replayed_from}"
            options.params = {**(options.params or {}), **request.params}
            options.extra_json = None

    def _on_leg(self, leg: int) -> tuple[Any, str | None]:
        """Use the client of a fallback. Return it, and its model if it differs from the primary's; else ``None``."""
        fallback = self.call.policy.legs[leg - 1]
        self.client = fallback.client if fallback.client is not None else self._primary
        self._fallback_model = fallback.model
        return self.client, fallback.model

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """Return True if the provider can resume the answer. A stream cannot announce a "restart" to its user."""
        return strategy != "restart" and can_resume(self.inference, strategy, resume_state)

    @property
    def response_type(self) -> type:
        """Return the transport's response class. The SDK returns a response of this type unparsed."""
        if self.request is not None:
            for module in self.sdk.transports:
                if isinstance(self.request, module.Request):
                    kind: type = module.Response
                    return kind
        found: type = self.sdk.transport.Response
        return found

    def request_of(self, response: Any) -> Any:
        """Return the request of a response. A response that a middleware created has none, so a new one is made."""
        request = getattr(response, "_request", None)
        return request if request is not None else self.sdk.transport.Request("POST", str(self.client.base_url))

    def without_wrapper_headers(self, options: Any) -> Any:
        """Remove the headers that request a wrapper of the answer, so that the SDK returns the transport's response."""
        if isinstance(options.headers, Mapping):
            hidden = (RAW_HEADER, CAST_HEADER)
            options.headers = {name: value for name, value in options.headers.items() if name.lower() not in hidden}
        return options

    # -- failing ------------------------------------------------------------------------------------------------

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """Classify by type, status, code and cause; ``None`` if the error is not a failure of the request."""
        if (
            not opened
            and self.client is not self._primary
            and isinstance(error, RuntimeError)
            and _is_closed(self.client)
        ):
            return Failure(cause=Cause.CONNECTION, category=Category.FATAL, message=_FALLBACK_CLOSED, error=error)
        if self.decoded is not None and is_a(error, _PARSER_ERRORS):
            return self._refused_by_parser(error)
        transport = self._transport_error(error)
        response = None if opened else response_in(error, self._response_classes)
        if response is not None and self._is_answer(response):  # its body was being read or parsed
            classes = self._classes(opened=True, parsing=True)
            failure = classify(error, classes, self._rules, opened=True)
            return None if failure is None else replace(failure, request_id=request_id_of(response.headers))
        if opened and transport is not None and getattr(transport, "_request", self) is None:
            transport._request = self.request  # as the transport does when it reads the body itself
        return classify(error, self._classes(opened=opened), self._rules, opened=opened)

    def _refused_by_parser(self, error: BaseException) -> Failure:
        """Return the failure of a complete answer that ``parse()`` refused. Without a policy that judges whole answers,
        the refusal is only the user's to handle."""
        metadata, _, _ = self.complete_answer(self.decoded)
        judged = self.call.policy.retries_refused_answers
        repeated = judged and is_a(error, ("ValidationError",))
        message = _REFUSED if repeated else _MISFIT
        if is_a(error, ("ContentFilterFinishReasonError",)) or _is_filtered(self.decoded):
            repeated, message = False, _FILTERED
        elif metadata is not None and metadata.finish_reason in LIMIT_REASONS:
            repeated, message = False, _REFUSED_AT_LIMIT
        return Failure(
            cause=Cause.GUARDRAIL_VIOLATION if judged else Cause.LOCAL,
            category=None if repeated else Category.FATAL,
            message=message,
            code="parse",
            error=error,
        )

    def _is_answer(self, response: Any) -> bool:
        """Return True if a response comes from the client's server; False for one of a key server, for example, that
        the user's own code asked."""
        first = response.history[0] if response.history else response  # before redirects
        request = getattr(first, "_request", None)
        return request is None or request.url.host == self.client.base_url.host

    @property
    def _response_classes(self) -> tuple[type, ...]:
        return tuple(module.Response for module in self.sdk.transports)

    @property
    def _rules(self) -> RetryRules:
        """Return the conditions under which the bare SDK sends a request again."""
        wait = requested_wait if self.call.policy.retry is None else server_wait
        return RetryRules(retries=self._retries, wait=wait)

    def _classes(self, *, opened: bool, parsing: bool = False) -> ExceptionClasses:
        """Return the exception classes of the SDK and of its transports. ``parsing``: the SDK parsed an answer."""
        package = self.sdk.package
        transport = [
            kind
            for module in self.sdk.transports
            for kind in (module.TransportError, module.TooManyRedirects, module.DecodingError)
        ]
        malformed: tuple[type[Exception], ...] = ()  # before an answer, only the user's own code parses anything
        if parsing:
            malformed = (ValueError, RecursionError)  # also for a huge integer, and for deep JSON
        elif opened:
            malformed = (JSONDecodeError, UnicodeDecodeError)
        return ExceptionClasses(
            status=(package.APIStatusError,),
            malformed=(package.APIResponseValidationError, *malformed),
            transport=(*transport, ssl.SSLError, "EndOfStream"),  # below the transport: TLS, anyio
            connection=(package.APIConnectionError,),
            provider=(package.APIError if opened else package.APIStatusError,),
        )

    def _retries(self, error: Exception, response: Any) -> bool:
        """Return True if the bare SDK would send the request again."""
        if self.loops:
            return False
        if response is not None:
            return bool(self.client._should_retry(response))
        decide = getattr(self.client, "_should_retry_exception", None)
        return bool(decide(error)[0]) if decide is not None else True

    def _transport_error(self, error: BaseException) -> Any:
        """Return the transport's error in the chain of causes, if there is one."""
        return transport_error(error, self._classes(opened=True))

    # -- stopped by the user -------------------------------------------------------------------------------------

    @property
    def client_closed(self) -> bool:
        """Return True if the user closed the client that makes the call. That of a fallback is not the user's stop."""
        return _is_closed(self._primary)

    def stopped(self, error: BaseException | None) -> BaseException:
        """As `CallAdapter.stopped`. A failed read raises as in the SDK's own loop.

        Before the headers, if the SDK would send again, it raises as a request through a closed client does.
        """
        if error is not None and (not isinstance(error, Exception) or self._transport_error(error) is None):
            return error
        if self.request is None:
            return request_of_closed(
                self.sdk, self.request_of(None), error, retries=self.call.retry_limit > 0 and self.client_closed
            )
        return read_of_closed(self.sdk, self.request, error)

    # -- answering ----------------------------------------------------------------------------------------------

    def answer_failure(self, answer: Any) -> Failure | None:
        """As `CallAdapter.answer_failure`. The SDKs return a successful body that is not JSON as a string, and one that
        is an error as an empty answer."""
        if isinstance(answer, str) and self.cast_to is not str:
            return _NO_JSON
        try:
            return _raw_failure(self._response_behind(answer)) or self._stated_failure(answer)
        except Exception:
            log_unread("a whole answer")
            return None

    def _stated_failure(self, answer: Any) -> Failure | None:
        """Return the failure that the body of a complete answer describes. A raw body is parsed only if it may be an
        error."""
        if self.decoded is None and b"error" not in (self._body_of(answer) or b""):
            return None
        value = self._json(answer)
        error = answer_error(value) if value is not None else None
        if value is None or error is None:
            return None
        package, request = self.sdk.package, self.request_of(self._response_behind(answer))

        def make_error(message: str, body: object) -> Exception:
            made: Exception = package.APIError(message, request=request, body=body)
            return made

        failure = in_band_failure(error, value, make_error)
        return replace(failure, sdk_retries=failure.category is not Category.FATAL)

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        """As `CallAdapter.complete_answer`. Never raises: metadata that cannot be read is omitted."""
        try:
            value = self._json(answer)
            if value is None:
                return None, "", ()
            answered = complete_answer(DIALECTS[self.inference.dialect], value)
            return answered.metadata, answered.text, answered.calls
        except Exception:
            log_unread("a whole answer")
            return None, "", ()

    def _json(self, answer: Any) -> Mapping[str, Any] | None:
        """Return the JSON of an answer: as given, as the SDK decoded it, or of a body that the SDK left undecoded."""
        if isinstance(answer, dict):
            return answer
        body = self._body_of(answer) if self.decoded is None else None
        if body is None:
            return self.decoded
        try:
            value = loads(body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def _body_of(self, answer: Any) -> bytes | None:
        """Return the body of an answer that the caller requested as a response or as text; ``None`` for others."""
        if isinstance(answer, str):
            return answer.encode()
        if isinstance(answer, bytes):
            return answer
        response = self._response_behind(answer)
        return response.content if response is not None and response.is_stream_consumed else None

    def _response_behind(self, answer: Any) -> Any:
        """Return the transport's response if the answer is one, or the SDK's wrapper of one; else ``None``."""
        return answer if isinstance(answer, self._response_classes) else getattr(answer, "http_response", None)

    def completed(self) -> None:
        """Record that the source of the answer sends terminal events: its next stream without one is a failure."""
        call, source = self.call, address_of(self.client.base_url).source
        CONFIG.shared_state.terminal_event_sources.add(
            StreamSource(source, call.dialect, self._fallback_model or call.model)
        )

    def backoff(self, retry: int, failure: Failure) -> float:
        """Return the SDK's own delay, in seconds."""
        options = self._options
        response = getattr(failure.error, "response", None)
        remaining = options.get_max_retries(self.client.max_retries) - retry + 1  # the SDK subtracts it again
        return float(
            self.client._calculate_retry_timeout(remaining, options, response.headers if response is not None else None)
        )

    def exception(self, failure: Failure, context: ErrorContext) -> BaseException:
        """Return the SDK's own exception for a request without an answer. For a broken answer, return an exception that
        is a `StreamInterrupted` and of every class that the bare SDK raises there."""
        error = failure.error
        if error is not None and failure.code == "parse":  # pydantic's class allows no subclasses
            return context.annotate(error)
        answered = failure.status is None and failure.cause not in UNANSWERED_CAUSES
        if self.request is not None or answered:  # the user holds a stream, or the headers of an answer arrived
            return self._interrupted(failure, context)
        return self._refused(failure, context) if error is None else context.annotate(error)

    def _refused(self, failure: Failure, context: ErrorContext) -> BaseException:
        """Return the exception for a failure before the headers that is unknown to the SDK."""
        request = self.request_of(None)
        package = self.sdk.package
        if failure.cause not in TIMEOUT_CAUSES:
            message = f"{failure}; {context.ending}."
            return cast(BaseException, package.APIConnectionError(message=message, request=request))
        late = package.APITimeoutError(request=request)
        late.message = f"Request timed out: {failure.message}; {context.ending}."
        late.args = (late.message,)
        return cast(BaseException, late)

    def _interrupted(self, failure: Failure, context: ErrorContext) -> BaseException:
        package, error = self.sdk.package, failure.error
        kinds, fields = self._leaked(failure), context.fields(failure)
        if error and isinstance(error, package.APIError) and not isinstance(error, package.APIConnectionError):
            own = interruption(error, *kinds, **fields)
            own.__cause__ = error.__cause__
            return context.annotate(own)
        late = failure.cause in TIMEOUT_CAUSES
        request = self.request or self.request_of(None)
        sample = (package.APITimeoutError if late else package.APIConnectionError)(request=request)
        sample.message = context.describe(failure)
        sample.args = (sample.message,)
        raised = interruption(sample, *kinds, original=error if type(error) in kinds else None, **fields)
        raised.__cause__ = error.__cause__ if error and isinstance(error, package.APIError) else error
        return raised

    def _leaked(self, failure: Failure) -> tuple[type[BaseException], ...]:
        """Return the classes of what the bare SDK raises for a failure, if that is not one of its own exceptions."""
        error, loop = failure.error, self.sdk.loop
        if failure.typed:
            return (RuntimeError,)  # the SDK's helper raises it if the final answer is requested
        wraps = loop is None or not loop.leaks
        if error is not None:
            wrapped = isinstance(error, self.sdk.package.APIError) or (
                wraps and self.request is not None and self._transport_error(error) is error
            )
            return () if wrapped else (type(error),)
        if wraps or self.request is None:
            return ()
        transport = self.sdk.transport
        return (transport.ReadTimeout if failure.cause in TIMEOUT_CAUSES else transport.RemoteProtocolError,)

    def builder(self, cast_to: Any, response: Any) -> Callable[[Any], Any]:
        """Return the function that builds an event's object: compiled for speed if possible, else the SDK's own."""
        client = self.client
        fast = None if client._strict_response_validation else compiled(self.sdk, cast_to)
        if fast is not None:
            return fast
        process = client._process_response_data
        return lambda data: process(data=data, cast_to=cast_to, response=response)

    def templates(self, cast_to: Any) -> EventTemplates | None:
        """Return the templates for events of a type; ``None`` if the SDK builds them."""
        fast = None if self.client._strict_response_validation else compiled(self.sdk, cast_to)
        return None if fast is None else event_templates(fast, self.sdk.constructors)


def _drop_idempotency_keys(options: Any, client: Any) -> None:
    """Remove the user's own idempotency key from the headers: it identifies another body than that of ``options``."""
    names = {_KEY_HEADER, (getattr(client, "_idempotency_header", None) or _KEY_HEADER).lower()}
    if isinstance(options.headers, Mapping):
        options.headers = {name: value for name, value in options.headers.items() if name.lower() not in names}


def _is_filtered(answer: Mapping[str, Any] | None) -> bool:
    """Return True for an answer of the Responses API that a content filter ended. Its status is that of a cut one."""
    details = None if answer is None else answer.get("incomplete_details")
    return isinstance(details, Mapping) and details.get("reason") == "content_filter"


def _raw_failure(response: Any) -> Failure | None:
    """Return the failure of a raw response whose body is not JSON, which its user would see only later.

    A body that begins and ends like JSON is not parsed.
    """
    if response is None or not response.is_stream_consumed:
        return None
    body = response.content.strip()
    if body[:1] in _OPENS and body[-1:] in _CLOSES:
        return None
    states_json = "json" in response.headers.get("content-type", "")
    if not body and not states_json:  # the user of a raw response may want its headers only
        return None
    try:
        response.json()
    except ValueError as error:
        return Failure(cause=Cause.MALFORMED, error=error, sdk_retries=True) if states_json else _NO_JSON
    return None


def compiled(sdk: Sdk, cast_to: Any) -> Callable[[Any], Any] | None:
    """Return the compiled constructor of a type; ``None`` if the SDK builds the type in a special way."""
    special = cast_to is object or (isinstance(cast_to, type) and hasattr(cast_to, "build"))
    return None if special else sdk.constructors.builder(cast_to)


def _is_closed(client: Any) -> bool:
    try:
        return bool(client.is_closed())
    except AttributeError:  # a custom client or transport
        return False

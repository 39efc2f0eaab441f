"""Serve the calls of a patched SDK through the engine, and read the answers.

`sdk_patches` imports this module at the first call, because the import takes ten times as long as to patch the SDK.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from l0.config import CONFIG
from l0.fastpath.request_options import RequestOptions
from l0.fastpath.request_templates import RequestTemplates
from l0.model.call import Call, LegEndpoint, TerminalRule
from l0.model.caller_warning import warn_caller
from l0.model.errors import raised
from l0.model.inference_request import InferenceRequest
from l0.model.policy import Policy
from l0.runtime import async_driver, sync_driver
from l0.runtime.async_deadlines import within
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.waiting_calls import WAITING

from .addresses import address_of
from .current_flight import FLIGHT
from .foreign_wrappers import hides, home
from .request_content import RAW_HEADER, has_model
from .requests import SENDING, AsyncSdkRequests, SdkRequests, send_by
from .sdk import Sdk
from .sdk_bodies import AsyncSdkBody, SdkBody
from .sdk_responses import runtime_of
from .send_deadlines import send_within
from .stainless_call_adapter import Provider, StainlessCallAdapter, compiled
from .terminal_rules import terminal_rule
from .usable_fallbacks import usable_fallbacks, without_models

if TYPE_CHECKING:
    from .sdk_patches import SdkPatches

_log = logging.getLogger("l0")
_BUILD_KEYWORDS = {"retries_taken"}
"""The keyword arguments with which an SDK calls ``_build_request`` to send a request."""
_HIDDEN = (
    "l0 does not protect the calls of this {client} client: {library} was put on it before l0.instrument(), and "
    "bypasses l0. Call l0.instrument() first."
)


class SdkCalls:
    """The calls of one patched SDK."""

    def __init__(self, patches: SdkPatches, provider: Provider) -> None:
        self._patches = patches
        self._sdk = patches.sdk
        self._provider = provider
        self._templates = RequestTemplates(patches.sdk.base)
        self.options: RequestOptions | None = None
        """Constructs the options of requests; ``None`` before the first."""
        self._examined: WeakSet[Any] = WeakSet()
        """Clients whose patched function was replaced."""

    def client_closed(self) -> None:
        """Wake the calls whose client is closed."""
        WAITING.client_closed()

    # -- requests -----------------------------------------------------------------------------------------------

    def request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Serve a sync call. ``wrapped``: the SDK's function, as for all methods here."""
        runtime = self._begin(client, args, kwargs)
        if runtime is None:
            return wrapped(*args, **kwargs)
        sending = SdkRequests(runtime, self._sdk, wrapped, self._patches.originals[0], args, kwargs)
        answer = sync_driver.request(runtime, sending)
        sending.answer = None  # the thread of a lost hedge keeps `sending` until its headers arrive
        return answer

    async def arequest(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """As `request`, for an async call."""
        runtime = self._begin(client, args, kwargs)
        if runtime is None:
            return await wrapped(*args, **kwargs)
        sending = AsyncSdkRequests(runtime, self._sdk, wrapped, self._patches.originals[1], args, kwargs)
        answer = await async_driver.request(runtime, sending)
        sending.answer = None  # asyncio keeps cancelled timers, with the context of the request, and so with `sending`
        return answer

    def construct(self, wrapped: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Construct the options of a request as the SDK's ``wrapped`` does."""
        if self.options is None:
            self.options = RequestOptions(self._sdk.options_kind, wrapped, self._sdk.models.strip_not_given)
        return self.options.constructed(values)

    def sends(self) -> bool:
        """Return True if a request of a call is sent now."""
        return SENDING.get() is not None or FLIGHT.get() is not None

    def prepare(self, wrapped: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Prepare the body of a request as the SDK's ``wrapped`` does, and keep it for the further attempts."""
        return _kept(wrapped(*args, **kwargs))

    async def aprepare(self, wrapped: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """As `prepare`, for an async call."""
        return _kept(await wrapped(*args, **kwargs))

    def compose(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Compose the request of a call. If it has a deadline, apply the deadline to each phase of sending."""
        sending = SENDING.get()
        if sending is not None and len(args) == 1 and kwargs.keys() == _BUILD_KEYWORDS:
            propagated = sending.call_adapter.propagated
            request = self._templates.build(client, wrapped, args[0], kwargs["retries_taken"], propagated)
        else:
            request = wrapped(*args, **kwargs)
        flight = FLIGHT.get()
        if flight is not None and isinstance(client, self._sdk.base.SyncAPIClient):
            flight.follow(request)
        return request

    def _begin(self, client: Any, args: Any, kwargs: Any) -> CallRuntime | None:
        """Return the runtime of an inference call; ``None`` for other requests, and if the policy turns L0 off. They
        pass through unchanged."""
        policy = CONFIG.policy(client)
        if policy.mode == "off":
            return None
        options = args[1] if len(args) > 1 else kwargs.get("options")
        stream = bool(kwargs.get("stream", False))
        try:
            inference = self._provider.describe(client, options, stream=stream)
            if inference is None:
                return None
            streaming = stream or _user_reads_body(options)
            call = _call(self._sdk, client, options, inference, policy, streaming=streaming)
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot describe: %s", raised())
            return None
        if call.policy.fallback:
            policy, skipped = self._with_usable_fallbacks(client, options, call.policy)
            call = replace(call, policy=policy, skipped_fallbacks=skipped)
            found = list(_fallbacks(self._provider, client, options, inference, call))
            rules, endpoints = tuple(rule for rule, _ in found), tuple(endpoint for _, endpoint in found)
            call = replace(call, fallback_rules=rules, fallback_endpoints=endpoints)
        elif call.shadow is not None and call.shadow.fallback:
            call = replace(call, shadow=self._with_usable_fallbacks(client, options, call.shadow)[0])
        if inference.retry_safety is not call.effective_retry_safety:
            inference = replace(inference, retry_safety=call.effective_retry_safety)
        call_adapter = StainlessCallAdapter(self._sdk, self._provider, client, options, inference, call)
        observers = CONFIG.observers_of(call, self._sdk.name, call_adapter)
        return CallRuntime(call, call_adapter, observers, CONFIG.shared_state)

    def _with_usable_fallbacks(self, client: Any, options: Any, policy: Policy) -> tuple[Policy, tuple[str, ...]]:
        """Return the policy without fallbacks to a client of another SDK, or to a sync one in an async call or vice
        versa, or to a model that cannot be put into the body; and the reasons, as `usable_fallbacks`. Raises
        `PolicyError` if the policy is the client's own and has such a client."""
        base = self._sdk.base
        is_sync = isinstance(client, base.SyncAPIClient)
        wanted = base.SyncAPIClient if is_sync else base.AsyncAPIClient
        allowed = f"{'a sync' if is_sync else 'an async'} client of the {self._sdk.name} SDK"
        usable, skipped = usable_fallbacks(policy, client, lambda other: isinstance(other, wanted), allowed)
        if has_model(options):
            return usable, skipped
        usable, without_body = without_models(usable)
        return usable, (*skipped, *without_body)

    # -- streams ------------------------------------------------------------------------------------------------

    def stream(self, wrapped: Callable[[], Iterator[Any]], stream: Any, args: Any, kwargs: Any) -> Iterator[Any]:
        """Return the objects of a streamed answer, read by the engine if it belongs to a call of the engine."""
        runtime = self._open_runtime_of(stream)
        if runtime is None:
            self._examine(stream._client)
            return wrapped(*args, **kwargs)
        call_adapter, original = runtime.call_adapter, self._patches.originals[0]
        assert isinstance(call_adapter, StainlessCallAdapter)

        def send_again(options: Any) -> Any:
            send = partial(original, call_adapter.client, call_adapter.response_type, options, stream=True)
            if call_adapter.unenforced_limit is None:
                return send()
            return send_within(send_by(runtime, call_adapter), send, call_adapter.unenforced_limit)

        return sync_driver.relay(runtime, SdkBody(runtime, call_adapter, stream, wrapped, send_again=send_again))

    def astream(
        self, wrapped: Callable[[], AsyncIterator[Any]], stream: Any, args: Any, kwargs: Any
    ) -> AsyncIterator[Any]:
        """As `stream`, for an async stream."""
        runtime = self._open_runtime_of(stream)
        if runtime is None:
            self._examine(stream._client)
            return wrapped(*args, **kwargs)
        call_adapter, original = runtime.call_adapter, self._patches.originals[1]
        assert isinstance(call_adapter, StainlessCallAdapter)

        async def send_again(options: Any) -> Any:
            send = partial(original, call_adapter.client, call_adapter.response_type, options, stream=True)
            if runtime.deadlines is None:
                return await send()
            return await within(send_by(runtime, call_adapter), send)

        return async_driver.relay(runtime, AsyncSdkBody(runtime, call_adapter, stream, wrapped, send_again=send_again))

    def build(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Build the object of a complete answer with compiled constructors, if it belongs to a call of the engine."""
        data = kwargs.get("data")
        sending = SENDING.get() if type(data) is dict else None
        if sending is None and "request" in vars(client):
            self._examine(client)
        if sending is not None:
            sending.call_adapter.decoded = data
            if sending.runtime.recording is not None:
                sending.call_adapter.response = kwargs.get("response")
        if sending is not None and not client._strict_response_validation:
            build = compiled(self._sdk, kwargs.get("cast_to"))
            if build is not None:
                return build(data)
        return wrapped(*args, **kwargs)

    def _examine(self, client: Any) -> None:
        """Warn if an answer is read without the engine because another library has put a function on the client.

        The library did that before `l0.instrument()`, so its function calls the SDK's unpatched one. L0 can notice such
        a client only by its answers.
        """
        own = vars(client).get("request")
        if own is None or not self._patches.active or client in self._examined:
            return
        self._examined.add(client)
        index = int(isinstance(client, self._sdk.base.AsyncAPIClient))
        if hides(client, "request", self._patches.patched[index], self._patches.originals[index]):
            library = home(own).partition(".")[0]
            warn_caller(
                _HIDDEN.format(library=library, client=type(client).__name__),
                skipped_packages=(self._sdk.root, library, "typing"),
            )

    def _open_runtime_of(self, stream: Any) -> CallRuntime | None:
        sending = SENDING.get()
        runtime = sending.runtime if sending is not None else runtime_of(stream.response)
        return runtime if runtime is not None and runtime.ending.outcome is None and runtime.call.streaming else None


def _kept(prepared: Any) -> Any:
    """Return the prepared options of a request. Those of a call's first request are kept in its call adapter."""
    sending = SENDING.get()
    if sending is not None:
        sending.call_adapter.keep_prepared(prepared)
    return prepared


def _user_reads_body(options: Any) -> bool:
    """Return True if the user reads the body of a non-streaming answer (``with_streaming_response``)."""
    headers = options.headers
    if not isinstance(headers, Mapping):
        return False
    return any(name.lower() == RAW_HEADER and value == "stream" for name, value in headers.items())


def _call(sdk: Sdk, client: Any, options: Any, inference: InferenceRequest, chosen: Policy, *, streaming: bool) -> Call:
    """Return the call. Raises what the SDK raises for a ``max_retries`` that it does not accept."""
    address = address_of(client.base_url)
    shadow = chosen if chosen.mode == "shadow" else None
    policy = chosen if shadow is None else Policy()
    # Files and generators can be read only once.
    repeatable = not options.files and isinstance(getattr(options, "content", None), bytes | str | None)
    origin, strict = terminal_rule(policy, address, inference)
    max_retries = options.get_max_retries(client.max_retries)
    validate = getattr(client, "_validate_max_retries", None)  # newer SDKs have it
    if validate is not None:
        validate(max_retries)
    return Call(
        operation=inference.operation,
        provider=CONFIG.provider_name(inference.provider, address.host, address.port),
        model=inference.model,
        dialect=inference.dialect,
        streaming=streaming,
        origin=origin,
        host=address.host,
        port=address.port,
        retry_safety=inference.retry_safety,
        max_retries=max_retries if repeatable else 0,
        default_retries=sdk.default_retries if repeatable else 0,
        read_once="" if repeatable else "the body of the request",
        policy=policy,
        strict=strict,
        attributes=inference.attributes,
        body=inference.body,
        capture=inference.capture,
        tracer_provider=inference.tracer_provider,
        resumable=inference.resumable,
        shadow=shadow,
    )


def _fallbacks(
    provider: Provider, client: Any, options: Any, inference: InferenceRequest, call: Call
) -> Iterator[tuple[TerminalRule, LegEndpoint]]:
    """Yield for each fallback its rule for the terminal event, which depends on its client and model, and its
    server."""
    for leg in call.policy.legs:
        serving = client if leg.client is None else leg.client
        described = provider.describe(serving, options, stream=True) or inference
        address = address_of(serving.base_url)
        rule = terminal_rule(call.policy, address, replace(described, model=leg.model or described.model))
        name = CONFIG.provider_name(described.provider, address.host, address.port)
        yield rule, LegEndpoint(name, address.host, address.port)

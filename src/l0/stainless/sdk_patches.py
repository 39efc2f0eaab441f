"""Patch the functions of an SDK, and restore them.

``SyncAPIClient.request`` and ``AsyncAPIClient.request`` receive every call. ``Stream.__stream__`` and
``AsyncStream.__stream__`` read a streamed answer. ``BaseClient._process_response_data`` builds an answer that is not
streamed. ``BaseClient._build_request`` composes a request; the patch gives a sync request its deadline.
``SyncAPIClient.close`` and ``AsyncAPIClient.close`` wake the calls that wait between two requests. If the SDK
transforms request parameters by their annotations (`transform` and `async_transform`), a compiled form does that,
because it is faster. Nothing else is patched.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakSet

import wrapt

from l0.config import CONFIG
from l0.fastpath.parameters import UNKNOWN
from l0.model.call import Call, TerminalRule
from l0.model.caller_warning import warn_caller
from l0.model.errors import raised
from l0.model.inference_request import InferenceRequest
from l0.model.policy import Policy, PolicyError
from l0.runtime import async_driver, sync_driver
from l0.runtime.async_deadlines import within
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.waiting_calls import WAITING

from .foreign_wrappers import copies, form_for, held, hides, home
from .request_content import RAW_HEADER
from .requests import SENDING, AsyncSdkRequests, SdkRequests, send_by
from .sdk import Sdk
from .sdk_bodies import AsyncSdkBody, SdkBody
from .sdk_responses import runtime_of
from .send_deadlines import FLIGHT, by
from .stainless_call_adapter import Provider, StainlessCallAdapter, compiled, stream_source

PatchTarget = tuple[Any, str, Callable[..., Any]]
"""A class or module, the name of one of its functions, and our wrapper."""

_log = logging.getLogger("l0")
_HIDDEN = (
    "l0 does not protect the calls of this {client} client: {library} was put on it before l0.instrument(), and calls "
    "the SDK past l0. Call l0.instrument() first."
)


class SdkPatches:
    """The patches of one SDK."""

    def __init__(self, sdk: Sdk, provider: Provider) -> None:
        self.sdk = sdk
        self.provider = provider
        self.active = False
        self._patches: list[tuple[Any, str, Any, Any]] = []
        self._originals: list[Callable[..., Any]] = []
        """The functions below our patches. A restart calls them, so that it does not count as a new user call."""
        self._patched: list[Any] = []
        self._examined: WeakSet[Any] = WeakSet()
        """Clients with a function of their own in place of a patched one."""

    def apply(self) -> None:
        """Patch the SDK. Raises `AttributeError`, and patches nothing, if the SDK lacks one of the functions."""
        base, streaming = self.sdk.base, self.sdk.streaming
        targets: list[PatchTarget] = [
            (base.SyncAPIClient, "request", self._request),
            (base.AsyncAPIClient, "request", self._arequest),
            (streaming.Stream, "__stream__", self._stream),
            (streaming.AsyncStream, "__stream__", self._astream),
            (base.BaseClient, "_process_response_data", self._build),
        ]
        targets += self._compositions()
        targets += self._closes()
        targets += self._transforms()
        originals: list[Any] = [owner.__dict__.get(name) for owner, name, _ in targets]
        if None in originals:
            raise AttributeError(f"{self.sdk.name} {self.sdk.version} lacks the functions that l0 patches")
        self.sdk.loop  # noqa: B018 - probe the loop while it is still unpatched
        self._originals = originals
        for (owner, name, wrapper), original in zip(targets, originals, strict=True):
            # A request without a deadline is composed as if there were no patch.
            enabled: Any = FLIGHT.get if name == "_build_request" else None
            patched = wrapt.FunctionWrapper(original, wrapper, enabled=enabled)
            self._patched.append(patched)
            for place, attribute in [*copies(owner, name, original), (owner, name)]:
                form = form_for(place, patched, owner)
                setattr(place, attribute, form)
                self._patches.append((place, attribute, original, form))
        self.active = True

    def in_place(self) -> Iterator[tuple[Any, str, Any]]:
        """Yield the owner, the name and our function of each patch."""
        for owner, name, _, patched in self._patches:
            yield owner, name, patched

    def _compositions(self) -> list[PatchTarget]:
        """Return the target that composes requests. Without it, only the SDK's timeout per phase limits a request."""
        base = self.sdk.base.BaseClient
        return [(base, "_build_request", self._compose)] if "_build_request" in vars(base) else []

    def _closes(self) -> list[PatchTarget]:
        """Return the targets that close clients. Without them, a call notices a closed client only after its wait."""
        base = self.sdk.base
        closes = [(base.SyncAPIClient, "close", self._close), (base.AsyncAPIClient, "close", self._aclose)]
        return [target for target in closes if "close" in vars(target[0])]

    def _transforms(self) -> list[PatchTarget]:
        module, parameters = self.sdk.transforms, self.sdk.parameters
        if module is None or parameters is None or parameters.unsupported:
            return []
        targets: list[PatchTarget] = [
            (module, "transform", self._transform),
            (module, "async_transform", self._atransform),
        ]
        return [target for target in targets if hasattr(module, target[1])]

    def undo(self) -> None:
        """Restore the SDK's functions. If another library wrapped a patch, the patch stays and passes calls through."""
        self.active = False
        for owner, name, original, patched in self._patches:
            if held(owner, name) is patched:
                setattr(owner, name, original)
            for place, attribute in copies(owner, name, patched):
                setattr(place, attribute, original)
        self._patches.clear()

    # -- clients ------------------------------------------------------------------------------------------------

    def _close(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        finally:
            WAITING.client_closed()

    async def _aclose(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        try:
            return await wrapped(*args, **kwargs)
        finally:
            WAITING.client_closed()

    # -- requests -----------------------------------------------------------------------------------------------

    def _compose(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Compose a request that has a deadline, and apply the deadline to its phases."""
        request = wrapped(*args, **kwargs)
        flight = FLIGHT.get()
        if flight is not None and isinstance(client, self.sdk.base.SyncAPIClient):
            flight.follow(request)
        return request

    def _request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        runtime = self._begin(client, args, kwargs)
        if runtime is None:
            return wrapped(*args, **kwargs)
        return sync_driver.request(runtime, SdkRequests(runtime, self.sdk, wrapped, self._originals[0], args, kwargs))

    async def _arequest(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        runtime = self._begin(client, args, kwargs)
        if runtime is None:
            return await wrapped(*args, **kwargs)
        sending = AsyncSdkRequests(runtime, self.sdk, wrapped, self._originals[1], args, kwargs)
        answer = await async_driver.request(runtime, sending)
        sending.answer = None  # asyncio keeps cancelled timers, with the context of the request, and so with `sending`
        return answer

    def _begin(self, client: Any, args: Any, kwargs: Any) -> CallRuntime | None:
        """Return the runtime of an inference call; ``None`` for other requests, which pass through unchanged."""
        if not self.active:
            return None
        options = args[1] if len(args) > 1 else kwargs.get("options")
        stream = bool(kwargs.get("stream", False))
        try:
            inference = self.provider.describe(client, options, stream=stream)
            if inference is None:
                return None
            call = _call(self.sdk, client, options, inference, streaming=stream or _deferred(options))
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot describe: %s", raised())
            return None
        if call.policy.fallback:
            self._check_clients(client, call.policy)
            call = replace(call, fallback_rules=_fallback_rules(self.provider, client, options, inference, call.policy))
        if inference.retry_safety is not call.effective_retry_safety:
            inference = replace(inference, retry_safety=call.effective_retry_safety)
        call_adapter = StainlessCallAdapter(self.sdk, self.provider, client, options, inference, call)
        return CallRuntime(call, call_adapter, CONFIG.observers_of(call, self.sdk.name), CONFIG.shared_state)

    def _check_clients(self, client: Any, policy: Policy) -> None:
        """Raise `PolicyError` if a fallback's client is not of this SDK, or differs in sync or async.

        The check runs at the call, so that the mistake does not surface only when the fallback is needed.
        """
        base = self.sdk.base
        wanted = base.SyncAPIClient if isinstance(client, base.SyncAPIClient) else base.AsyncAPIClient
        for leg in policy.legs:
            if leg.client is not None and not isinstance(leg.client, wanted):
                flavour = "a sync" if wanted is base.SyncAPIClient else "an async"
                raise PolicyError("Fallback.client", leg.client, f"{flavour} client of the {self.sdk.name} SDK")

    def _transform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        ours = self.sdk.parameters if self.active and not kwargs and len(args) == 2 else None
        result = UNKNOWN if ours is None else ours.transformed(*args)
        return wrapped(*args, **kwargs) if result is UNKNOWN else result

    async def _atransform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        ours = self.sdk.parameters if self.active and not kwargs and len(args) == 2 else None
        result = UNKNOWN if ours is None else ours.transformed(*args)
        return await wrapped(*args, **kwargs) if result is UNKNOWN else result

    # -- streams ------------------------------------------------------------------------------------------------

    def _stream(self, wrapped: Callable[[], Iterator[Any]], stream: Any, args: Any, kwargs: Any) -> Iterator[Any]:
        runtime = self._open_runtime_of(stream)
        if runtime is None:
            self._examine(stream._client)
            return wrapped(*args, **kwargs)
        call_adapter, original = runtime.call_adapter, self._originals[0]
        assert isinstance(call_adapter, StainlessCallAdapter)

        def again(options: Any) -> Any:
            send = partial(original, call_adapter.client, call_adapter.response_type, options, stream=True)
            if call_adapter.unkept is None:
                return send()
            return by(send_by(runtime, call_adapter), send, call_adapter.unkept)

        return sync_driver.relay(runtime, SdkBody(runtime, call_adapter, stream, wrapped, again=again))

    def _astream(
        self, wrapped: Callable[[], AsyncIterator[Any]], stream: Any, args: Any, kwargs: Any
    ) -> AsyncIterator[Any]:
        runtime = self._open_runtime_of(stream)
        if runtime is None:
            self._examine(stream._client)
            return wrapped(*args, **kwargs)
        call_adapter, original = runtime.call_adapter, self._originals[1]
        assert isinstance(call_adapter, StainlessCallAdapter)

        async def again(options: Any) -> Any:
            send = partial(original, call_adapter.client, call_adapter.response_type, options, stream=True)
            if runtime.deadlines is None:
                return await send()
            return await within(send_by(runtime, call_adapter), send)

        return async_driver.relay(runtime, AsyncSdkBody(runtime, call_adapter, stream, wrapped, again=again))

    def _build(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
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
            build = compiled(self.sdk, kwargs.get("cast_to"))
            if build is not None:
                return build(data)
        return wrapped(*args, **kwargs)

    def _examine(self, client: Any) -> None:
        """Warn if an answer is read without the engine, because another library has put a function on the client.

        That library came first, and calls the SDK's function as it was. Nothing shows such a client before its answer.
        """
        own = vars(client).get("request")
        if own is None or not self.active or client in self._examined:
            return
        self._examined.add(client)
        index = int(isinstance(client, self.sdk.base.AsyncAPIClient))
        if hides(client, "request", self._patched[index], self._originals[index]):
            library = home(own).partition(".")[0]
            warn_caller(
                _HIDDEN.format(library=library, client=type(client).__name__), past=(self.sdk.name, library, "typing")
            )

    def _open_runtime_of(self, stream: Any) -> CallRuntime | None:
        sending = SENDING.get()
        runtime = sending.runtime if sending is not None else runtime_of(stream.response)
        return runtime if runtime is not None and runtime.ending.outcome is None and runtime.call.streaming else None


def _deferred(options: Any) -> bool:
    """Return True if the user reads the body of a non-streaming answer (``with_streaming_response``)."""
    headers = options.headers
    if not isinstance(headers, Mapping):
        return False
    return any(name.lower() == RAW_HEADER and value == "stream" for name, value in headers.items())


def _call(sdk: Sdk, client: Any, options: Any, inference: InferenceRequest, *, streaming: bool) -> Call:
    url = client.base_url
    chosen = CONFIG.policy(client)
    shadow = chosen if chosen.mode == "shadow" else None
    policy = chosen if shadow is None else Policy()
    # Files and generators can be read only once, so the request cannot be sent again.
    again = not options.files and isinstance(getattr(options, "content", None), bytes | str | None)
    origin, strict = _terminal_rule(policy, client, inference)
    return Call(
        operation=inference.operation,
        provider=inference.provider,
        model=inference.model,
        dialect=inference.dialect,
        streaming=streaming,
        origin=origin,
        host=url.host,
        port=url.port or (80 if url.scheme == "http" else 443),
        retry_safety=inference.retry_safety,
        max_retries=options.get_max_retries(client.max_retries) if again else 0,
        default_retries=sdk.default_retries if again else 0,
        policy=policy,
        strict=strict,
        attributes=inference.attributes,
        body=inference.body,
        capture=inference.capture,
        tracer_provider=inference.tracer_provider,
        resumable=inference.resumable,
        shadow=shadow,
    )


def _terminal_rule(policy: Policy, client: Any, inference: InferenceRequest) -> TerminalRule:
    url = client.base_url
    origin = f"{url.scheme}://{url.netloc.decode()}"
    mode = None if policy.truncation is None else policy.truncation_at(origin + url.raw_path.decode())
    if mode is not None:
        return TerminalRule(origin, {"strict": True, "warn": False, "off": None}[mode])
    source = stream_source(client, inference.dialect, inference.model)
    return TerminalRule(origin, inference.certain or CONFIG.shared_state.terminals.known(source))


def _fallback_rules(
    provider: Provider, client: Any, options: Any, inference: InferenceRequest, policy: Policy
) -> tuple[TerminalRule, ...]:
    """Return the rule of each fallback, by its own client and model."""
    rules = []
    for leg in policy.legs:
        serving = client if leg.client is None else leg.client
        described = provider.describe(serving, options, stream=True) or inference
        rules.append(_terminal_rule(policy, serving, replace(described, model=leg.model or described.model)))
    return tuple(rules)

"""The functions of an SDK that are patched, and how the patches come off again.

``SyncAPIClient.request`` and ``AsyncAPIClient.request`` see every call; ``Stream.__stream__`` and
``AsyncStream.__stream__`` are where an answer is read; ``BaseClient._process_response_data`` is where an answer that
came in one piece is built; ``BaseClient._build_request`` is where a sync request gets its deadline. Where the SDK
transforms the parameters of requests by their annotations (`transform` and `async_transform`), that is done by a
compiled form. Nothing else is touched.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import wrapt

from l0.drivers import asynchronous, sync
from l0.drivers.session import Session
from l0.drivers.timers import within
from l0.values.calls import Call
from l0.values.errors import raised
from l0.values.policy import Policy, PolicyError
from l0.wire.parameters import UNKNOWN

from .bodies import AsyncBody, SyncBody
from .content import RAW_HEADER
from .flights import FLIGHT, by
from .responses import tapped
from .sdk import Sdk
from .sending import SENDING, AsyncSending, Sending, send_by
from .switchboard import SWITCHBOARD
from .upstream import Provider, Sketch, StainlessUpstream, compiled

Target = tuple[Any, str, Callable[..., Any]]
"""A class or a module, the name of its function, and our wrapper."""

_log = logging.getLogger("l0")


class Seam:
    """The patches of one SDK."""

    def __init__(self, sdk: Sdk, provider: Provider) -> None:
        self.sdk = sdk
        self.provider = provider
        self.active = False
        self._patches: list[tuple[Any, str, Any, Any]] = []
        self._originals: list[Any] = []

    def apply(self) -> None:
        """Patch. Raises `AttributeError` where the SDK has no such function; nothing is patched then."""
        base, streaming = self.sdk.base, self.sdk.streaming
        targets: list[Target] = [
            (base.SyncAPIClient, "request", self._request),
            (base.AsyncAPIClient, "request", self._arequest),
            (streaming.Stream, "__stream__", self._stream),
            (streaming.AsyncStream, "__stream__", self._astream),
            (base.BaseClient, "_process_response_data", self._build),
        ]
        targets += self._compositions()
        targets += self._transforms()
        originals: list[Any] = [owner.__dict__.get(name) for owner, name, _ in targets]
        if None in originals:
            raise AttributeError(f"{self.sdk.name} {self.sdk.version} lacks the functions that l0 patches")
        self.sdk.loop  # noqa: B018 - looked at while the loop is still the SDK's own
        self._originals = originals
        for (owner, name, wrapper), original in zip(targets, originals, strict=True):
            patched = wrapt.FunctionWrapper(original, wrapper)
            for place, attribute in [*_copies(owner, name, original), (owner, name)]:
                setattr(place, attribute, patched)
                self._patches.append((place, attribute, original, patched))
        self.active = True

    def _compositions(self) -> list[Target]:
        """Where a request is composed: an SDK without that function has its requests bounded phase by phase only."""
        base = self.sdk.base.BaseClient
        return [(base, "_build_request", self._compose)] if "_build_request" in vars(base) else []

    def _transforms(self) -> list[Target]:
        module, parameters = self.sdk.transforms, self.sdk.parameters
        if module is None or parameters is None or parameters.unsupported:
            return []
        targets: list[Target] = [
            (module, "transform", self._transform),
            (module, "async_transform", self._atransform),
        ]
        return [target for target in targets if hasattr(module, target[1])]

    def undo(self) -> None:
        """Restore the SDK's functions. Under a wrapper that somebody put over ours, ours becomes a pass-through."""
        self.active = False
        for owner, name, original, patched in self._patches:
            if _held(owner, name) is patched:
                setattr(owner, name, original)
            for place, attribute in _copies(owner, name, patched):
                setattr(place, attribute, original)
        self._patches.clear()

    # -- requests -----------------------------------------------------------------------------------------------

    def _compose(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """A request that has a deadline is followed on its way."""
        request = wrapped(*args, **kwargs)
        flight = FLIGHT.get()
        if flight is not None and isinstance(client, self.sdk.base.SyncAPIClient):
            flight.follow(request)
        return request

    def _request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        session = self._begin(client, args, kwargs)
        if session is None:
            return wrapped(*args, **kwargs)
        return sync.request(session, Sending(session, self.sdk, wrapped, self._original(0), args, kwargs))

    async def _arequest(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        session = self._begin(client, args, kwargs)
        if session is None:
            return await wrapped(*args, **kwargs)
        sending = AsyncSending(session, self.sdk, wrapped, self._original(1), args, kwargs)
        return await asynchronous.request(session, sending)

    def _begin(self, client: Any, args: Any, kwargs: Any) -> Session | None:
        """The session of an inference call; ``None`` for everything else, which is left alone."""
        if not self.active:
            return None
        options = args[1] if len(args) > 1 else kwargs.get("options")
        stream = bool(kwargs.get("stream", False))
        try:
            sketch = self.provider.describe(client, options, stream=stream)
            if sketch is None:
                return None
            call = _call(client, options, sketch, streaming=stream or _deferred(options))
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot describe: %s", raised())
            return None
        self._check_clients(client, call.policy)
        upstream = StainlessUpstream(self.sdk, self.provider, client, options, sketch, call)
        return Session(call, upstream, SWITCHBOARD.watch(call, self.sdk.name), SWITCHBOARD.health)

    def _check_clients(self, client: Any, policy: Policy) -> None:
        """A fallback of another SDK or flavour cannot serve: better said at the call than when it is needed."""
        base = self.sdk.base
        wanted = base.SyncAPIClient if isinstance(client, base.SyncAPIClient) else base.AsyncAPIClient
        for leg in policy.legs:
            if leg.client is not None and not isinstance(leg.client, wanted):
                flavour = "a sync" if wanted is base.SyncAPIClient else "an async"
                raise PolicyError("Fallback.client", leg.client, f"{flavour} client of the {self.sdk.name} SDK")

    def _transform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        result = self._transformed(args, kwargs)
        return wrapped(*args, **kwargs) if result is UNKNOWN else result

    async def _atransform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        result = self._transformed(args, kwargs)
        return await wrapped(*args, **kwargs) if result is UNKNOWN else result

    def _transformed(self, args: Any, kwargs: Any) -> Any:
        """What the SDK would make of data and type; `UNKNOWN` where that, or how it is asked, is for the SDK alone."""
        parameters = self.sdk.parameters
        if parameters is None or not self.active or kwargs or len(args) != 2:
            return UNKNOWN
        return parameters.transformed(*args)

    # -- streams ------------------------------------------------------------------------------------------------

    def _stream(self, wrapped: Callable[[], Iterator[Any]], stream: Any, args: Any, kwargs: Any) -> Iterator[Any]:
        session = self._session_of(stream)
        if session is None:
            return wrapped(*args, **kwargs)
        upstream, original = session.upstream, self._original(0)
        assert isinstance(upstream, StainlessUpstream)

        def again(options: Any) -> Any:
            send = partial(original, upstream.client, upstream.response_type, options, stream=True)
            return by(send_by(session, upstream), send)

        return sync.relay(session, SyncBody(session, upstream, stream, wrapped, again=again))

    def _astream(
        self, wrapped: Callable[[], AsyncIterator[Any]], stream: Any, args: Any, kwargs: Any
    ) -> AsyncIterator[Any]:
        session = self._session_of(stream)
        if session is None:
            return wrapped(*args, **kwargs)
        upstream, original = session.upstream, self._original(1)
        assert isinstance(upstream, StainlessUpstream)

        async def again(options: Any) -> Any:
            send = partial(original, upstream.client, upstream.response_type, options, stream=True)
            return await within(send_by(session, upstream), send)

        return asynchronous.relay(session, AsyncBody(session, upstream, stream, wrapped, again=again))

    def _build(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Build the object of a whole answer with compiled constructors, while one of our calls is being served."""
        data = kwargs.get("data")
        session = SENDING.get() if type(data) is dict else None
        if session is not None:
            session.upstream.decoded = data  # type: ignore[attr-defined]  # what its facts are read from
        if session is not None and not client._strict_response_validation:
            build = compiled(self.sdk, kwargs.get("cast_to"))
            if build is not None:
                return build(data)
        return wrapped(*args, **kwargs)

    def _original(self, index: int) -> Callable[..., Any]:
        """What a restart calls: the function below our patch, so that it is not counted as a call of the user's."""
        original: Callable[..., Any] = self._originals[index]
        return original

    def _session_of(self, stream: Any) -> Session | None:
        session = SENDING.get() or tapped(stream.response)
        return session if session is not None and session.open and session.call.streaming else None


def _held(place: Any, name: str) -> Any:
    return vars(place).get(name) if isinstance(place, type | ModuleType) else place.__wrapped__


def _copies(owner: Any, name: str, function: Any) -> Iterator[tuple[Any, str]]:
    """Where others keep ``function``: those who wrap what a class inherits copy it to that class, and so do those who
    put it back there. What is below such a copy never sees a call."""
    heirs: list[type] = owner.__subclasses__() if isinstance(owner, type) else []
    for one in heirs:
        place: Any = one
        attribute = name
        held = vars(one).get(name)
        while held is not function and isinstance(held, wrapt.FunctionWrapper | wrapt.BoundFunctionWrapper):
            place, attribute = getattr(held, "_self_parent", None) or held, "__wrapped__"
            held = place.__wrapped__
        if held is not None and held is function:
            yield place, attribute
        yield from _copies(one, name, function)


def _deferred(options: Any) -> bool:
    """Whether the user will read the body of a non-streaming answer on their own (``with_streaming_response``)."""
    headers = options.headers
    if not isinstance(headers, Mapping):
        return False
    return any(name.lower() == RAW_HEADER and value == "stream" for name, value in headers.items())


def _call(client: Any, options: Any, sketch: Sketch, *, streaming: bool) -> Call:
    url = client.base_url
    origin = f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
    chosen = SWITCHBOARD.policy(client)
    shadow = chosen if chosen.mode == "shadow" else None
    policy = chosen if shadow is None else Policy()
    return Call(
        operation=sketch.operation,
        provider=sketch.provider,
        model=sketch.model,
        dialect=sketch.dialect,
        streaming=streaming,
        origin=origin,
        host=url.host,
        port=url.port or (80 if url.scheme == "http" else 443),
        replay=sketch.replay,
        max_retries=options.get_max_retries(client.max_retries) if _replayable(options) else 0,
        policy=policy,
        strict=_strict(policy, origin, sketch),
        attributes=sketch.attributes,
        body=sketch.body,
        capture=sketch.capture,
        tracer_provider=sketch.tracer_provider,
        resumable=sketch.resumable,
        shadow=shadow,
    )


def _replayable(options: Any) -> bool:
    """Whether the body can be sent again: files and generators are read only once."""
    content = getattr(options, "content", None)
    return not options.files and (content is None or isinstance(content, bytes | str))


def _strict(policy: Policy, origin: str, sketch: Sketch) -> bool | None:
    mode = policy.truncation_at(origin)
    if mode is None:
        return sketch.certain or SWITCHBOARD.health.terminals.known(origin, sketch.dialect)
    return {"strict": True, "warn": False, "off": None}[mode]

"""Patch the functions of an SDK, and restore them.

``SyncAPIClient.request`` and ``AsyncAPIClient.request`` receive every call. ``Stream.__stream__`` and
``AsyncStream.__stream__`` read a streamed answer. ``BaseClient._process_response_data`` builds an answer that is not
streamed. ``BaseClient._build_request`` composes a request; the patch makes it from a template, which is faster, and
gives a sync request its deadline. Where the SDK prepares the body of a request in ``_copy_and_prepare`` (anthropic from
2.0 on), further attempts send the body of the first one.
``SyncAPIClient.close`` and ``AsyncAPIClient.close`` wake the calls that wait between two requests. If the SDK
transforms request parameters by their annotations (`transform` and `async_transform`), a compiled form does that,
because it is faster, and the same goes for ``FinalRequestOptions.construct``. Nothing else is patched.
"""

from __future__ import annotations

import codecs
import logging
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from l0.fastpath.parameters import UNKNOWN

from .function_patches import FunctionPatches, PatchTarget
from .late_imports import late_imports
from .sdk import Sdk

if TYPE_CHECKING:
    from l0.fastpath.request_options import RequestOptions

    from .sdk_calls import SdkCalls
    from .stainless_call_adapter import Provider

_log = logging.getLogger("l0")


class SdkPatches(FunctionPatches):
    """The patches of one SDK."""

    def __init__(self, sdk: Sdk, provider: Callable[[], Provider]) -> None:
        super().__init__(f"{sdk.name} {sdk.version}")
        self.sdk = sdk
        self._provider = provider
        self._calls: SdkCalls | None = None
        """Serves the calls; ``None`` before the first one."""

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
        targets += self._preparations()
        targets += self._closes()
        targets += self._transforms()
        targets += self._constructions()
        self.find(targets)
        self.sdk.loop  # noqa: B018 - probe the loop while it is still unpatched
        # A request that is not part of a call is prepared and composed as if there were no patch.
        self.put(targets, lambda name: self._sends if name in ("_build_request", "_copy_and_prepare") else None)

    def _compositions(self) -> list[PatchTarget]:
        """Return the patch target that composes requests. Without it, only the SDK's own timeouts limit a request."""
        base = self.sdk.base.BaseClient
        return [(base, "_build_request", self._compose)] if "_build_request" in vars(base) else []

    def _preparations(self) -> list[PatchTarget]:
        """Return the targets that prepare the body of a request. Other SDKs prepare it before the request."""
        base = self.sdk.base
        prepares = [(base.SyncAPIClient, "_copy_and_prepare", self._prepare)]
        prepares += [(base.AsyncAPIClient, "_copy_and_prepare", self._aprepare)]
        return [target for target in prepares if target[1] in vars(target[0])]

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

    def _constructions(self) -> list[PatchTarget]:
        """Return the target that constructs the options of a request, if that is the SDK's own function."""
        kind = self.sdk.options_kind
        return [] if kind is None else [(kind, "construct", self._construct)]

    def _load(self) -> SdkCalls | None:
        """Import the module that serves calls, at the first one. Return ``None`` if the SDK must serve it itself.

        That is so after `undo`, while the interpreter shuts down, and in a signal handler or finalizer that interrupts
        the import.
        """
        if not self.active:
            return None
        with late_imports():
            try:
                from .sdk_calls import SdkCalls
            except ImportError as error:
                self._leave_alone(error)
                return None
            try:
                provider = self._provider()
            except Exception as error:
                self._leave_alone(error)
                return None
            self._warm_up()
            self._calls = SdkCalls(self, provider)
        return self._calls

    def _warm_up(self) -> None:
        """Do now, while no process is forked, what the first call would do under a lock of Python.

        A child that is forked while another thread holds such a lock waits for it forever. Before Python 3.12 a cached
        property has a lock, and `platform`, which the SDK's headers need, has such properties. A module has a lock
        while it is imported, and the first host name to be resolved imports the codec `idna`.
        """
        self.sdk.constructors  # noqa: B018 - a cached property
        platform.platform()
        codecs.lookup("idna")

    def _leave_alone(self, error: Exception) -> None:
        if not sys.is_finalizing():
            _log.warning("l0 leaves a call to the %s SDK: %r", self.sdk.name, error)

    @property
    def options(self) -> RequestOptions | None:
        """Return the constructor of request options; ``None`` while the SDK has constructed all of them itself."""
        return None if self._calls is None else self._calls.options

    # -- clients ------------------------------------------------------------------------------------------------

    def _close(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        finally:
            if self._calls is not None:
                self._calls.client_closed()

    async def _aclose(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        try:
            return await wrapped(*args, **kwargs)
        finally:
            if self._calls is not None:
                self._calls.client_closed()

    # -- requests -----------------------------------------------------------------------------------------------

    def _sends(self) -> bool:
        """Return True if a request of a call is sent now."""
        return self._calls is not None and self._calls.sends()

    def _prepare(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs) if self._calls is None else self._calls.prepare(wrapped, args, kwargs)

    def _aprepare(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs) if self._calls is None else self._calls.aprepare(wrapped, args, kwargs)

    def _compose(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs) if self._calls is None else self._calls.compose(wrapped, client, args, kwargs)

    def _request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        calls = (self._calls or self._load()) if self.active else None
        return wrapped(*args, **kwargs) if calls is None else calls.request(wrapped, client, args, kwargs)

    def _arequest(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        calls = (self._calls or self._load()) if self.active else None
        return wrapped(*args, **kwargs) if calls is None else calls.arequest(wrapped, client, args, kwargs)

    def _construct(self, wrapped: Callable[..., Any], kind: Any, args: Any, kwargs: Any) -> Any:
        # The SDK constructs the options of the first call, because our constructor is imported only by that call.
        calls = self._calls if self.active and not args and kind is self.sdk.options_kind else None
        return wrapped(*args, **kwargs) if calls is None else calls.construct(wrapped, kwargs)

    def _transform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        ours = self.sdk.parameters if self.active and not kwargs and len(args) == 2 else None
        result = UNKNOWN if ours is None else ours.transformed(*args)
        return wrapped(*args, **kwargs) if result is UNKNOWN else result

    async def _atransform(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        ours = self.sdk.parameters if self.active and not kwargs and len(args) == 2 else None
        result = UNKNOWN if ours is None else ours.transformed(*args)
        return await wrapped(*args, **kwargs) if result is UNKNOWN else result

    # -- answers ------------------------------------------------------------------------------------------------

    def _stream(self, wrapped: Callable[..., Any], stream: Any, args: Any, kwargs: Any) -> Any:
        calls = self._calls or self._load()
        return wrapped(*args, **kwargs) if calls is None else calls.stream(wrapped, stream, args, kwargs)

    def _astream(self, wrapped: Callable[..., Any], stream: Any, args: Any, kwargs: Any) -> Any:
        calls = self._calls or self._load()
        return wrapped(*args, **kwargs) if calls is None else calls.astream(wrapped, stream, args, kwargs)

    def _build(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        calls = self._calls or self._load()
        return wrapped(*args, **kwargs) if calls is None else calls.build(wrapped, client, args, kwargs)

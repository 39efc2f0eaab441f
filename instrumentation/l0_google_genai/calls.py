"""Serve google-genai's requests for content through the engine.

The SDK builds its objects from the bodies that these functions return, so the user gets the SDK's own objects.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from l0.model.errors import raised
from l0.model.policy import PolicyError
from l0.runtime import async_driver, sync_driver
from l0.runtime.call_runtime import CallRuntime
from l0.wrapped_sdks.wrapped_call import CallRequest, begin_call, policy_of
from l0.wrapped_sdks.wrapped_patches import WrappedSdk

from .call_adapter import GoogleCallAdapter, retries_of
from .describe import base_url, describe
from .senders import AsyncGoogleAnswerSender, AsyncStreamBody, GoogleAnswerSender, StreamBody

_log = logging.getLogger("l0")


class GoogleCalls:
    """The calls of the patched SDK. Each method replaces the function of the same name of its `BaseApiClient`."""

    def __init__(self, sdk: WrappedSdk) -> None:
        self._sdk = sdk
        parameters = inspect.signature(sdk.base.BaseApiClient._async_request_once).parameters
        self._no_retry = {"implicit_retry": False} if "implicit_retry" in parameters else {}
        """The arguments that keep the SDK from retrying an async request by itself."""

    def request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Serve a call that does not stream."""
        runtime = self._begin(client, args, kwargs, stream=False)
        if runtime is None:
            return wrapped(*args, **kwargs)
        return sync_driver.request(
            runtime, GoogleAnswerSender(runtime, client._request_once, self._sdk.base.SdkHttpResponse)
        )

    async def async_request(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """As `request`."""
        runtime = self._begin(client, args, kwargs, stream=False, is_async=True)
        if runtime is None:
            return await wrapped(*args, **kwargs)
        send = partial(client._async_request_once, **self._no_retry)
        return await async_driver.request(
            runtime, AsyncGoogleAnswerSender(runtime, send, self._sdk.base.SdkHttpResponse)
        )

    def request_streamed(
        self, wrapped: Callable[..., Iterator[Any]], client: Any, args: Any, kwargs: Any
    ) -> Iterator[Any]:
        """Serve a streamed call. As in the SDK, the request is sent when the user reads the first item."""
        runtime = self._begin(client, args, kwargs, stream=True)
        if runtime is None:
            yield from wrapped(*args, **kwargs)
            return
        body = StreamBody(runtime, client._request_once, self._sdk.base.SdkHttpResponse)
        sync_driver.request(runtime, body)
        yield from sync_driver.relay(runtime, body)

    async def async_request_streamed(
        self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any
    ) -> AsyncIterator[Any]:
        """As `request_streamed`. The SDK awaits this function when the user reads the first item."""
        runtime = self._begin(client, args, kwargs, stream=True, is_async=True)
        if runtime is None:
            items: AsyncIterator[Any] = await wrapped(*args, **kwargs)
            return items
        body = AsyncStreamBody(
            runtime, partial(client._async_request_once, **self._no_retry), self._sdk.base.SdkHttpResponse
        )
        await async_driver.request(runtime, body)
        return async_driver.relay(runtime, body)

    def _begin(
        self, client: Any, args: Any, kwargs: Any, *, stream: bool, is_async: bool = False
    ) -> CallRuntime | None:
        """Return the runtime of a call for content; ``None`` for other requests, for clients that record or replay, and
        if the policy turns L0 off. They pass through unchanged."""
        policy = policy_of(client)
        if policy is None or self._sends_in_its_own_way(client):
            return None
        try:
            method, path, body, options = _arguments(*args, **kwargs)
            inference = describe(client, path, body, stream=stream) if method == "post" else None
            if inference is None:
                return None
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot describe: %s", raised())
            return None
        request = client._build_request(method, path, body, options)
        implicit = is_async and self._retries_once(client)
        retries, default_retries = retries_of(self._sdk.base, client, options, implicit=implicit)
        try:
            return begin_call(
                CallRequest(
                    sdk=self._sdk.name,
                    policy=policy,
                    inference=inference,
                    base_url=base_url(client),
                    streaming=stream,
                    max_retries=retries,
                    default_retries=default_retries,
                ),
                lambda call: GoogleCallAdapter(
                    self._sdk.base, client, request, options, inference, call, is_async=is_async
                ),
            )
        except PolicyError:
            raise
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot serve: %s", raised())
            return None

    def _sends_in_its_own_way(self, client: Any) -> bool:
        """Return True if the client overrides how requests are sent, as the SDK's clients that record and replay do."""
        kind, base = type(client), self._sdk.base.BaseApiClient
        return kind._request is not base._request or kind._async_request is not base._async_request

    def _retries_once(self, client: Any) -> bool:
        """Return True if the SDK retries async requests of this client once although nobody set a number of retries,
        and L0 can do so in its place."""
        return bool(self._no_retry and client._use_aiohttp())


def _arguments(
    http_method: str, path: str, request_dict: dict[str, Any], http_options: Any = None
) -> tuple[str, str, dict[str, Any], Any]:
    return http_method.lower(), path, request_dict, http_options

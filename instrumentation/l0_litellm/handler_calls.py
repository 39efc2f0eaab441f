"""Serve litellm's inference requests through the engine.

litellm makes its objects from the responses that its ``post`` returns, so the user gets litellm's own objects.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from l0.model.errors import raised
from l0.model.policy import PolicyError
from l0.runtime import async_driver, sync_driver
from l0.runtime.call_runtime import CallRuntime
from l0.wrapped_sdks.wrapped_call import CallRequest, begin_call, policy_of
from l0.wrapped_sdks.wrapped_patches import WrappedSdk

from .describe import describe
from .litellm_call_adapter import LitellmCallAdapter
from .post_senders import DONE, AsyncPostSender, AsyncRelayedBody, PostSender, RelayedBody
from .relayed_response import RelayedResponses

_log = logging.getLogger("l0")


class LitellmCalls:
    """The calls of the patched handlers."""

    def __init__(self, sdk: WrappedSdk) -> None:
        self._sdk = sdk
        self._responses = RelayedResponses(sdk.base.httpx)

    def post(self, wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
        """Serve a request of a sync or an async handler."""
        serve = self._apost if isinstance(handler, self._sdk.base.AsyncHTTPHandler) else self._post
        return serve(wrapped, handler, args, kwargs)

    def _post(self, wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
        runtime = self._begin(wrapped, handler, args, kwargs)
        if runtime is None:
            return wrapped(*args, **kwargs)
        if not runtime.call.streaming:
            return sync_driver.request(runtime, PostSender(runtime, wrapped))
        body = RelayedBody(runtime, wrapped)
        first = sync_driver.request(runtime, body)
        return self._responses.sync(first.raw, _relay(runtime, body), runtime, body)

    async def _apost(self, wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
        runtime = self._begin(wrapped, handler, args, kwargs)
        if runtime is None:
            return await wrapped(*args, **kwargs)
        if not runtime.call.streaming:
            return await async_driver.request(runtime, AsyncPostSender(runtime, wrapped))
        body = AsyncRelayedBody(runtime, wrapped)
        first = await async_driver.request(runtime, body)
        return self._responses.asynchronous(first.raw, _arelay(runtime, body), runtime, body)

    def _begin(self, wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> CallRuntime | None:
        """Return the runtime of a call for an answer; ``None`` for other requests, and if the policy turns L0 off. They
        pass through unchanged."""
        policy = policy_of(handler)
        if policy is None:
            return None
        try:
            arguments = inspect.signature(wrapped).bind(*args, **kwargs).arguments
            inference = describe(arguments)
            if inference is None:
                return None
            return begin_call(
                CallRequest(
                    sdk=self._sdk.name,
                    policy=policy,
                    inference=inference,
                    base_url=str(arguments["url"]),
                    streaming=bool(arguments.get("stream")),
                    max_retries=0,
                    default_retries=self._sdk.base.litellm.constants.DEFAULT_MAX_RETRIES,
                ),
                lambda call: LitellmCallAdapter(self._sdk.base, handler, arguments, inference, call),
            )
        except PolicyError:
            raise
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot serve: %s", raised())
            return None


def _relay(runtime: CallRuntime, body: RelayedBody) -> Iterator[bytes]:
    """Yield the events that litellm reads. Hold the last ones until the answer has ended: see `RelayedBody.ending`."""
    held: list[bytes] = []
    try:
        for item in sync_driver.relay(runtime, body):
            if body.ending:
                held.append(item)
            else:
                yield item
    except Exception:
        if runtime.call.dialect == "responses":  # litellm raises its own exception for an error event
            yield from held
        raise
    yield from held
    if runtime.call.dialect == "chat":
        yield DONE


async def _arelay(runtime: CallRuntime, body: AsyncRelayedBody) -> AsyncIterator[bytes]:
    """As `_relay`."""
    held: list[bytes] = []
    items = async_driver.relay(runtime, body)
    try:
        async for item in items:
            if body.ending:
                held.append(item)
            else:
                yield item
    except Exception:
        if runtime.call.dialect == "responses":
            for item in held:
                yield item
        raise
    finally:
        await items.aclose()  # type: ignore[attr-defined]  # a generator
    for item in held:
        yield item
    if runtime.call.dialect == "chat":
        yield DONE

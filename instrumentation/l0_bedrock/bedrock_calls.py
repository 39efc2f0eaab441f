"""Serve the operations of bedrock-runtime that request an answer of a model through the engine.

The user gets botocore's own response. Its `EventStream` reads the messages that the engine delivers.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from l0.model.errors import raised
from l0.model.policy import PolicyError
from l0.runtime import sync_driver
from l0.runtime.call_runtime import CallRuntime
from l0.wrapped_sdks.wrapped_call import CallRequest, begin_call, policy_of
from l0.wrapped_sdks.wrapped_patches import WrappedSdk

from . import single_attempt
from .bedrock_call_adapter import BedrockCallAdapter, retries_of
from .describe import STREAMS, describe
from .operation_senders import CompleteAnswerSender, EventStreamBody

_log = logging.getLogger("l0")


class BedrockCalls:
    """The calls of patched clients. The methods have the names of botocore's functions."""

    def __init__(self, sdk: WrappedSdk) -> None:
        self._sdk = sdk

    def make_request(self, wrapped: Callable[..., Any], endpoint: Any, args: Any, kwargs: Any) -> Any:
        """Serve `Endpoint.make_request`."""
        return single_attempt.make_request(wrapped, endpoint, args, kwargs)

    def _make_api_call(self, wrapped: Callable[..., Any], client: Any, args: Any, kwargs: Any) -> Any:
        """Serve `BaseClient._make_api_call`, through which all operations of all services go."""
        if client.meta.service_model.service_name != "bedrock-runtime":
            return wrapped(*args, **kwargs)
        runtime = self._begin(client, args, kwargs)
        if runtime is None:
            return wrapped(*args, **kwargs)
        if not runtime.call.streaming:
            return sync_driver.request(runtime, CompleteAnswerSender(runtime, wrapped))
        body = EventStreamBody(runtime, wrapped, self._sdk.base.botocore.eventstream)
        response = sync_driver.request(runtime, body).hand_over()
        stream = response[STREAMS[body.adapter.operation]]
        messages = sync_driver.relay(runtime, body)
        stream._raw_stream = RelayedConnection(runtime, body, messages)
        stream._event_generator = messages
        return response

    def _begin(self, client: Any, args: Any, kwargs: Any) -> CallRuntime | None:
        """Return the runtime of a call for an answer; ``None`` for other operations, and if the policy turns L0 off.
        They pass through unchanged."""
        policy = policy_of(client)
        if policy is None:
            return None
        try:
            operation, parameters = _arguments(*args, **kwargs)
            inference = describe(operation, parameters)
            if inference is None:
                return None
            exceptions, (retries, default_retries) = self._sdk.base.botocore.exceptions, retries_of(client)
            return begin_call(
                CallRequest(
                    sdk=self._sdk.name,
                    policy=policy,
                    inference=inference,
                    base_url=client.meta.endpoint_url,
                    streaming=operation in STREAMS,
                    max_retries=retries,
                    default_retries=default_retries,
                ),
                partial(BedrockCallAdapter, exceptions, client, operation, parameters, inference),
            )
        except PolicyError:
            raise
        except Exception:
            _log.debug("l0 leaves alone a request that it cannot serve: %s", raised())
            return None


class RelayedConnection:
    """A stand-in for the connection in the user's `EventStream`. Closing it ends the call. ``messages``: the generator
    of the driver."""

    def __init__(self, runtime: CallRuntime, body: EventStreamBody, messages: Iterator[Any]) -> None:
        self._runtime = runtime
        self._body = body
        self._messages: Any = messages

    def close(self) -> None:
        """End the call, also while another thread reads."""
        self._runtime.close()
        if inspect.getgeneratorstate(self._messages) == inspect.GEN_RUNNING:
            deadline = self._body.read_deadline()
            if deadline is not None:
                deadline.fire()
            return
        self._messages.close()
        self._body.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body.response.raw, name)

    def __del__(self) -> None:
        messages = self.__dict__.get("_messages")
        if messages is not None and inspect.getgeneratorstate(messages) == inspect.GEN_CREATED:  # nobody has read
            self._runtime.abandon(self._body.close)


def _arguments(operation_name: str, api_params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return operation_name, api_params

"""The anthropic implementation of `Provider`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from l0.dialects.messages import MessagesReader
from l0.dialects.provider_errors import error_event_failure
from l0.model.failure import Failure
from l0.model.ports import WireReader
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_call_adapter import ReaderContext
from l0.telemetry.propagation import current_headers

from . import describe as describe_module


class AnthropicProvider:
    """The provider side of the patches for the anthropic SDK."""

    shared_headers = frozenset({"anthropic-beta"})

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    describe = staticmethod(describe_module.describe)

    def reader(self, reading: ReaderContext) -> WireReader:
        return MessagesReader(
            reading.build,
            reading.response.headers.get("content-type", ""),
            names=reading.loop.names,
            typed=reading.loop.typed,
            refuse=partial(_refuse, reading.client, reading.response),
            order=reading.order,
        )

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """Suppress the SDK's own span, since L0 creates one. Propagate the trace context if the client would.

        The SDK sets these headers after a request is signed, because they may change on the way. L0 sets them before,
        so a request that will be signed goes without them.
        """
        if _suppress_own_span(options) and _propagates(client) and not _signs(client):
            own = options.headers if isinstance(options.headers, Mapping) else {}
            options.headers = {**(headers or current_headers()), **own}


def _refuse(client: Any, response: Any, data: bytes) -> Failure:
    """Return the failure of an ``error`` event, with the exception that the SDK raises for it."""

    def make_error(message: str, body: object) -> Exception:
        error: Exception = client._make_status_error(message, body=body, response=response)
        return error

    return error_event_failure(data, make_error, f"Error code: {response.status_code}")


def _suppress_own_span(options: Any) -> bool:
    """Keep the SDK from starting its own span. Return True if it would have started one."""
    if getattr(options, "span_name", None) is None:
        return False
    options.span_name = None
    return True


def _propagates(client: Any) -> bool:
    """Return True if the client's settings propagate the trace context with requests."""
    settings = getattr(client, "_open_telemetry", None)
    if not isinstance(settings, dict) or getattr(client, "_tracer", None) is None:
        return False
    return bool(settings.get("propagation"))


def _signs(client: Any) -> bool:
    """Return True if the client signs the headers of its requests, as those of AWS do without an API key."""
    if hasattr(client, "_use_sigv4"):
        return bool(client._use_sigv4)
    return hasattr(client, "aws_secret_key") and getattr(client, "api_key", None) is None

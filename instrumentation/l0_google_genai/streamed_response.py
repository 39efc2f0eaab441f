"""Read the responses of the transports that google-genai uses: httpx, httpx2, requests and aiohttp."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from l0.runtime.watchdog import ReadDeadline
from l0.wrapped_sdks.httpx_response import HttpxResponse

_REQUESTS_CHUNK = 512
"""Bytes per read from a response of requests, as in google-genai itself."""


class StreamedResponse(HttpxResponse):
    """The response to one streamed request. ``sdk_response``: the SDK's `HttpResponse`. ``request``: the SDK's
    `HttpRequest`.

    The transport's response tells its transport by its attributes. That of httpx and httpx2 has ``iter_bytes``,
    ``aiter_bytes``, ``extensions`` and ``aclose``. That of requests, which sends sync calls only, has ``iter_content``.
    That of aiohttp, which sends async calls only, has ``content``, and its ``close`` is no coroutine.
    """

    def __init__(self, sdk_response: Any, request: Any) -> None:
        self.sdk_response = sdk_response
        self.raw = sdk_response.response_stream
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in sdk_response.headers.items()}
        status = getattr(self.raw, "status_code", None) or getattr(self.raw, "status", None)
        self.status: int = status or 200  # an application's own transport may state none; the SDK raises for errors
        self._request = request

    @property
    def recorded(self) -> Any:
        """As `HttpxResponse.recorded`."""
        return self.raw if hasattr(self.raw, "iter_bytes") else exchange(self._request, self.sdk_response, self.status)

    def reads(self) -> Iterator[bytes]:
        """As `HttpxResponse.reads`."""
        if hasattr(self.raw, "iter_bytes"):
            return super().reads()
        return iter(self.raw.iter_content(chunk_size=_REQUESTS_CHUNK))

    def areads(self) -> AsyncIterator[bytes]:
        """As `HttpxResponse.areads`."""
        return super().areads() if hasattr(self.raw, "aiter_bytes") else aiter(self.raw.content.iter_any())

    def read_deadline(self) -> ReadDeadline | None:
        """As `HttpxResponse.read_deadline`."""
        if hasattr(self.raw, "extensions"):
            return super().read_deadline()
        socket = _socket_of(self.raw)
        return None if socket is None else ReadDeadline(socket)

    def restore_timeout(self, seconds: float | None) -> None:
        """As `HttpxResponse.restore_timeout`."""
        if hasattr(self.raw, "extensions"):
            super().restore_timeout(seconds)
        elif (socket := _socket_of(self.raw)) is not None:
            socket.settimeout(seconds)

    async def aclose(self) -> None:
        """As `HttpxResponse.aclose`."""
        if hasattr(self.raw, "aclose"):
            await super().aclose()
        else:
            self.raw.close()


def _socket_of(response: Any) -> Any:
    """Return the socket of a response of requests; ``None`` if it is not found, or is already released."""
    with suppress(AttributeError):
        return response.raw._connection.sock
    return None


def exchange(request: Any, sdk_response: Any, status: int = 200) -> Any:
    """Return the request and the head of its response in the form that a recording reads, which is httpx's."""
    sent = SimpleNamespace(
        method=request.method.upper(),
        url=request.url,
        headers=SimpleNamespace(raw=_raw(request.headers)),
        content=json.dumps(request.data).encode(),
    )
    headers = SimpleNamespace(raw=_raw(sdk_response.headers))
    return SimpleNamespace(_request=sent, status_code=status, headers=headers)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), str(value).encode()) for name, value in headers.items()]

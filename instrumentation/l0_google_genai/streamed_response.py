"""Read the responses of the transports that google-genai uses: httpx, httpx2, requests and aiohttp."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from l0.runtime.watchdog import ReadDeadline
from l0.stainless.sdk_responses import read_deadline

_REQUESTS_CHUNK = 512
"""Bytes that google-genai itself reads at once from a response of requests."""


class StreamedResponse:
    """The response to one streamed request. ``answer``: the SDK's `HttpResponse`; ``request``: its `HttpRequest`."""

    def __init__(self, answer: Any, request: Any) -> None:
        self.answer = answer
        self.raw = answer.response_stream
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}
        status = getattr(self.raw, "status_code", None) or getattr(self.raw, "status", None)
        self.status: int = status or 200
        self._request = request

    @property
    def recorded(self) -> Any:
        """Return the response in the form that a recording reads: that of httpx."""
        return self.raw if hasattr(self.raw, "iter_bytes") else exchange(self._request, self.answer, self.status)

    def reads(self) -> Iterator[bytes]:
        """Return the raw reads of the body."""
        if hasattr(self.raw, "iter_bytes"):
            return iter(self.raw.iter_bytes())
        return iter(self.raw.iter_content(chunk_size=_REQUESTS_CHUNK))

    def areads(self) -> AsyncIterator[bytes]:
        """As `reads`."""
        if hasattr(self.raw, "aiter_bytes"):
            return aiter(self.raw.aiter_bytes())
        return aiter(self.raw.content.iter_any())

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for reads of the connection; ``None`` if nothing is known that can end such a read."""
        if hasattr(self.raw, "extensions"):
            return read_deadline(self.raw)
        socket = _socket_of(self.raw)
        return None if socket is None else ReadDeadline(socket)

    def restore_timeout(self, seconds: float | None) -> None:
        """Let reads of the body take as long as the user allows, after a shorter limit for the headers."""
        if hasattr(self.raw, "extensions"):
            timeouts = self.raw.request.extensions.get("timeout")
            if isinstance(timeouts, dict):
                timeouts["read"] = seconds
        elif (socket := _socket_of(self.raw)) is not None:
            socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection, or give it back if the body was read to its end."""
        self.raw.close()

    async def aclose(self) -> None:
        """As `close`."""
        if hasattr(self.raw, "aclose"):
            await self.raw.aclose()
        else:
            self.raw.close()


def _socket_of(response: Any) -> Any:
    """Return the socket below a response of requests; ``None`` if it is not found, or is released."""
    with suppress(AttributeError):
        return response.raw._connection.sock
    return None


def exchange(request: Any, answer: Any, status: int = 200) -> Any:
    """Return the request and the head of its response in the form that a recording reads: that of httpx."""
    sent = SimpleNamespace(
        method=request.method.upper(),
        url=request.url,
        headers=SimpleNamespace(raw=_raw(request.headers)),
        content=json.dumps(request.data).encode(),
    )
    return SimpleNamespace(_request=sent, status_code=status, headers=SimpleNamespace(raw=_raw(answer.headers)))


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), str(value).encode()) for name, value in headers.items()]

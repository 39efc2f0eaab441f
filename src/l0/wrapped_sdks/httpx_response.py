"""Read a streamed response of httpx or httpx2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from l0.runtime.watchdog import ReadDeadline
from l0.stainless.sdk_responses import read_deadline


class HttpxResponse:
    """The response to one streamed request. ``raw``: the transport's own response."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in raw.headers.items()}
        self.status: int = raw.status_code

    @property
    def recorded(self) -> Any:
        """Return the response in the form that a recording reads, which is httpx's."""
        return self.raw

    def reads(self) -> Iterator[bytes]:
        """Return the raw reads of the body."""
        return iter(self.raw.iter_bytes())

    def areads(self) -> AsyncIterator[bytes]:
        """As `reads`."""
        return aiter(self.raw.aiter_bytes())

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for reads of the connection; ``None`` if L0 knows no way to end a blocked read."""
        return read_deadline(self.raw)

    def restore_timeout(self, seconds: float | None) -> None:
        """Set the user's own limit for each read of the body: the request was sent with a shorter one."""
        timeouts = self.raw.request.extensions.get("timeout")
        if isinstance(timeouts, dict):
            timeouts["read"] = seconds

    def close(self) -> None:
        """Close the connection, or return it to its pool if the body was read to its end."""
        self.raw.close()

    async def aclose(self) -> None:
        """As `close`."""
        await self.raw.aclose()

"""Read the response of one streamed attempt, and its event stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from l0.runtime.watchdog import ReadDeadline
from l0.wrapped_sdks.httpx_response import HttpxResponse

_READ = 65_536
"""Maximum number of bytes per read."""


class EventResponse(HttpxResponse):
    """The response to one streamed request. ``response``: botocore's response. ``field``: the name of its field that
    holds the `EventStream`."""

    def __init__(self, response: dict[str, Any], field: str) -> None:
        self._response: dict[str, Any] | None = response
        stream, metadata = response[field], response["ResponseMetadata"]
        self.raw = stream._raw_stream
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in metadata["HTTPHeaders"].items()}
        self.status: int = metadata["HTTPStatusCode"]
        self._parser, self._shape, self._operation = stream._parser, stream._output_shape, stream._operation_name

    def hand_over(self) -> dict[str, Any]:
        """Return botocore's response and forget it: the user's stream will refer to this object, and a reference back
        would make a cycle."""
        response, self._response = self._response, None
        assert response is not None
        return response

    def exception_in(self, message: Any) -> tuple[Any, str]:
        """Return a message that states an exception, as botocore parses it, and the name of the operation."""
        return self._parser.parse(message.to_response_dict(), self._shape), self._operation

    def reads(self) -> Iterator[bytes]:
        """As `HttpxResponse.reads`. If the body is not chunked, `read1` returns what has arrived, while `stream`, which
        botocore uses, would wait for more."""
        read1 = getattr(self.raw, "read1", None)  # urllib3 1 has no `read1`
        if self.raw.chunked or read1 is None:
            return iter(self.raw.stream())
        return iter(partial(read1, _READ), b"")

    def read_deadline(self) -> ReadDeadline | None:
        """As `HttpxResponse.read_deadline`."""
        socket = self._socket()
        return None if socket is None else ReadDeadline(socket)

    def restore_timeout(self, seconds: float | None) -> None:
        """As `HttpxResponse.restore_timeout`."""
        socket = self._socket()
        if socket is not None:
            socket.settimeout(seconds)

    def _socket(self) -> Any:
        """Return the socket below the response; ``None`` if it is not found, or if the body was read to its end."""
        with suppress(AttributeError):
            return self.raw._fp.fp.raw._sock
        return None

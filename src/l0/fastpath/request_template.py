"""Make requests with other bodies from one request that an SDK has built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .comparison import difference
from .request_inputs import RequestInputs, UntraceableError

_LENGTH, _COOKIE = b"content-length", b"cookie"
_SIGNIFICANT = frozenset({b"content-type", b"transfer-encoding", _LENGTH, _COOKIE})
"""Headers whose values affect the rest of a request, so they cannot be propagated headers."""
_PARTS = ["method", "url", "headers", "extensions", "stream", "_content"]
"""The attributes of a request of the transport, in their order."""
_HEADERS = ["_list", "_encoding"]
"""The same for its headers."""
_TIMEOUT = "timeout"


class RequestTemplate:
    """A template made from ``request``, whose body is ``body``. Raises `UntraceableError` for an unknown kind of
    request.

    ``propagated``: the headers that propagate a trace, with their values, which differ for each request. ``inputs``,
    ``http_inputs``: the state on which the request depends, of the SDK's client and of the transport's client.
    """

    __slots__ = (
        "_body_hash",
        "_encoding",
        "_http_inputs",
        "_inputs",
        "_kinds",
        "_length_name",
        "_lines",
        "_method",
        "_places",
        "_propagated",
        "_proven",
        "_timeout",
        "_url",
    )

    def __init__(
        self,
        request: Any,
        body: bytes,
        propagated: Mapping[str, bytes],
        inputs: RequestInputs,
        http_inputs: RequestInputs,
    ) -> None:
        headers, stream = request.headers, request.stream
        *lines, (self._length_name, lower, length) = headers._list
        if lines and lines[-1][1] == _COOKIE:
            lines.pop()  # `request` sets it for each request, from the cookies of the client
        known = lower == _LENGTH and length == b"%d" % len(body) and _COOKIE not in [name for _, name, _ in lines]
        known &= list(vars(request)) == _PARTS and list(vars(headers)) == _HEADERS and list(vars(stream)) == ["_stream"]
        if not known or request._content != body or list(request.extensions) != [_TIMEOUT]:
            raise UntraceableError
        self._kinds = type(request), type(headers), type(stream)
        self._lines = lines
        self._encoding = headers._encoding
        self._method = request.method
        self._url = request.url
        self._timeout = dict(request.extensions[_TIMEOUT])
        self._inputs = inputs
        self._http_inputs = http_inputs
        self._body_hash: int | None = hash(body)
        """The hash of the only body for which the template is proven; ``None`` once it is proven for all bodies."""
        self._places = [_place(lines, name, value) for name, value in propagated.items()]
        self._propagated: Sequence[bytes] | None = list(propagated.values())
        """The only values of propagated headers for which the template is proven; ``None`` once it is proven for
        all."""
        self._proven = False

    def current(self, client: Any, http: Any) -> bool:
        """Return True if the state of the clients, on which the request depends, has not changed.

        ``http``: the client of the transport.
        """
        return self._inputs.same(client) and self._http_inputs.same(http)

    def proven_for(self, body: bytes, propagated: Sequence[bytes]) -> bool:
        """Return True if the template is proven for this body and these values of propagated headers: a request made
        from it was the same as the SDK's."""
        if not self._proven or (self._propagated is not None and self._propagated != propagated):
            return False
        return self._body_hash is None or self._body_hash == hash(body)

    def prove(self, body: bytes, propagated: Sequence[bytes], cookies: Any, request: Any) -> str | None:
        """Compare a request made from the template with ``request``, which the SDK has built. Return the first
        difference; ``None`` if there is none, which proves the template."""
        made = self.request(body, propagated, cookies)
        wrong = difference(_parts(made), _parts(request))
        if wrong is None:
            self._proven = True
            if self._body_hash != hash(body):
                self._body_hash = None
            if self._propagated != propagated:
                self._propagated = None
        return wrong

    def request(self, body: bytes, propagated: Sequence[bytes], cookies: Any) -> Any:
        """Return a new request. ``propagated``: the values of propagated headers. ``cookies``: those of the transport's
        client."""
        request_kind, headers_kind, stream_kind = self._kinds
        request, headers = object.__new__(request_kind), object.__new__(headers_kind)
        lines = self._lines.copy()
        for (index, name, lower), value in zip(self._places, propagated, strict=True):
            lines[index] = name, lower, value
        headers.__dict__ = {"_list": lines, "_encoding": self._encoding}
        request.__dict__ = {
            "method": self._method,
            "url": self._url,
            "headers": headers,
            "extensions": {_TIMEOUT: self._timeout.copy()},
            "stream": stream_kind(body),
            "_content": body,
        }
        if cookies:
            cookies.set_cookie_header(request)
            headers.__dict__["_encoding"] = self._encoding  # `set_cookie_header` reads the headers, which changes it
        lines.append((self._length_name, _LENGTH, b"%d" % len(body)))
        return request


def _place(lines: Sequence[tuple[bytes, bytes, bytes]], name: str, value: bytes) -> tuple[int, bytes, bytes]:
    """Return the index of a header in the lines of a request, its name as it is sent, and that name in lower case."""
    lower = name.lower().encode()
    indices = [index for index, line in enumerate(lines) if line[1] == lower]
    if len(indices) != 1 or lines[indices[0]][2] != value or lower in _SIGNIFICANT:
        raise UntraceableError
    return indices[0], lines[indices[0]][0], lower


def _parts(request: Any) -> list[Any]:
    """Return the state of a request, for a comparison."""
    parts = vars(request)
    headers, stream, url = parts["headers"], parts["stream"], parts["url"]
    kinds = [kind.__qualname__ for kind in map(type, (request, headers, stream, url))]
    values = {name: value for name, value in parts.items() if name not in ("headers", "stream", "url")}
    return [kinds, list(parts), vars(headers), vars(stream), str(url), vars(url), values]

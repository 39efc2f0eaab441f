"""Describe a failure of the transport, if its exception says more than the cause: which limit, or what kind of end.

Exceptions are recognized by their classes, never by their text, which is a third party's.
"""

from __future__ import annotations

from typing import Any

from l0.model.failure import Cause

from .exception_links import is_a, links

_PHASES = {"ConnectTimeout": "connect", "ReadTimeout": "read", "WriteTimeout": "write", "PoolTimeout": "pool"}
"""The timeout of httpx that each exception reports."""
_LATE = {
    "connect": "no connection",
    "read": "no response",
    "write": "the request was not sent",
    "pool": "no free connection",
}
_UNCONNECTED = (
    *("ConnectError", "ConnectTimeout", "ProxyError"),  # httpx
    *("NewConnectionError", "EndpointConnectionError", "ClientConnectorError"),  # urllib3, botocore, aiohttp
)
_CLOSED = (
    *("RemoteProtocolError", "ReadError", "WriteError"),  # httpx
    *("RemoteDisconnected", "ConnectionClosedError", "ServerDisconnectedError"),  # http.client, botocore, aiohttp
    *(ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
)
_HTTP_PARSERS = ("h11", "h2")


def transport_message(cause: Cause, error: BaseException) -> str:
    """Return L0's own text for a failure of the transport; empty if the meaning of ``cause`` says all that is known."""
    if cause in (Cause.NO_HEADERS, Cause.READ_TIMEOUT):
        return _of_timeout(cause, error)
    return _of_closed(error) if cause is Cause.CONNECTION else ""


def _of_timeout(cause: Cause, error: BaseException) -> str:
    names = [base.__name__ for link in links(error) for base in type(link).__mro__]
    phase = next((_PHASES[name] for name in names if name in _PHASES), None)
    seconds = None if phase is None else dict.get(_timeouts(error), phase)
    if phase is None or not isinstance(seconds, int | float):
        return ""
    late = "the response stopped arriving: nothing" if cause is Cause.READ_TIMEOUT else _LATE[phase]
    return f"{late} within {seconds:g} s, the SDK's timeout"


def _timeouts(error: BaseException) -> dict[str, Any]:
    """Return the timeouts of the request that failed. Read them with `dict.get`: a subclass may subtract the time that
    has passed."""
    for link in links(error):
        request = link.__dict__.get("_request") or link.__dict__.get("request")
        timeouts = (getattr(request, "extensions", None) or {}).get("timeout")
        if isinstance(timeouts, dict):
            return timeouts
    return {}


def _of_closed(error: BaseException) -> str:
    chain = list(links(error))
    if any(is_a(link, _UNCONNECTED) for link in chain):
        return ""
    if any(type(link).__module__.partition(".")[0] in _HTTP_PARSERS for link in chain):
        return "the response is not valid HTTP"
    closed = any(is_a(link, _CLOSED) for link in chain)
    return "the connection was closed before the headers of the response" if closed else ""

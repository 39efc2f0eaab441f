"""Make requests from templates, which are earlier requests of the SDK.

For each request the SDK merges headers from half a dozen mappings, encodes them, and parses the URL three times: 0.2 ms
of CPU, for a result that differs from the request before only in the body and its length. This module stores one
request of each kind as a template. It makes a template from the second request of its kind, and records every attribute
of the clients that the SDK's code reads for it. A template is used after it has made the same request as the SDK once,
and as long as these attributes do not change. Other values of headers that propagate a trace do not make another kind:
the template gets the values of each request. The SDK builds all other requests: with a body that is not JSON, with
query parameters, with the SDK's log at debug level, through code that is not the SDK's, and with values whose changes
cannot be detected.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from l0.model.errors import raised

from .attribute_recorder import AttributeRecorder, code_package
from .request_inputs import RequestInputs, UntraceableError, is_absent, is_timeout, timeout_parts
from .request_template import RequestTemplate

Templates = dict[tuple[Any, ...], RequestTemplate | None]
Build = Any
"""The SDK's ``_build_request``, bound to a client, or the replacement by another library."""

MAX_TEMPLATES = 8
"""Maximum number of templates per client. Each takes about 8 KB."""
MAX_SEEN = 64
"""Maximum number of kinds of requests that are remembered per client. Headers that differ for each call make a new kind
each time."""
_INERT = frozenset({"follow_redirects", "idempotency_key", "json_data", "max_retries", "post_parser"})
"""Options that do not change the request, or that other code here handles."""
_MUST_BE_EMPTY = frozenset({"content", "extra_json", "files", "params"})
"""Options that a template does not support."""
_HTTP = "_client"
"""The attribute of the SDK's client that is the client of the transport."""
_log = logging.getLogger("l0")


class _ClientRequests:
    """The requests of one client. ``seen``: the kinds that were built once. ``templates``: by kind; ``None`` for a kind
    that the SDK must build."""

    __slots__ = ("seen", "templates")

    def __init__(self) -> None:
        self.seen: set[tuple[Any, ...]] = set()
        self.templates: Templates = {}

    def recurs(self, key: tuple[Any, ...]) -> bool:
        """Return True if a request of this kind was built before, and there is room for another template."""
        if key in self.seen:
            return len(self.templates) < MAX_TEMPLATES
        if len(self.seen) >= MAX_SEEN:
            self.seen.clear()
        self.seen.add(key)
        return False


class _Found(NamedTuple):
    """The templates of a client, the key for one kind of request, and its template; ``None`` if it must be made.

    ``propagated``: as in `RequestTemplate`.
    """

    templates: Templates
    key: tuple[Any, ...]
    propagated: dict[str, bytes]
    template: RequestTemplate | None


class RequestTemplates:
    """The templates of all clients of one SDK. Safe to share between threads.

    Args:
        base: the SDK's ``_base_client``.

    ``switched_off``: the difference between the requests of a template and of the SDK, by URL of the request.
    """

    def __init__(self, base: ModuleType) -> None:
        self._sdk = base.__name__.partition(".")[0]
        self._base: Any = base
        self._encodes = hasattr(base, "openapi_dumps")
        self._log_at: Callable[[int], bool] | None = getattr(getattr(base, "log", None), "isEnabledFor", None)
        self._clients: WeakKeyDictionary[Any, _ClientRequests] = WeakKeyDictionary()
        self.switched_off: dict[str, str] = {}

    def build(
        self, client: Any, build: Build, options: Any, retries_taken: int, propagated: Collection[str] = ()
    ) -> Any:
        """Return the same request as ``build(options, retries_taken=retries_taken)``.

        ``propagated``: the names of headers that propagate a trace.
        """
        found = self._find(client, build, options, retries_taken, propagated)
        if found is None:
            return build(options, retries_taken=retries_taken)
        if found.template is None:
            return self._compile(found, client, build, options, retries_taken)
        body, values = self._body(options), list(found.propagated.values())
        cookies = getattr(client, _HTTP)._cookies
        if found.template.proven_for(body, values):
            return found.template.request(body, values, cookies)
        request = build(options, retries_taken=retries_taken)
        wrong = found.template.prove(body, values, cookies, request)
        if wrong is not None:
            found.templates[found.key] = None
            self.switched_off[str(options.url)] = wrong
            _log.warning("l0 leaves the requests to %s to the SDK: %s", options.url, wrong)
        return request

    def _find(
        self, client: Any, build: Build, options: Any, retries_taken: int, propagated: Collection[str]
    ) -> _Found | None:
        """Return what is known of this kind of request; ``None`` if the SDK must build the request."""
        try:
            requests = self._clients.get(client)
            if requests is None:
                requests = self._clients.setdefault(client, _ClientRequests())
            http, templates = getattr(client, _HTTP), requests.templates
            values = _values(options.headers, propagated) if propagated else {}
            key = self._key(client, http, build, options, retries_taken, values)
            template = templates.get(key)
            if template is None:
                recurs = key not in templates and requests.recurs(key)
                return _Found(templates, key, values, None) if recurs else None
            if template.current(client, http):
                return _Found(templates, key, values, template)
            templates.clear()
        except Exception:  # an SDK that works in an unknown way
            pass
        return None

    def _key(
        self, client: Any, http: Any, build: Build, options: Any, retries_taken: int, propagated: dict[str, bytes]
    ) -> tuple[Any, ...]:
        """Return the kind of a request: everything in the options on which it depends, except the body and the values
        of propagated headers."""
        if not self._encodes or self._log_at is None or self._log_at(logging.DEBUG) or type(build) is not MethodType:
            raise UntraceableError
        if client._idempotency_header is not None or type(options.json_data) is not dict:
            raise UntraceableError
        key: list[Any] = [build.__func__, retries_taken, bool(http._cookies)]
        for name, value in vars(options).items():
            if name in _MUST_BE_EMPTY:
                if value:
                    raise UntraceableError
            elif name == "headers" and propagated:
                key += (name, _frozen(value | dict.fromkeys(propagated)))
            elif name not in _INERT:
                key += (name, value if value is None or type(value) is str else _frozen(value))
        return tuple(key)

    def _compile(self, found: _Found, client: Any, build: Any, options: Any, retries_taken: int) -> Any:
        """Make a template of the request that the SDK builds, and return the request."""
        found.templates[found.key] = None
        try:
            if code_package(build.__func__) != self._sdk:
                raise UntraceableError
            recorded_http = AttributeRecorder(getattr(client, _HTTP), {})
            recorded = AttributeRecorder(client, {_HTTP: recorded_http.stand_in})
            request = build.__func__(recorded.stand_in, options, retries_taken=retries_taken)
        except Exception:  # no stand-in is possible, or the SDK rejects the request
            return build(options, retries_taken=retries_taken)
        try:
            packages = frozenset({self._sdk, type(request).__module__.partition(".")[0]})
            inputs = RequestInputs(recorded, frozenset({_HTTP}), packages)
            http_inputs = RequestInputs(recorded_http, frozenset({"_cookies"}), packages)
            body = self._body(options)
            found.templates[found.key] = RequestTemplate(request, body, found.propagated, inputs, http_inputs)
        except Exception:  # an unknown kind of request or client
            _log.debug("l0 leaves the requests to %s to the SDK: %s", options.url, raised())
        return request

    def _body(self, options: Any) -> bytes:
        body: bytes = self._base.openapi_dumps(options.json_data)
        return body


def _values(headers: Any, propagated: Collection[str]) -> dict[str, bytes]:
    """Return the headers that propagate a trace, with their values in ASCII.

    Raises an exception for other values: `UntraceableError` if one is not text, and `UnicodeEncodeError` if it is not
    ASCII, because that would change the encoding of all headers.
    """
    values = {}
    for name, value in headers.items():
        if name in propagated:
            if type(value) is not str:
                raise UntraceableError
            values[name] = value.encode("ascii")
    return values


def _frozen(value: Any) -> Any:
    """Return a hashable form of an option's value, with its types, because ``1 == True``. Raises `UntraceableError` for
    unknown types."""
    kind = type(value)
    if kind is str or value is None or kind is FunctionType:
        return value
    if kind in (bool, int, float):
        return kind, value
    if kind is dict:
        return tuple([(name, each if type(each) is str else _frozen(each)) for name, each in value.items()])
    if kind is tuple or kind is list:
        return kind, *map(_frozen, value)
    if is_absent(value):
        return kind
    if is_timeout(value):
        return timeout_parts(value)
    raise UntraceableError

"""A route of the JSON API. It answers a parameter that it does not know, or a value that is not allowed, with 400."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .api_contract import ApiError
from .call_filter import QueryError, check_names
from .json_response import json_response


def api_route(path: str, endpoint: Callable[[Request], Awaitable[Response]], parameters: Collection[str] = ()) -> Route:
    """Return the route of an endpoint that takes these ``parameters``, and may raise `QueryError`."""

    async def checked(request: Request) -> Response:
        try:
            check_names(request.query_params, parameters)
            return await endpoint(request)
        except QueryError as error:
            return json_response(ApiError(error=str(error)), 400)

    return Route(path, checked)

"""The viewer as an ASGI application: the JSON API, the receivers of OTLP, and the page."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import l0
from l0.model.failure import MEANINGS

from .api_contract import About, ApiError
from .api_route import api_route
from .call_detail import call_detail
from .call_filter import FILTERS, PAGE_PARAMETERS
from .call_overview import overview
from .call_queries import calls_page, facets, kept
from .call_store import CallStore
from .json_response import json_response
from .live_calls import LiveCalls
from .otlp_routes import SIGNALS, receive
from .recorded_calls import RecordedCalls
from .recording_routes import recording_routes
from .request_guard import RequestGuard

STATIC = Path(__file__).parent / "static"
_Query = Callable[[sqlite3.Connection, Mapping[str, Sequence[str]]], Any]


def viewer_app(store: CallStore, live: LiveCalls, recorded: RecordedCalls) -> Starlette:
    """Return the application. It closes ``store`` and ``recorded`` when it ends."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            recorded.close()
            store.close()

    routes = [
        *(Route(f"/v1/{signal}", partial(receive, signal), methods=["POST"]) for signal in SIGNALS),
        api_route("/api/overview", partial(_answer, overview), FILTERS),
        api_route("/api/calls", partial(_answer, calls_page), {**FILTERS, **PAGE_PARAMETERS}),
        api_route("/api/calls/{trace_id}/{span_id}", _detail),
        *recording_routes(),
        api_route("/api/facets", partial(_answer, lambda connection, _: facets(connection))),
        api_route("/api/about", partial(_answer, partial(_about, store))),
        api_route("/api/live", _live),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(RequestGuard)], lifespan=lifespan)
    app.state.store, app.state.live, app.state.recorded = store, live, recorded
    return app


async def _answer(query: _Query, request: Request) -> Response:
    store: CallStore = request.app.state.store
    parameters = {name: request.query_params.getlist(name) for name in request.query_params}
    return json_response(await store.query(lambda connection: query(connection, parameters)))


async def _detail(request: Request) -> Response:
    store: CallStore = request.app.state.store
    ids = request.path_params["trace_id"], request.path_params["span_id"]
    found = await store.query(lambda connection: call_detail(connection, *ids))
    return (
        json_response(found)
        if found is not None
        else json_response(ApiError(error="this call is not kept, or no longer"), 404)
    )


async def _live(request: Request) -> Response:
    live: LiveCalls = request.app.state.live
    if live.full:
        return json_response(ApiError(error="too many pages are open"), 503)
    return StreamingResponse(live.messages(), media_type="text/event-stream")


def _about(store: CallStore, connection: sqlite3.Connection, _: Mapping[str, Sequence[str]]) -> About:
    calls, spans, size = kept(connection)
    limits = store.limits
    return About(
        name="l0 view",
        version=l0.__version__,
        calls=calls,
        spans=spans,
        bytes=size,
        max_calls=limits.max_calls,
        max_bytes=limits.max_bytes,
        causes={cause.value: meaning for cause, meaning in MEANINGS.items()},
    )

"""The routes of recorded calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from l0.recording.recording import RecordedCall

from .api_contract import ApiError, RecordingLookup
from .api_route import api_route
from .json_response import json_response
from .recorded_bodies import answer_page, offset_of, request_page
from .recorded_calls import RecordedCalls
from .recording_detail import recording_detail

_PATH = "/api/calls/{trace_id}/{span_id}/recording"
_Page = Callable[[RecordedCall, int, int], Any]


def recording_routes() -> list[Route]:
    """Return the routes. The application has its `RecordedCalls` in ``state.recorded``."""
    return [
        api_route(_PATH, _lookup),
        api_route(f"{_PATH}/{{attempt:int}}/request", partial(_part, request_page), ["offset"]),
        api_route(f"{_PATH}/{{attempt:int}}/answer", partial(_part, answer_page), ["offset"]),
    ]


async def _lookup(request: Request) -> Response:
    recorded: RecordedCalls = request.app.state.recorded
    search = await recorded.read(*_ids(request), recording_detail)
    folders = [str(folder) for folder in search.folders]
    return json_response(RecordingLookup(folders=folders, problems=[*search.problems], call=search.found))


async def _part(page: _Page, request: Request) -> Response:
    recorded: RecordedCalls = request.app.state.recorded
    number = request.path_params["attempt"]
    offset = offset_of({name: request.query_params.getlist(name) for name in request.query_params})
    search = await recorded.read(*_ids(request), lambda call: page(call, number, offset))
    if search.found is None:
        return json_response(ApiError(error="this body is not recorded, or no longer"), 404)
    return json_response(search.found)


def _ids(request: Request) -> tuple[str, str]:
    return request.path_params["trace_id"], request.path_params["span_id"]

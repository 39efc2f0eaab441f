"""The receivers of OTLP over HTTP: traces, metrics and logs."""

from __future__ import annotations

import asyncio
from functools import partial
from types import ModuleType

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from . import otlp_json, otlp_protobuf
from .call_store import CallStore
from .otlp_body import PROTOBUF, BodyRefusedError, content_type, read_body
from .otlp_values import OtlpError
from .span_writer import QueueFullError, StoreFailedError

RETRY_AFTER_SECONDS = 1
_REJECTED = "spans without a valid trace id and span id"
_FORMATS: dict[str, ModuleType] = {PROTOBUF: otlp_protobuf}
SIGNALS = ("traces", "metrics", "logs")
_STATUS_CODES = {400: 3, 413: 8, 415: 3, 503: 14}
"""The code of ``google.rpc.Status`` for each HTTP status: invalid argument, resource exhausted, unavailable."""


async def receive(signal: str, request: Request) -> Response:
    """Store the content of one request, and answer then: the sender retries what was not stored."""
    store: CallStore = request.app.state.store
    kind = PROTOBUF
    try:
        kind = content_type(request.headers)
        body = await read_body(request.headers, request.stream())
        encoding = _FORMATS.get(kind, otlp_json)
        message = encoding.parse(signal, body)
        stored = store.write(partial(encoding.read, signal, message), len(body))
        rejected = await asyncio.wrap_future(stored)
    except BodyRefusedError as error:
        return _failed(kind, error.status, str(error))
    except OtlpError as error:
        return _failed(kind, 400, str(error))
    except QueueFullError:
        return _failed(kind, 503, "too much data waits to be stored; send it again later")
    except StoreFailedError as error:
        return _failed(kind, 503, str(error))
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    return Response(encoding.response(signal, rejected, _REJECTED), media_type=kind)


def _failed(kind: str, status: int, message: str) -> Response:
    body = _FORMATS.get(kind, otlp_json).error_body(_STATUS_CODES[status], message)
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    if status == 413:
        headers["connection"] = "close"  # the rest of the body is not read
    return Response(body, status, headers, media_type=kind)

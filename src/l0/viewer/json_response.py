"""The answers of the JSON API."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value of the API as a response."""
    # ASCII only: lone surrogates of hostile text become escapes, which every parser reads.
    return Response(json.dumps(value, allow_nan=False), status, media_type="application/json")

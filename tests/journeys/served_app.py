"""An application that asks a model for each request. Served by gunicorn or uvicorn in its own process.

Environment variables hold the URLs of the provider and of a collector, the path of the stored objectives, and the
folder of the recording. The disk is slow: a process that ends without waiting for it loses events. ``python
served_app.py PORT`` serves it by `uvicorn.run`.
"""

import os
import sys
import time
from typing import Any

import openai

import l0
from l0.recording import recorder
from l0.shared_state import slo_storage, termination
from l0.telemetry import otlp

# A machine that is busy may need longer than the limits for production.
termination.WAIT_S = termination.BUDGET_S = slo_storage.EXIT = recorder._EXIT_S = otlp.GRACE = 60.0
_add = slo_storage.Storage.add


def _add_slowly(*arguments: Any) -> None:
    time.sleep(0.5)
    _add(*arguments)


slo_storage.Storage.add = _add_slowly  # type: ignore[method-assign]
l0.slo.start(store=os.environ["SLO_STORE"])
l0.instrument(otlp=os.environ["COLLECTOR"], record=os.environ["RECORDING"])
_REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
_OPTIONS: dict[str, Any] = {"api_key": "k", "base_url": os.environ["PROVIDER"]}


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Answer once the model has."""
    with openai.OpenAI(**_OPTIONS) as client:
        for _ in client.chat.completions.create(**_REQUEST):
            pass
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Stream an answer as long as the model does."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async with openai.AsyncOpenAI(**_OPTIONS) as client:
        async for _ in await client.chat.completions.create(**_REQUEST):
            await send({"type": "http.response.body", "body": b".", "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(asgi, port=int(sys.argv[1]), log_level="warning", lifespan="off")

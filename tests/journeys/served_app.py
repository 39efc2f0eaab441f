"""An application that asks a model for each request. Served by gunicorn in a process of its own.

The environment says where the provider is, and where the objectives are stored.
"""

import os
from typing import Any

import openai

import l0

l0.slo.start(store=os.environ["SLO_STORE"])
l0.instrument()
_REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
_OPTIONS: dict[str, Any] = {"api_key": "k", "base_url": os.environ["PROVIDER"]}


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Answer once the model has."""
    with openai.OpenAI(**_OPTIONS) as client:
        for _ in client.chat.completions.create(**_REQUEST):
            pass
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]

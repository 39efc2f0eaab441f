"""Programs that know nothing of l0, for `l0 run`: each prints or serves one streamed answer. ``PROVIDER``: the URL."""

import multiprocessing
import os
import sys
from collections.abc import Iterable

import openai

if "EXIT_LIMIT_S" in os.environ:  # on a busy machine, the end may take longer than l0 waits for it
    from l0.recording import recorder
    from l0.telemetry import otlp

    recorder._EXIT_S = otlp.GRACE = float(os.environ["EXIT_LIMIT_S"])


def answer() -> str:
    """Stream one answer."""
    client = openai.OpenAI(api_key="k", base_url=os.environ["PROVIDER"])
    stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def wsgi(environ: object, start_response: object) -> Iterable[bytes]:
    """Serve one answer."""
    start_response("200 OK", [("content-type", "text/plain")])  # type: ignore[operator]
    return [answer().encode()]


def asgi() -> object:
    """Return a FastAPI application: a factory, so that the other programs do not need FastAPI."""
    from fastapi import FastAPI

    app = FastAPI()
    app.get("/")(answer)
    return app


if __name__ == "__main__":
    start_method = sys.argv[1] if len(sys.argv) > 1 else None
    if start_method is None:
        print("TEXT", answer())
    else:
        with multiprocessing.get_context(start_method).Pool(1) as pool:
            print("TEXT", pool.apply(answer))

"""A chat in the browser: FastAPI streams the answers of openai, and a page shows them word by word.

    pip install 'l0-otel[openai]' fastapi uvicorn
    python examples/chat_app/chat_app.py

Then open http://127.0.0.1:8000. A simulated provider refuses the first request and breaks the second answer, and the
page shows neither. With a key, `OPENAI_API_KEY=... python examples/chat_app/chat_app.py --live` calls a real model.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

try:
    import uvicorn
    from fastapi import Body, FastAPI, HTTPException
    from fastapi.responses import FileResponse, StreamingResponse
    from openai import APIError, APITimeoutError, AsyncOpenAI, AsyncStream, RateLimitError
    from openai.types.chat import ChatCompletionChunk
    from starlette.types import Receive, Scope, Send

    import l0
    from l0.testing import simulator
except ImportError as missing:
    sys.exit(f"{missing}. This example needs: pip install 'l0-otel[openai]' fastapi uvicorn")

# "exact" requests a broken answer again and skips what the browser has; if the new answer differs, the call fails.
l0.instrument(l0.Policy.interactive(resume="exact"))
chats: dict[str, list[Any]] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make one client, and so one pool of connections, for all requests."""
    async with AsyncOpenAI() as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(Path(__file__).with_name("page.html"))


@app.post("/chats/{chat}")
async def answer(chat: str, text: Annotated[str, Body(embed=True)]) -> StreamingResponse:
    """Stream the answer to a message, with the conversation so far, as server-sent events."""
    turns = [*chats.get(chat, []), {"role": "user", "content": text}]
    try:
        stream = await app.state.client.chat.completions.create(model="gpt-4o-mini", messages=turns, stream=True)
    except APIError as error:  # retries did not help
        raise HTTPException(status_of(error), "the model is not available") from error
    return Events(chat, turns, stream)


def status_of(error: APIError) -> int:
    """Return 504 if the provider was too slow, 503 if its rate limit is reached, else 502."""
    if isinstance(error, APITimeoutError):
        return 504
    return 503 if isinstance(error, RateLimitError) else 502


class Events(StreamingResponse):
    """The events of one answer. `events` never starts if the browser leaves early, so this closes the stream."""

    def __init__(self, chat: str, turns: list[Any], stream: AsyncStream[ChatCompletionChunk]) -> None:
        super().__init__(events(chat, turns, stream), media_type="text/event-stream")
        self.stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and close the connection to the provider, however that ends."""
        async with self.stream:
            await super().__call__(scope, receive, send)


async def events(chat: str, turns: list[Any], stream: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    """Yield the pieces of an answer, and its end. Only a complete answer becomes a part of the conversation."""
    text = ""
    try:
        async for chunk in stream:
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                text += piece
                yield f"event: piece\ndata: {json.dumps(piece)}\n\n"
    except APIError as error:  # the status has been sent by now, so the page learns of it by an event
        yield f"event: broken\ndata: {json.dumps(getattr(error, 'reason', 'failed'))}\n\n"
        return
    chats[chat] = [*turns, {"role": "assistant", "content": text}]
    yield "event: done\ndata: null\n\n"


def serve() -> None:
    """Serve the application until Ctrl-C."""
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))


def main() -> None:
    """Serve the page, with a real model or with the simulator behind it."""
    if "--live" in sys.argv:
        serve()
        return
    with simulator(delays="gemini-2.5-flash-lite") as sim:
        os.environ.update(OPENAI_BASE_URL=sim.openai, OPENAI_API_KEY="none")
        sim.on(turn=1, reply="answer explain_rain | status 503 times=1")
        sim.on(turn=2, reply="answer story | reset at_event=12 times=1")
        serve()


if __name__ == "__main__":
    main()

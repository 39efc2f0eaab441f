"""A small chat application: FastAPI, and openai behind it. Its tests run without a network, from cassettes."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from openai import APIError, APIStatusError, AsyncOpenAI
from pydantic import BaseModel

MODEL = "gpt-4o"
app = FastAPI()
_chats: dict[str, list[Any]] = {}


class Question(BaseModel):
    """A message of the user."""

    text: str


@app.post("/chats/{chat}/messages")
async def answer(chat: str, question: Question) -> dict[str, str]:
    """Answer with the whole text, and remember the turn."""
    turns = [*_chats.get(chat, []), {"role": "user", "content": question.text}]
    async with AsyncOpenAI(max_retries=0) as client:
        try:
            completion = await client.chat.completions.create(model=MODEL, messages=turns)
        except APIStatusError as error:
            raise HTTPException(503 if error.status_code == 429 else 502, "the model is not available") from error
    text = completion.choices[0].message.content or ""
    _chats[chat] = [*turns, {"role": "assistant", "content": text}]
    return {"text": text}


@app.post("/stream")
async def stream(question: Question) -> StreamingResponse:
    """Answer piece by piece. A stream that breaks ends with a line that says so."""
    return StreamingResponse(_pieces(question.text), media_type="text/plain")


async def _pieces(text: str) -> AsyncIterator[str]:
    async with AsyncOpenAI(max_retries=0) as client:
        try:
            chunks = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": text}], stream=True
            )
            async for chunk in chunks:
                if chunk.choices:
                    yield chunk.choices[0].delta.content or ""
        except (APIError, OSError):
            yield "\n[the answer broke off]"

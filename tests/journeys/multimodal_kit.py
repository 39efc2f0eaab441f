"""Calls with images, audio, files and tool results, for both SDKs."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from installed import HAS_RESPONSES

from l0.simulator.server import Simulator

PICTURE = random.Random(1).randbytes(24_000)
SOUND = random.Random(2).randbytes(9_000)
DOCUMENT = random.Random(3).randbytes(12_000)
FILES = {"image": PICTURE, "audio": SOUND, "file": DOCUMENT}
LINK = "https://host.example/private-picture.png"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


IMAGE_URL = f"data:image/png;base64,{b64(PICTURE)}"
DOCUMENT_URL = f"data:application/pdf;base64,{b64(DOCUMENT)}"


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


def text(words: str, kind: str = "text") -> dict[str, str]:
    return {"type": kind, "text": words}


@dataclass(frozen=True, kw_only=True)
class MultimodalCall:
    """A call. ``sent``: kind and type of the media in the request. ``got``: the same of the payloads in the answer,
    each with its index and the number of a preview."""

    sdk: str
    method: str
    request: dict[str, Any]
    sent: list[tuple[str, str | None]] = field(default_factory=list)
    got: list[tuple[str, str | None, int, int | None]] = field(default_factory=list)


def chat(*, content: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def messages(*history: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 99, "messages": list(history), **more}


def block(kind: str, source: dict[str, str]) -> dict[str, Any]:
    return {"type": kind, "source": source}


BASE64_IMAGE = block("image", {"type": "base64", "media_type": "image/png", "data": b64(PICTURE)})
BASE64_DOCUMENT = block("document", {"type": "base64", "media_type": "application/pdf", "data": b64(DOCUMENT)})
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}
DRAWING = {"tools": [{"type": "image_generation", "partial_images": 2}], "tool_choice": {"type": "image_generation"}}
CHAT, RESPONSES, MESSAGES = "chat.completions.create", "responses.create", "messages.create"
HEARD = ("audio", None, 0, None)
DRAWN = ("image", "image/png", 0, None)

CALLS = {
    "chat image": MultimodalCall(
        sdk="openai",
        method=CHAT,
        request=chat(content=[text("What?"), {"type": "image_url", "image_url": {"url": IMAGE_URL}}], stream=True),
        sent=[("image", "image/png")],
    ),
    "chat audio and link, whole": MultimodalCall(
        sdk="openai",
        method=CHAT,
        request=chat(
            content=[
                {"type": "image_url", "image_url": {"url": LINK}},
                {"type": "input_audio", "input_audio": {"data": b64(SOUND), "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": DOCUMENT_URL}},
            ]
        ),
        sent=[("image", None), ("audio", "audio/wav"), ("file", "application/pdf")],
    ),
    "chat spoken": MultimodalCall(sdk="openai", method=CHAT, request=chat(stream=True, **SPOKEN), got=[HEARD]),
    "chat spoken, whole": MultimodalCall(sdk="openai", method=CHAT, request=chat(**SPOKEN), got=[HEARD]),
    "chat images of a gateway": MultimodalCall(
        sdk="openai",
        method=CHAT,
        request=chat(content="[[simulate: text Here. | image | image]]", stream=True),
        got=[DRAWN, ("image", "image/png", 1, None)],
    ),
    "chat images of a gateway, whole": MultimodalCall(
        sdk="openai", method=CHAT, request=chat(content="[[simulate: image]]"), got=[DRAWN]
    ),
    "messages image and document": MultimodalCall(
        sdk="anthropic",
        method=MESSAGES,
        request=messages(*user(BASE64_IMAGE, BASE64_DOCUMENT, text("Compare.")), stream=True),
        sent=[("image", "image/png"), ("file", "application/pdf")],
    ),
    "messages links, whole": MultimodalCall(
        sdk="anthropic",
        method=MESSAGES,
        request=messages(
            *user(block("image", {"type": "url", "url": LINK}), block("document", {"type": "url", "url": LINK}))
        ),
        sent=[("image", None), ("file", None)],
    ),
    "messages tool result": MultimodalCall(
        sdk="anthropic",
        method=MESSAGES,
        request=messages(
            *user(text("Look.")),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "screen", "input": {}}]},
            *user({"type": "tool_result", "tool_use_id": "t1", "content": [text("Seen:"), BASE64_IMAGE]}),
            stream=True,
        ),
        sent=[("image", "image/png")],
    ),
}
if HAS_RESPONSES:
    CALLS |= {
        "responses image and file": MultimodalCall(
            sdk="openai",
            method=RESPONSES,
            request={
                "model": "m",
                "input": user(
                    text("What?", "input_text"),
                    {"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": DOCUMENT_URL},
                ),
                "stream": True,
            },
            sent=[("image", "image/png"), ("file", "application/pdf")],
        ),
        "responses tool outputs, whole": MultimodalCall(
            sdk="openai",
            method=RESPONSES,
            request={
                "model": "m",
                "input": [
                    *user(text("Go on.", "input_text")),
                    {
                        "type": "computer_call_output",
                        "call_id": "c1",
                        "output": {"type": "computer_screenshot", "image_url": IMAGE_URL},
                    },
                    {
                        "type": "function_call_output",
                        "call_id": "c2",
                        "output": [{"type": "input_image", "image_url": LINK, "detail": "auto"}],
                    },
                ],
            },
            sent=[("image", "image/png"), ("image", None)],
        ),
        "responses drawing": MultimodalCall(
            sdk="openai",
            method=RESPONSES,
            request={"model": "m", "input": "Draw.", "stream": True, **DRAWING},
            got=[("image", "image/png", 0, 0), ("image", "image/png", 0, 1), DRAWN],
        ),
        "responses drawing, whole": MultimodalCall(
            sdk="openai", method=RESPONSES, request={"model": "m", "input": "Draw.", **DRAWING}, got=[DRAWN]
        ),
    }


def bound(client: Any, call: MultimodalCall) -> Any:
    """Return the SDK's method for a call, as a function without arguments."""
    for name in call.method.split("."):
        client = getattr(client, name)
    return lambda: client(**call.request)


def all_objects(provider: Simulator, *, sync: bool) -> dict[str, list[Any]]:
    """Make every call. Return the chunks of its answer, or the answer."""
    if sync:
        with clients(provider) as made:
            return {name: _kept(bound(made[call.sdk], call)()) for name, call in CALLS.items()}

    async def run() -> dict[str, list[Any]]:
        async with async_clients(provider) as made:
            return {name: await _akept(bound(made[call.sdk], call)()) for name, call in CALLS.items()}

    return asyncio.run(run())


@contextmanager
def clients(provider: Simulator) -> Iterator[dict[str, Any]]:
    """Yield a sync client of each SDK."""
    with (
        openai.OpenAI(api_key="k", base_url=provider.openai, max_retries=0) as one,
        anthropic.Anthropic(api_key="k", base_url=provider.anthropic, max_retries=0) as other,
    ):
        yield {"openai": one, "anthropic": other}


@asynccontextmanager
async def async_clients(provider: Simulator) -> AsyncIterator[dict[str, Any]]:
    """Yield an async client of each SDK."""
    async with (
        openai.AsyncOpenAI(api_key="k", base_url=provider.openai, max_retries=0) as one,
        anthropic.AsyncAnthropic(api_key="k", base_url=provider.anthropic, max_retries=0) as other,
    ):
        yield {"openai": one, "anthropic": other}


def _kept(answer: Any) -> list[Any]:
    return list(answer) if isinstance(answer, Iterator) else [answer]


async def _akept(coming: Any) -> list[Any]:
    answer = await coming
    return [one async for one in answer] if isinstance(answer, AsyncIterator) else [answer]

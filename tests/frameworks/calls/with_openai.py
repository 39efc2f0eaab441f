"""The SDK itself, beside libraries that trace it."""

import asyncio
import os
from importlib import import_module
from typing import Any

import openai
from tracing import NOWHERE, Tracing
from with_logfire import configure_logfire

HELLO: list[Any] = [{"role": "user", "content": "hi"}]


def client(base_url: str) -> openai.OpenAI:
    return _prepared(openai.OpenAI(base_url=base_url, api_key="k"))


def async_client(base_url: str) -> openai.AsyncOpenAI:
    return _prepared(openai.AsyncOpenAI(base_url=base_url, api_key="k"))


def _prepared(made: Any) -> Any:
    for prepare in _PREPARE:
        prepare(made)
    return made


_PREPARE: list[Any] = []
"""Functions of a tracer that prepare each client."""


def chat(base_url: str) -> str:
    answer = client(base_url).chat.completions.create(model="gpt-4o", messages=HELLO)
    return answer.choices[0].message.content or ""


def chat_streamed(base_url: str) -> str:
    stream = client(base_url).chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


async def achat_streamed(base_url: str) -> str:
    async with async_client(base_url) as made:
        stream = await made.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def responses(base_url: str) -> str:
    return str(client(base_url).responses.create(model="gpt-4o", input="hi").output_text)


def responses_streamed(base_url: str) -> str:
    stream = client(base_url).responses.create(model="gpt-4o", input="hi", stream=True)
    return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


async def aresponses_streamed(base_url: str) -> str:
    async with async_client(base_url) as made:
        stream = await made.responses.create(model="gpt-4o", input="hi", stream=True)
        return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])


CALLS = {
    "chat": chat,
    "chat, streamed": chat_streamed,
    "chat, streamed, async": lambda url: asyncio.run(achat_streamed(url)),
    "responses": responses,
    "responses, streamed": responses_streamed,
    "responses, streamed, async": lambda url: asyncio.run(aresponses_streamed(url)),
}


def logfire(tracing: Tracing) -> None:
    import logfire

    configure_logfire(tracing)
    logfire.instrument_openai(suppress_other_instrumentation=False)


def logfire_client(tracing: Tracing) -> None:
    import logfire

    configure_logfire(tracing)
    _PREPARE.append(lambda made: logfire.instrument_openai(made, suppress_other_instrumentation=False))


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracing.provider)


def traceloop(tracing: Tracing) -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracing.provider)


def langfuse(tracing: Tracing) -> None:
    from langfuse import Langfuse

    Langfuse(public_key="pk", secret_key="sk", base_url=NOWHERE, tracer_provider=tracing.provider)
    import_module("langfuse.openai")  # wraps the SDK's functions


def langsmith(tracing: Tracing) -> None:
    os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=NOWHERE, LANGSMITH_API_KEY="k")
    from langsmith.wrappers import wrap_openai

    _PREPARE.append(wrap_openai)


TRACERS = {
    "langfuse": langfuse,
    "langsmith": langsmith,
    "logfire": logfire,
    "logfire_client": logfire_client,
    "openinference": openinference,
    "traceloop": traceloop,
}

"""Agents of pydantic-ai, with both of its OpenAI models."""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from tracing import Tracing
from with_logfire import configure_logfire


def chat_agent(base_url: str) -> Agent:
    return Agent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(base_url=base_url, api_key="k")))


def responses_agent(base_url: str) -> Agent:
    return Agent(OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(base_url=base_url, api_key="k")))


async def whole(agent: Agent) -> str:
    return str((await agent.run("hi")).output)


async def streamed(agent: Agent) -> str:
    async with agent.run_stream("hi") as result:
        return "".join([text async for text in result.stream_text(delta=True, debounce_by=None)])


CALLS = {
    "chat": lambda url: asyncio.run(whole(chat_agent(url))),
    "chat, streamed": lambda url: asyncio.run(streamed(chat_agent(url))),
    "responses": lambda url: asyncio.run(whole(responses_agent(url))),
    "responses, streamed": lambda url: asyncio.run(streamed(responses_agent(url))),
}


def instrument_all(tracing: Tracing) -> None:
    from pydantic_ai.models.instrumented import InstrumentationSettings

    settings = InstrumentationSettings(tracer_provider=tracing.provider, meter_provider=tracing.meter_provider)
    Agent.instrument_all(settings)


def logfire(tracing: Tracing) -> None:
    import logfire

    configure_logfire(tracing)
    logfire.instrument_pydantic_ai()


TRACERS = {"instrument_all": instrument_all, "logfire": logfire}

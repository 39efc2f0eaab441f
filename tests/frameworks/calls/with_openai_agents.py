"""Agents of openai-agents, with both of its OpenAI models."""

import asyncio

import agents
import openai
from tracing import Tracing

agents.set_tracing_disabled(True)


def chat_agent(base_url: str) -> agents.Agent:
    client = openai.AsyncOpenAI(base_url=base_url, api_key="k")
    return agents.Agent(name="a", model=agents.OpenAIChatCompletionsModel(model="gpt-4o", openai_client=client))


def responses_agent(base_url: str) -> agents.Agent:
    client = openai.AsyncOpenAI(base_url=base_url, api_key="k")
    return agents.Agent(name="a", model=agents.OpenAIResponsesModel(model="gpt-4o", openai_client=client))


async def whole(agent: agents.Agent) -> str:
    return str((await agents.Runner.run(agent, "hi")).final_output)


async def streamed(agent: agents.Agent) -> str:
    result = agents.Runner.run_streamed(agent, "hi")
    async for _ in result.stream_events():
        pass
    return str(result.final_output)


CALLS = {
    "chat": lambda url: asyncio.run(whole(chat_agent(url))),
    "chat, streamed": lambda url: asyncio.run(streamed(chat_agent(url))),
    "responses": lambda url: asyncio.run(whole(responses_agent(url))),
    "responses, streamed": lambda url: asyncio.run(streamed(responses_agent(url))),
}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    agents.set_tracing_disabled(False)
    OpenAIAgentsInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}

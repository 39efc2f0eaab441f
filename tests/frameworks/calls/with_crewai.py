"""The model class of CrewAI's agents."""

import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["CREWAI_DISABLE_TRACKING"] = "true"

from crewai import LLM


def chat(base_url: str) -> str:
    return str(LLM(model="openai/gpt-4o", base_url=base_url, api_key="k").call("hi"))


def chat_streamed(base_url: str) -> str:
    return str(LLM(model="openai/gpt-4o", base_url=base_url, api_key="k", stream=True).call("hi"))


CALLS = {"chat": chat, "chat, streamed": chat_streamed}

"""Structured answers of Instructor, by a tool call and by JSON, whole and in parts."""

import instructor
import openai
from pydantic import BaseModel
from tracing import Tracing


class City(BaseModel):
    name: str
    people: int


def client(base_url: str, mode: instructor.Mode) -> instructor.Instructor:
    return instructor.from_openai(openai.OpenAI(base_url=base_url, api_key="k"), mode=mode)


def asked(base_url: str, mode: instructor.Mode) -> str:
    found = client(base_url, mode).chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], response_model=City, max_retries=0
    )
    return str(found.model_dump_json())


def streamed(base_url: str) -> str:
    parts = client(base_url, instructor.Mode.TOOLS).chat.completions.create_partial(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], response_model=City, max_retries=0
    )
    last = list(parts)[-1]
    return str(last.model_dump_json())


CALLS = {
    "chat": lambda url: asked(url, instructor.Mode.TOOLS),
    "chat, as JSON": lambda url: asked(url, instructor.Mode.JSON_SCHEMA),
    "chat, streamed": streamed,
}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.instructor import InstructorInstrumentor

    InstructorInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}

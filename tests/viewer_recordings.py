"""Calls through the real SDK to the simulator, recorded in a folder and reported to a viewer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from viewer_client import ViewerClient

import l0
from l0.recording.recording import RecordedCall, Recording
from l0.simulator.server import Simulator
from l0_openai import OpenAIInstrumentor

POLICY = l0.Policy(retry=l0.Retry(base_delay=0.01, max_delay=0.01))


@contextmanager
def recorded_for(
    viewer: ViewerClient, sim: Simulator, folder: Path, *, content: bool = False
) -> Iterator[openai.OpenAI]:
    """Yield a client whose calls are recorded in the folder, and reported to the viewer."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{viewer.origin}/v1/traces")))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    l0.instrument(POLICY, record=folder, record_content=content)
    try:
        with openai.OpenAI(api_key="none", base_url=sim.openai) as client:
            yield client
    finally:
        l0.uninstrument()
        provider.shutdown()


def ask(client: openai.OpenAI, prompt: str, *, stream: bool = True, **given: Any) -> None:
    """Make a call, and read its answer."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    answer: Any = client.chat.completions.create(model="gpt-4o", messages=messages, stream=stream, **given)
    for _ in answer if stream else ():
        pass


def last_recorded(folder: Path) -> RecordedCall:
    """Return the last call in a folder, with everything read."""
    with Recording.open(folder) as recording:
        call = recording.call("last")
        _ = call.attempts, call.decisions, call.deliveries
    return call

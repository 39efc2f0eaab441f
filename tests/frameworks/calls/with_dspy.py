"""DSPy's model class over litellm, with ``max_retries=0``. Its own engine uses no SDK, so L0 does not see its calls."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import dspy
from tracing import Tracing


def chat(base_url: str) -> str:
    model = dspy.LM(
        "openai/gpt-4o", api_base=base_url, api_key="k", cache=False, num_retries=0, engine="litellm", max_tokens=64
    )
    return str(model("hi")[0])


CALLS = {"chat": chat}


def openinference(tracing: Tracing) -> None:
    from openinference.instrumentation.dspy import DSPyInstrumentor

    DSPyInstrumentor().instrument(tracer_provider=tracing.provider)


TRACERS = {"openinference": openinference}

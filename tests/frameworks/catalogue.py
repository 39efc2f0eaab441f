"""The frameworks that `make test-frameworks` runs, each in its own environment."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One framework. ``calls``: the file in `calls` that uses it. ``tracers``: keys of that file's ``TRACERS``.
    ``page``: the page of the documentation about it, which is run as well.

    ``limits``: checks that fail, each with the reason. A limit is no pass, and one that passes is reported.
    """

    name: str
    requirements: tuple[str, ...]
    calls: str
    tracers: tuple[str, ...] = ()
    page: str = ""
    limits: dict[str, str] = field(default_factory=dict)


FRAMEWORKS = (
    Framework(
        name="pydantic-ai",
        requirements=("pydantic-ai-slim[openai]", "logfire"),
        calls="with_pydantic_ai",
        tracers=("instrument_all", "logfire"),
        page="pydantic_ai",
    ),
    Framework(
        name="openai-agents",
        requirements=("openai-agents", "openinference-instrumentation-openai-agents"),
        calls="with_openai_agents",
        tracers=("openinference",),
        page="openai_agents",
    ),
    Framework(
        name="langchain",
        requirements=(
            "langchain",
            "langchain-openai",
            "langgraph",
            "openinference-instrumentation-langchain",
            "opentelemetry-instrumentation-langchain",
            "langfuse",
        ),
        calls="with_langchain",
        tracers=("openinference", "traceloop", "langfuse"),
        page="langchain",
    ),
    Framework(
        name="instructor",
        requirements=("instructor", "openinference-instrumentation-instructor"),
        calls="with_instructor",
        tracers=("openinference",),
    ),
    Framework(
        name="litellm",
        requirements=("litellm", "openinference-instrumentation-litellm"),
        calls="with_litellm",
        tracers=("openinference",),
        page="litellm",
    ),
    Framework(
        name="smolagents",
        requirements=("smolagents[openai]", "openinference-instrumentation-smolagents"),
        calls="with_smolagents",
        tracers=("openinference",),
    ),
    Framework(
        name="llama-index",
        requirements=("llama-index-core", "llama-index-llms-openai", "openinference-instrumentation-llama-index"),
        calls="with_llama_index",
        tracers=("openinference",),
    ),
    Framework(
        name="haystack",
        requirements=("haystack-ai", "openinference-instrumentation-haystack"),
        calls="with_haystack",
        tracers=("openinference",),
    ),
    Framework(
        name="dspy",
        requirements=("dspy", "openinference-instrumentation-dspy"),
        calls="with_dspy",
        tracers=("openinference",),
    ),
    Framework(name="crewai", requirements=("crewai",), calls="with_crewai"),
    Framework(name="langfuse", requirements=("langfuse",), calls="with_openai", tracers=("langfuse",)),
    Framework(name="langsmith", requirements=("langsmith",), calls="with_openai", tracers=("langsmith",)),
    Framework(
        name="logfire",
        requirements=("logfire",),
        calls="with_openai",
        tracers=("logfire", "logfire_client"),
        limits={
            f"{call}: described by l0": "logfire ends its span of a stream before the stream is read"
            for call in (
                "chat, streamed",
                "chat, streamed, async",
                "responses, streamed",
                "responses, streamed, async",
            )
        },
    ),
    Framework(
        name="openinference",
        requirements=("openinference-instrumentation-openai",),
        calls="with_openai",
        tracers=("openinference",),
    ),
    Framework(
        name="traceloop",
        requirements=("opentelemetry-instrumentation-openai",),
        calls="with_openai",
        tracers=("traceloop",),
        limits={
            f"{call}: described by l0": "Traceloop starts its span of the Responses API after the call has returned"
            for call in ("responses", "responses, streamed", "responses, streamed, async")
        },
    ),
)

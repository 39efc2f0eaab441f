"""Find the span of another instrumentation that calls the SDK without making its span the current one.

Such an instrumentation cannot be found through OpenTelemetry's context, but its function is on the call stack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from opentelemetry import trace


def span_of_caller() -> trace.Span | None:
    """Return the span of the instrumentation that called the SDK; ``None`` if none of the known ones did.

    ``INVALID_SPAN``: the instrumentation starts its span only after the call. Frames beyond the next frame of L0 are
    not read: they belong to another call, from whose callback this call is made.
    """
    if sys.modules.keys().isdisjoint(_LOADED):
        return None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_own(frame):
        frame = frame.f_back
    while frame is not None and not _is_own(frame):
        find = _FINDERS.get(str(frame.f_globals.get("__name__")))
        span = find(frame) if find is not None else None
        if span is not None:
            return span
        frame = frame.f_back
    return None


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "l0"


def _of_langfuse(frame: FrameType) -> trace.Span | None:
    """Return the span that Langfuse's wrapper of an SDK method keeps in its variable ``generation``."""
    return _recording(getattr(frame.f_locals.get("generation"), "_otel_span", None))


def _of_traceloop(frame: FrameType) -> trace.Span | None:
    """Return ``INVALID_SPAN`` for Traceloop's wrapper of a Responses method, which makes its span after the call.

    Traceloop makes no span for a raw response that streams.
    """
    arguments = frame.f_locals.get("kwargs")
    if "wrapped" not in frame.f_locals or not isinstance(arguments, dict):
        return None
    raw = any(str(name).lower() == "x-stainless-raw-response" for name in arguments.get("extra_headers") or ())
    return None if raw and arguments.get("stream") is True else trace.INVALID_SPAN


def _of_llama_index(frame: FrameType) -> trace.Span | None:
    """Return OpenInference's span of the LlamaIndex stream that this generator reads.

    LlamaIndex sends the request when its stream is first read. OpenInference keeps the span of the stream until then.
    """
    dispatcher, identifier = frame.f_globals.get("dispatcher"), frame.f_locals.get("span_id")
    for handler in getattr(getattr(dispatcher, "root", None), "span_handlers", ()):
        find = getattr(getattr(handler, "_export_queue", None), "find", None)
        if find is not None and identifier is not None:
            return _recording(getattr(find(identifier), "_otel_span", None))
    return None


def _of_langchain(frame: FrameType) -> trace.Span | None:
    """Return the span of a callback handler for the run of a LangChain model in this frame.

    Callbacks of async runs cannot make their spans current, and those of OpenInference never do.
    """
    manager: Any = frame.f_locals.get("run_manager")
    for handler in getattr(manager, "handlers", ()):
        find = _SPANS_OF_RUNS.get(type(handler).__module__.partition(".")[0])
        span = _recording(find(handler, manager.run_id)) if find is not None else None
        if span is not None:
            return span
    return None


def _recording(span: object) -> trace.Span | None:
    return span if isinstance(span, trace.Span) and span.is_recording() else None


_SPANS_OF_RUNS: dict[str, Callable[[Any, object], object]] = {
    "langfuse": lambda handler, run: getattr(getattr(handler, "_runs", {}).get(run), "_otel_span", None),
    "openinference": lambda handler, run: getattr(handler, "_spans_by_run", {}).get(run),
    "opentelemetry": lambda handler, run: getattr(getattr(handler, "spans", {}).get(run), "span", None),
}
"""The packages of callback handlers for LangChain, each with the function that returns the span of a run."""
_FINDERS: dict[str, Callable[[FrameType], trace.Span | None]] = {
    "langchain_core.language_models.chat_models": _of_langchain,
    "langchain_core.language_models.llms": _of_langchain,
    "langfuse.openai": _of_langfuse,
    "llama_index.core.llms.callbacks": _of_llama_index,
    "opentelemetry.instrumentation.openai.v1.responses_wrappers": _of_traceloop,
}
"""The modules whose frames are searched, each with the function that finds the span."""
_LOADED = (
    "langfuse.langchain",
    "langfuse.openai",
    "openinference.instrumentation.langchain",
    "openinference.instrumentation.llama_index",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.openai.v1.responses_wrappers",
)
"""The modules of these instrumentations. While none of them is loaded, nothing is searched."""

"""Spans of instrumentations that call the SDK without making their span current, found on the call stack."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import Span

from l0.model.call import Call
from l0.telemetry.calling_wrappers import span_of_caller
from l0.telemetry.listeners import outer_span
from l0.telemetry.spans import SpanObserver

LANGFUSE = """
def call(span, send):
    generation = Holder(_otel_span=span)
    return send()

async def acall(span, send):
    generation = Holder(_otel_span=span)
    return await send()

def passed_through(span, send):
    return send()
"""
TRACELOOP = """
def call(wrapped, **kwargs):
    return wrapped()

def other(send):
    return send()
"""
LLAMA_INDEX = """
def call(send, span_id):
    for _ in "a":
        yield send()
"""
LANGCHAIN = """
def call(send, run_manager):
    return send()

def other(send):
    return send()
"""
HANDLER = """
class Handler:
    pass
"""
FRAMEWORK_BETWEEN = """
def call(send):
    return send()
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a module under the name of a library, with code that does as the library's wrapper does."""

    def make(name: str, code: str, **names: Any) -> Any:
        made = ModuleType(name)
        vars(made).update(names, Holder=SimpleNamespace)
        exec(code, vars(made))
        monkeypatch.setitem(sys.modules, name, made)
        return made

    return make


@pytest.fixture
def span(traces: Any) -> Iterator[Span]:
    """Yield a span that is not current."""
    started = traces.provider.get_tracer("other").start_span("generation")
    yield started
    started.end()


def test_span_in_langfuses_wrapper(module: Callable[..., Any], span: Span) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    assert langfuse.call(span, span_of_caller) is span
    assert langfuse.passed_through(span, span_of_caller) is None
    span.end()
    assert langfuse.call(span, span_of_caller) is None


def test_span_in_langfuses_async_wrapper(module: Callable[..., Any], span: Span) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)

    async def send() -> Any:
        await asyncio.sleep(0)
        return span_of_caller()

    assert asyncio.run(langfuse.acall(span, send)) is span


def test_langfuse_of_another_version_has_no_span(module: Callable[..., Any]) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    assert langfuse.call(None, span_of_caller) is None


def test_wrapper_around_another_call_of_l0_is_not_this_calls(module: Callable[..., Any], span: Span) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    engine = module("l0.runtime.some_driver", FRAMEWORK_BETWEEN)
    callback = module("application", FRAMEWORK_BETWEEN)
    assert langfuse.call(span, lambda: callback.call(span_of_caller)) is span
    assert langfuse.call(span, lambda: engine.call(lambda: callback.call(span_of_caller))) is None


def test_stack_is_not_searched_without_these_libraries(
    module: Callable[..., Any], span: Span, monkeypatch: pytest.MonkeyPatch
) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    monkeypatch.delitem(sys.modules, "langfuse.openai")
    assert langfuse.call(span, span_of_caller) is None


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ({"model": "m", "stream": True}, True),
        ({"model": "m", "extra_headers": {"X-Stainless-Raw-Response": "true"}}, True),
        ({"model": "m", "stream": True, "extra_headers": {"x-other": "1"}}, True),
        ({"model": "m", "stream": True, "extra_headers": {"X-Stainless-Raw-Response": "true"}}, False),
    ],
)
def test_traceloop_starts_the_span_of_a_response_later(
    module: Callable[..., Any], arguments: dict[str, Any], reported: bool
) -> None:
    traceloop = module("opentelemetry.instrumentation.openai.v1.responses_wrappers", TRACELOOP)
    found = traceloop.call(span_of_caller, **arguments)
    assert found is (trace.INVALID_SPAN if reported else None)
    assert traceloop.other(span_of_caller) is None


@pytest.mark.parametrize(("asked", "found"), [("known", True), ("unknown", False), (None, False)])
def test_openinferences_span_of_a_stream_of_llama_index(
    module: Callable[..., Any], span: Span, asked: str | None, found: bool
) -> None:
    module("openinference.instrumentation.llama_index", "")
    known = {"known": SimpleNamespace(_otel_span=span)}
    handlers = [SimpleNamespace(), SimpleNamespace(_export_queue=SimpleNamespace(find=known.get))]
    dispatcher = SimpleNamespace(root=SimpleNamespace(span_handlers=handlers))
    index = module("llama_index.core.llms.callbacks", LLAMA_INDEX, dispatcher=dispatcher)
    assert list(index.call(span_of_caller, asked)) == [span if found else None]


@pytest.mark.parametrize(
    ("library", "attribute", "held_in"),
    [
        ("openinference.instrumentation.langchain", "_spans_by_run", None),
        ("langfuse.langchain", "_runs", "_otel_span"),
        ("opentelemetry.instrumentation.langchain", "spans", "span"),
    ],
)
@pytest.mark.parametrize(("run", "found"), [("known", True), ("unknown", False)])
def test_span_of_a_run_of_langchain(
    module: Callable[..., Any],
    span: Span,
    library: str,
    attribute: str,
    held_in: str | None,
    run: str,
    found: bool,
) -> None:
    module(library, "")
    handler = module(f"{library}.handler", HANDLER).Handler()
    setattr(handler, attribute, {"known": span if held_in is None else SimpleNamespace(**{held_in: span})})
    silent = module(f"{library}.other_handler", HANDLER).Handler()
    manager = SimpleNamespace(handlers=[SimpleNamespace(), silent, handler], run_id=run)
    for name in ("chat_models", "llms"):
        langchain = module(f"langchain_core.language_models.{name}", LANGCHAIN)
        assert langchain.call(span_of_caller, manager) is (span if found else None)
        assert langchain.call(span_of_caller, None) is None
        assert langchain.other(span_of_caller) is None


def test_call_adopts_the_span_of_a_caller_that_suppresses_other_instrumentations(
    module: Callable[..., Any], span: Span
) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    token = context.attach(context.set_value("suppress_language_model_instrumentation", True))
    try:
        assert langfuse.call(span, outer_span) is span
        assert outer_span() is trace.INVALID_SPAN
    finally:
        context.detach(token)


def test_call_adopts_the_span_of_its_caller(module: Callable[..., Any], traces: Any, span: Span, call: Call) -> None:
    langfuse = module("langfuse.openai", LANGFUSE)
    observer = SpanObserver(traces.provider)
    adopted = langfuse.call(span, lambda: observer.observe(call))
    with adopted.active():
        assert trace.get_current_span() is span


def test_call_has_no_span_of_its_own_if_its_caller_starts_one_later(
    module: Callable[..., Any], traces: Any, call: Call
) -> None:
    traceloop = module("opentelemetry.instrumentation.openai.v1.responses_wrappers", TRACELOOP)
    assert traceloop.call(lambda: SpanObserver(traces.provider).observe(call)) is None

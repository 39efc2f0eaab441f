"""Does anyone listen? The answer must be right, and cost next to nothing."""

import opentelemetry.trace
import pytest
from opentelemetry import context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, ProxyTracerProvider

from l0.telemetry import listeners
from l0.telemetry.listeners import Source
from l0.telemetry.spans import SpanObserver


class Global:
    """Reset the OpenTelemetry API's process-wide providers for one test."""

    def __init__(self):
        self.provider = None
        self.asked = 0

    def peek(self):
        return self.provider

    def get(self):
        self.asked += 1
        return self.provider or ProxyTracerProvider()


def test_a_provider_that_is_set_later_is_found():
    world = Global()
    made = []
    source = Source(None, world.peek, world.get, lambda provider: made.append(provider) or "made")
    assert source() is None
    world.provider = object()
    assert source() == "made"
    assert made == [world.provider]


def test_things_are_made_once_a_provider():
    world = Global()
    world.provider = first = object()
    made = []
    source = Source(None, world.peek, world.get, lambda provider: made.append(provider) or "made")
    assert [source() for _ in range(3)] == ["made"] * 3
    world.provider = second = object()
    assert [source() for _ in range(3)] == ["made"] * 3
    assert made == [first, second]


def test_environment_is_searched_once_without_providers():
    world = Global()
    source = Source(None, world.peek, world.get, lambda _provider: "made")
    assert [source() for _ in range(5)] == [None] * 5
    assert world.asked == 1


def test_a_provider_that_the_environment_names_is_loaded_by_asking():
    world = Global()

    def get():
        world.provider = loaded
        return loaded

    loaded = object()
    source = Source(None, world.peek, get, lambda provider: provider)
    assert source() is loaded


def test_an_explicit_provider_wins():
    world = Global()
    world.provider = object()
    mine = object()
    assert Source(mine, world.peek, world.get, lambda provider: provider)() is mine


def test_no_op_tracer_counts_as_none():
    class Disabled(TracerProvider):
        def get_tracer(self, *_args, **_kwargs):
            return NoOpTracer()

    assert listeners.tracer(Disabled(shutdown_on_exit=False))() is None


def test_what_is_the_apis_own():
    for own in (ProxyTracerProvider(), NoOpTracerProvider(), NoOpMeterProvider(), NoOpTracer()):
        assert listeners.is_no_op(own)
    for real in (TracerProvider(shutdown_on_exit=False), MeterProvider(shutdown_on_exit=False)):
        assert not listeners.is_no_op(real)


def test_global_provider_is_found(monkeypatch, traces, call):
    """Reads a private variable for speed: this fails when it moves."""
    observer = SpanObserver()
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", None)
    assert observer.observe(call) is None
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", traces.provider)
    assert observer.observe(call) is not None


def test_without_that_variable_the_public_way_is_taken(monkeypatch, traces, call):
    monkeypatch.delattr(opentelemetry.trace, "_TRACER_PROVIDER")
    monkeypatch.setattr(opentelemetry.trace, "get_tracer_provider", lambda: traces.provider)
    assert SpanObserver().observe(call) is not None


@pytest.mark.parametrize("key", ["inference", "embedding"])
def test_a_call_that_opentelemetrys_own_instrumentation_has_a_span_of(key):
    assert listeners.outer_span() is None
    token = context.attach(context.set_value(f"opentelemetry.genai.client.{key}.context", object()))
    try:
        assert listeners.outer_span() is not None
    finally:
        context.detach(token)


@pytest.mark.parametrize(
    ("kind", "theirs"), [("LLM", True), ("EMBEDDING", True), ("CHAIN", False), ("AGENT", False), (None, False)]
)
def test_a_call_that_openinference_has_a_span_of(traces, kind, theirs):
    told = {} if kind is None else {"openinference.span.kind": kind}
    with traces.provider.get_tracer("other").start_as_current_span("call", attributes=told, end_on_exit=False) as span:
        assert (listeners.outer_span() is span) is theirs
        span.end()
        assert listeners.outer_span() is None  # what has ended is nobody's call any more

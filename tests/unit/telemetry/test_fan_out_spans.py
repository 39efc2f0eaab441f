"""A span for a fan-out, and one below it for each branch."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from l0.telemetry import fan_out_spans, listeners, names
from l0.telemetry.fan_out_spans import FanOutSpan


@pytest.fixture
def heard(traces, monkeypatch):
    monkeypatch.setattr(fan_out_spans, "_GLOBAL_TRACER", listeners.tracer(traces.provider))
    return traces


def finished(traces):
    return {
        (span.name, (span.attributes or {}).get(names.BRANCH_INDEX)): span
        for span in traces.exporter.get_finished_spans()
    }


def test_branch_spans_are_children_of_the_fan_out(heard):
    async def branch(fan, index):
        with fan.branch(index) as span:
            await asyncio.sleep(0)
            with heard.provider.get_tracer("test").start_as_current_span(f"call {index}"):
                await asyncio.sleep(0)
            span.answered()

    async def main():
        with FanOutSpan("race") as fan:
            await asyncio.gather(branch(fan, 0), branch(fan, 1))

    asyncio.run(main())
    spans = finished(heard)
    fan = spans["race", None]
    assert fan.parent is None
    for index in (0, 1):
        made = spans["race branch", index]
        assert made.parent.span_id == fan.context.span_id
        assert spans[f"call {index}", None].parent.span_id == made.context.span_id
        assert made.attributes == {"l0.fan.kind": "race", "l0.branch.index": index, "l0.branch.outcome": "ok"}
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_branch_span_has_its_outcome(heard):
    with FanOutSpan("race") as fan:
        with fan.branch(0) as span:
            span.failed(ConnectionError("secret"))
        with fan.branch(1) as span:
            span.cancelled()
    spans = finished(heard)
    failed, cancelled = spans["race branch", 0], spans["race branch", 1]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "ConnectionError"
    assert "secret" not in str(failed.status.description)
    assert cancelled.attributes["l0.branch.outcome"] == "cancelled"
    assert cancelled.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("x"), StatusCode.ERROR), (KeyboardInterrupt(), StatusCode.UNSET)]
)
def test_what_ends_the_fan_is_on_its_span(heard, error, status):
    with pytest.raises(type(error)), FanOutSpan("parallel"):
        raise error
    (span,) = finished(heard).values()
    assert span.status.status_code is status


def test_fan_out_without_observers_does_nothing():
    with FanOutSpan("race") as fan, fan.branch(0) as span:
        span.answered()
        span.failed(ValueError("x"))
        assert trace.get_current_span() is trace.INVALID_SPAN

"""The call of the explicit API is described by its first source; a fallback describes its own attempts only."""

from collections.abc import Callable, Iterator
from time import time_ns
from typing import Any

import pytest
from explicit_kit import CHATTING, chat, client, messages

import l0
from l0 import Retry
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ONCE = Retry(max_retries=0)


def refused() -> Iterator[str]:
    raise ConnectionError("the first source fails at once")


def broken() -> Iterator[str]:
    yield from refused()


def text() -> Iterator[str]:
    yield "All is well."


def described(span: Any) -> tuple[object, object, object]:
    attributes = span.attributes
    model = attributes.get("gen_ai.request.model") or attributes["l0.attempt.model"]
    return attributes["gen_ai.provider.name"], model.rpartition(".")[2], attributes.get("server.address")


@pytest.mark.parametrize("first", [refused, broken])
def test_fallback_does_not_describe_the_call(sim: Simulator, spans: Any, first: Callable[[], Iterator[str]]) -> None:
    with client(sim, chat) as spare:
        l0.run_sync(first, fallbacks=[lambda: chat(spare)], retry=ONCE).read()
    *attempts, call = spans.all
    unknown, known = ("unknown", first.__name__, None), ("openai", CHATTING["model"], "127.0.0.1")
    assert described(call) == unknown
    assert list(map(described, attempts)) == [unknown, known]
    assert call.attributes["l0.outcome"] == "recovered_fallback"


def test_each_fallback_describes_its_own_attempts(sim: Simulator, spans: Any) -> None:
    sim.script(Fault.status(401))
    with client(sim, chat) as second, client(sim, messages) as third:
        l0.run_sync(broken, fallbacks=[lambda: chat(second), lambda: messages(third)], retry=ONCE).read()
    assert [described(span)[0] for span in spans.all] == ["unknown", "openai", "anthropic", "unknown"]


def test_retry_of_the_first_source_may_describe_the_call(sim: Simulator, spans: Any) -> None:
    tries: list[int] = []
    with client(sim, chat) as made:

        def first() -> Any:
            tries.append(1)
            return broken() if len(tries) == 1 else chat(made)

        l0.run_sync(first, retry=Retry(base_delay=0)).read()
    assert [described(span)[0] for span in spans.all] == ["openai", "openai", "openai"]


def test_span_of_a_plain_source_begins_and_ends_with_the_call(spans: Any) -> None:
    with l0.run_sync(text) as stream:
        begun = time_ns()
        stream.read()
    span = spans.only
    assert span.start_time <= begun <= span.end_time <= time_ns()


def test_span_of_a_plain_source_has_the_parent_of_the_call(spans: Any) -> None:
    tracer = spans.provider.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        stream = l0.run_sync(text)
    with tracer.start_as_current_span("another"):
        stream.read()
    call = next(span for span in spans.all if "l0.outcome" in span.attributes)
    assert call.parent.span_id == outer.get_span_context().span_id

"""One span a call, its attempts below it, and nothing of it in anybody's way."""

import asyncio
import contextvars
import logging
from dataclasses import replace

import pytest
from makers import make_call, make_stats
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, TraceFlags

from l0.model.attempt import AttemptSpec
from l0.model.call import LegEndpoint, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Policy
from l0.telemetry import names
from l0.telemetry.spans import SpanObserver

CREATION = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.stream": True,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.stop_sequences": ("a", "b"),
    "server.address": "api.example.com",
    "server.port": 443,
}

TARGET = {name: CREATION[name] for name in (names.PROVIDER, names.SERVER_ADDRESS, names.SERVER_PORT)} | {
    names.ATTEMPT_MODEL: "gpt-4o"
}


def test_a_failed_call_says_why_it_made_no_further_attempt(traces, play, smooth):
    failure = Failure(cause=Cause.RESET)
    ended = {"outcome": Outcome.FAILED, "failure": failure, "failures": (failure,), "wasted_tokens": 12}
    stop = {"stop_reason": "all retries are used (Retry.max_retries=2)", "policy_field": "Retry.max_retries"}
    play(SpanObserver(traces.provider), [*smooth[:-1], replace(smooth[-1], **ended, **stop)])
    found = traces.exporter.get_finished_spans()[-1].attributes
    assert found["l0.stop.reason"] == stop["stop_reason"]
    assert found["l0.stop.policy_field"] == "Retry.max_retries"
    assert found["l0.wasted_tokens"] == 12


def test_call_with_retries_has_their_cost(traces, play, ended):
    failure = Failure(cause=Cause.UNAVAILABLE, status=503, sdk_retries=True)
    refused = {"failure": failure, "status": 503, "request_id": None, "action": "retry", "wait_s": 0.5}
    events = [
        AttemptStarted(attempt=AttemptSpec(number=1), at=100.0),
        AttemptEnded(number=1, at=101.0, **refused),
        AttemptStarted(attempt=AttemptSpec(number=2), at=101.5),
    ]
    end = replace(ended, outcome=Outcome.RECOVERED_RETRY, failures=(failure,), attempts=2, at=102.0)
    play(SpanObserver(traces.provider), [*events, end])
    found = traces.exporter.get_finished_spans()[-1].attributes
    assert (found["l0.sdk_retries"], found["l0.recovery_time"]) == (1, 1.5)


@pytest.mark.parametrize(("seconds", "shown"), [(5.2, 5.2), (0.1, 0.1), (0.09, None)])
def test_time_of_a_slow_program_is_on_the_span(traces, play, ended, seconds, shown):
    play(SpanObserver(traces.provider), [replace(ended, stream_stats=make_stats(program_s=seconds))])
    assert traces.exporter.get_finished_spans()[-1].attributes.get("l0.program_time") == shown


@pytest.mark.parametrize(
    ("failure", "status", "unknown"),
    [
        (Failure(cause=Cause.UNAVAILABLE, status=503), 503, None),
        (Failure(cause=Cause.CONNECTION), None, None),
        (Failure(cause=Cause.TOTAL_TIMEOUT), None, None),
        (Failure(cause=Cause.TOTAL_TIMEOUT), 200, True),
        (Failure(cause=Cause.FIRST_CONTENT_TIMEOUT), 200, True),
        (Failure(cause=Cause.RESET), 200, True),
    ],
)
@pytest.mark.parametrize("outcome", [Outcome.RECOVERED_RETRY, Outcome.FAILED])
def test_waste_is_unknown_if_a_response_arrived_without_its_tokens(
    traces, play, ended, failure, status, unknown, outcome
):
    given_up = {"failure": failure, "attempts": 1} if outcome is Outcome.FAILED else {"attempts": 2}
    failed = AttemptEnded(number=1, failure=failure, status=status, request_id=None, at=101.0)
    end = replace(ended, outcome=outcome, failures=(failure,), wasted_tokens=None, **given_up)
    play(SpanObserver(traces.provider), [AttemptStarted(attempt=AttemptSpec(number=1), at=100.0), failed, end])
    found = traces.exporter.get_finished_spans()[-1].attributes
    assert found.get("l0.wasted_tokens.unknown") is unknown


def test_a_call_is_one_client_span_with_everything_that_is_known(traces, play, smooth):
    play(SpanObserver(traces.provider), smooth)
    (span,) = traces.exporter.get_finished_spans()
    assert span.name == "chat gpt-4o"
    assert span.kind is SpanKind.CLIENT
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert span.instrumentation_scope.name == "l0"
    assert dict(span.attributes) == CREATION | {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 41,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "l0.outcome": "ok",
        "l0.attempts": 1,
        "l0.anomalies": ("done_without_reason",),
        "l0.stalls": 1,
        "l0.gap.max": 0.4,
        "l0.gap.p50": 0.1,
        "l0.gap.p95": 0.2,
        "l0.gap.p99": 0.35,
        "l0.jitter": 0.01,
        "l0.smoothness": 90.0,
        "l0.throughput": 20.0,
        "l0.time_to_first_content": 0.3,
        "l0.held": 0.1,
        "l0.wire.bytes": 1000,
        "l0.wire.overhead_ratio": 200.0,
    }


def test_span_duration_is_the_engines(traces, play, smooth):
    play(SpanObserver(traces.provider), smooth)
    (span,) = traces.exporter.get_finished_spans()
    assert 2.5 <= (span.end_time - span.start_time) / 1e9 < 2.6


def test_what_is_not_known_is_left_out(traces, play, call, ended):
    bare = replace(ended, metadata=None, stream_stats=None)
    quiet = replace(call, streaming=False, attributes={})
    play(SpanObserver(traces.provider), [bare], quiet)
    (span,) = traces.exporter.get_finished_spans()
    assert set(span.attributes) == {
        *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"),
        *("l0.outcome", "l0.attempts"),
    }


@pytest.mark.parametrize("status", [401, None])
def test_a_call_that_fails_with_its_only_attempt_names_the_request(traces, play, smooth, status):
    started, attempt, end = smooth
    refused = Failure(cause=Cause.AUTHENTICATION, status=status)
    attempt = replace(attempt, failure=refused, status=status)
    play(
        SpanObserver(traces.provider),
        [started, attempt, replace(end, outcome=Outcome.FAILED, failure=refused, failures=(refused,))],
    )
    (span,) = traces.exporter.get_finished_spans()
    assert span.attributes["l0.request.id"] == "req_1"
    assert span.attributes.get("http.response.status_code") == status


@pytest.mark.parametrize(("text", "ratio"), [("hello", 200.0), ("hällo", 1000 / 6), ("\ud800", 1000 / 3), ("", None)])
def test_overhead_ratio_needs_text(traces, play, ended, text, ratio):
    play(SpanObserver(traces.provider), [replace(ended, text=text)])
    (span,) = traces.exporter.get_finished_spans()
    assert span.attributes.get("l0.wire.overhead_ratio") == ratio


def test_timeline(traces, play, ended, stats):
    play(
        SpanObserver(traces.provider),
        [replace(ended, stream_stats=replace(stats, timeline=(3, 0, 4), timeline_bucket=0.1))],
    )
    (span,) = traces.exporter.get_finished_spans()
    assert (span.attributes["l0.timeline"], span.attributes["l0.timeline.bucket"]) == ((3, 0, 4), 0.1)


@pytest.mark.parametrize("switch", ["", "all"])
def test_former_names_of_attributes(traces, play, ended, monkeypatch, switch):
    monkeypatch.setenv("L0_FORMER_NAMES", switch)
    play(SpanObserver(traces.provider), [replace(ended, leg=1)])
    (span,) = traces.exporter.get_finished_spans()
    assert (span.attributes["l0.leg"], span.attributes["l0.anomalies"]) == (1, ("done_without_reason",))
    former = {"l0.fallback.index": 1, "l0.oddities": ("done_without_reason",)} if switch else {}
    assert {
        name: span.attributes[name] for name in ("l0.fallback.index", "l0.oddities") if name in span.attributes
    } == former


@pytest.mark.parametrize(("switch", "told"), [("", False), ("all", True), (" ALL ", True), ("some", False)])
def test_only_attempt_has_a_span_on_request(traces, play, smooth, monkeypatch, switch, told):
    monkeypatch.setenv("L0_ATTEMPT_SPANS", switch)
    play(SpanObserver(traces.provider), smooth)
    assert ("attempt 1" in traces.spans) is told
    if told:
        assert traces.spans["attempt 1"].parent == traces.spans["chat gpt-4o"].context
        assert dict(traces.spans["attempt 1"].attributes) == TARGET | {
            "l0.attempt.number": 1,
            "http.response.status_code": 200,
            "l0.request.id": "req_1",
        }


def test_samplers_see_the_request(call):
    seen = []

    class Spy(Sampler):
        def should_sample(self, *args, **_kwargs):
            _context, _trace, name, _kind, attributes, *_ = args
            seen.append((name, dict(attributes)))
            return SamplingResult(Decision.DROP)

        def get_description(self):
            return "spy"

    SpanObserver(TracerProvider(sampler=Spy(), shutdown_on_exit=False)).observe(call)
    assert seen == [("chat gpt-4o", CREATION)]


def test_a_parent_is_the_context_of_the_call(traces, play, smooth):
    with traces.provider.get_tracer("app").start_as_current_span("request"):
        play(SpanObserver(traces.provider), smooth)
    assert traces.spans["chat gpt-4o"].parent == traces.spans["request"].context


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(cause=Cause.TRUNCATED, message="cut"), "truncated"),
        (Failure(cause=Cause.NO_HEADERS, message="late", error=TimeoutError("late")), "TimeoutError"),
        (Failure(cause=Cause.IN_BAND_ERROR, message="server_error", code="free text of a server"), "in_band_error"),
        (None, "_OTHER"),
    ],
)
def test_a_failed_call_is_an_error_with_a_bounded_type(traces, play, ended, failure, kind):
    over = replace(ended, outcome=Outcome.FAILED, failure=failure, failures=(failure,) if failure else ())
    play(SpanObserver(traces.provider), [over])
    (span,) = traces.exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == (str(failure) if failure else None)
    assert span.attributes["error.type"] == kind
    assert span.attributes.get("l0.cause") == (failure.cause if failure else None)
    assert span.attributes["l0.outcome"] == "failed"


def test_typed_error_event_fails_the_span(traces, play, ended):
    failure = Failure(cause=Cause.IN_BAND_ERROR, message="server_error", typed=True)
    play(SpanObserver(traces.provider), [replace(ended, failure=failure, failures=(failure,))])
    (span,) = traces.exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["l0.outcome"] == "failed"


def test_early_break_is_not_an_error(traces, play, ended):
    play(SpanObserver(traces.provider), [replace(ended, outcome=Outcome.CANCELLED)])
    (span,) = traces.exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["l0.outcome"] == "cancelled"
    assert span.attributes["gen_ai.usage.input_tokens"] == 100
    assert "error.type" not in span.attributes


def test_attempt_spans_need_more_than_one_attempt(traces, play, retried):
    play(SpanObserver(traces.provider), retried)
    call, first, second = (traces.spans[name] for name in ("chat gpt-4o", "attempt 1", "attempt 2"))
    assert first.parent == second.parent == call.context
    assert first.kind is second.kind is SpanKind.INTERNAL
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET
    assert dict(first.attributes) == TARGET | {
        "l0.attempt.number": 1,
        "http.response.status_code": 529,
        "l0.request.id": "req_1",
        "l0.attempt.cause": "overloaded",
        "error.type": "overloaded",
    }
    assert dict(second.attributes) == TARGET | {
        "l0.attempt.number": 2,
        "http.request.resend_count": 1,
        "l0.backoff": 0.3,
        "http.response.status_code": 200,
        "l0.request.id": "req_2",
    }
    assert [(span.end_time - span.start_time) / 1e9 for span in (first, second)] == pytest.approx([0.2, 2.0])
    assert (second.start_time - first.end_time) / 1e9 == pytest.approx(0.3)
    assert call.start_time <= first.start_time
    assert call.end_time == second.end_time
    assert call.attributes["l0.retry.causes"] == ("overloaded",)
    assert call.status.status_code is StatusCode.UNSET


def test_an_open_breaker_is_not_the_cause_of_a_retry(traces, play, retried):
    skipped = Failure(cause=Cause.BREAKER_OPEN, message="open")
    end = replace(retried[-1], outcome=Outcome.RECOVERED_FALLBACK, failures=(skipped, *retried[-1].failures), leg=1)
    play(SpanObserver(traces.provider), [*retried[:-1], end])
    assert traces.spans["chat gpt-4o"].attributes["l0.retry.causes"] == ("overloaded",)


def test_a_retry_is_an_event_of_the_call_at_its_time(traces, play, retried):
    play(SpanObserver(traces.provider), retried)
    (event,) = traces.spans["chat gpt-4o"].events
    assert event.name == "l0.retry"
    assert dict(event.attributes) == {"l0.attempt.number": 2, "l0.cause": "overloaded", "l0.backoff": 0.3}
    assert event.timestamp == traces.spans["attempt 2"].start_time


OTHER = make_call(
    policy=Policy(fallback=[Fallback(model="b"), Fallback(model="c")]),
    fallback_endpoints=(LegEndpoint("groq", "api.groq.com", 443), LegEndpoint("openai", "other.example.com", 8443)),
)


@pytest.fixture
def fallen(retried):
    """A call that went on with a fallback, and was retried there."""
    second, third = AttemptSpec(number=2, leg=1, waited_s=0.3), AttemptSpec(number=3, leg=1, waited_s=0.1)
    again = replace(retried[1], number=2, at=100.6)
    end = replace(retried[-1], outcome=Outcome.RECOVERED_FALLBACK, failures=(again.failure,) * 2, attempts=3, leg=1)
    started = [replace(retried[2], attempt=second), again, replace(retried[2], attempt=third, at=100.7)]
    return [*retried[:2], *started, replace(retried[3], number=3), end]


def test_an_attempt_span_names_the_server_that_got_the_request(traces, play, fallen):
    play(SpanObserver(traces.provider), fallen, OTHER)
    attempts = [traces.spans[f"attempt {number}"] for number in (1, 2, 3)]
    found = [{key: span.attributes.get(key) for key in TARGET} for span in attempts]
    groq = dict(zip(TARGET, ("groq", "api.groq.com", 443, "b"), strict=True))
    assert found == [TARGET, groq, groq]
    assert traces.spans["chat gpt-4o"].attributes["l0.leg"] == 1
    assert traces.spans["attempt 2"].attributes["l0.attempt.model"] == "b"


def test_an_attempt_without_a_host_names_none(traces, play, retried):
    play(SpanObserver(traces.provider), retried, make_call(provider="unknown", host="", port=0))
    assert not {names.SERVER_ADDRESS, names.SERVER_PORT} & set(traces.spans["attempt 1"].attributes)


def test_the_event_of_a_retry_says_whether_it_is_a_fallback(traces, play, fallen):
    play(SpanObserver(traces.provider), fallen, OTHER)
    first, second = (dict(event.attributes) for event in traces.spans["chat gpt-4o"].events)
    retry = {"l0.cause": "overloaded", "l0.attempt.leg": 1}
    assert first == retry | {"l0.attempt.number": 2, "l0.backoff": 0.3, "l0.fallback": True}
    assert second == retry | {"l0.attempt.number": 3, "l0.backoff": 0.1}


def test_an_attempt_that_was_cut_off_ends_with_the_call(traces, play, retried):
    play(SpanObserver(traces.provider), [*retried[:3], replace(retried[-1], outcome=Outcome.CANCELLED)])
    assert traces.spans["attempt 2"].end_time == traces.spans["chat gpt-4o"].end_time
    assert traces.spans["attempt 2"].status.status_code is StatusCode.UNSET


def test_the_first_word_on_an_attempt_counts(traces, play, ended, overloaded):
    """Closed while waiting for a retry: what failed stays failed."""
    events = [
        AttemptStarted(attempt=AttemptSpec(number=1), at=1.0),
        AttemptEnded(number=1, failure=overloaded, status=529, request_id=None, at=1.1),
        AttemptStarted(attempt=AttemptSpec(number=2), at=1.1),
        AttemptEnded(number=2, failure=overloaded, status=529, request_id=None, at=1.2),
        AttemptEnded(number=2, failure=None, status=None, request_id=None, at=1.5),
        replace(ended, outcome=Outcome.CANCELLED, failures=(overloaded,) * 2, attempts=2, at=1.5),
    ]
    play(SpanObserver(traces.provider), events)
    assert traces.spans["attempt 2"].status.status_code is StatusCode.ERROR
    assert traces.spans["chat gpt-4o"].attributes["l0.retry.causes"] == ("overloaded", "overloaded")


def test_a_call_cancelled_before_its_first_retry_shows_the_failed_attempt(traces, play, retried):
    end = replace(retried[-1], outcome=Outcome.CANCELLED, attempts=1, metadata=None, stream_stats=None)
    play(SpanObserver(traces.provider), [*retried[:2], end])
    call, attempt = traces.spans["chat gpt-4o"], traces.spans["attempt 1"]
    assert call.status.status_code is StatusCode.UNSET
    assert "error.type" not in call.attributes
    assert (call.attributes["l0.attempts"], call.attributes["l0.retry.causes"]) == (1, ("overloaded",))
    assert attempt.status.status_code is StatusCode.ERROR
    assert attempt.attributes["http.response.status_code"] == 529


@pytest.mark.parametrize(
    ("outcome", "reasons", "reported"),
    [
        (Outcome.CANCELLED, ("error",), None),
        (Outcome.CANCELLED, ("error", "error"), None),
        (Outcome.CANCELLED, ("error", "stop"), ("error", "stop")),
        (Outcome.FAILED, ("error",), ("error",)),
    ],
)
def test_finish_reasons_of_a_cancelled_call_are_those_that_the_provider_sent(
    traces, play, smooth, metadata, outcome, reasons, reported
):
    """The first choice of two may still be open: its place in the list stays."""
    play(
        SpanObserver(traces.provider),
        [*smooth[:-1], replace(smooth[-1], outcome=outcome, metadata=replace(metadata, finish_reasons=reasons))],
    )
    assert traces.spans["chat gpt-4o"].attributes.get("gen_ai.response.finish_reasons") == reported


def test_what_is_started_while_sending_hangs_below_the_call(traces, call, smooth):
    watcher = SpanObserver(traces.provider).observe(call)
    before = context.get_current()
    with watcher.active():
        traces.provider.get_tracer("http").start_span("POST").end()
    assert context.get_current() is before
    for event in smooth:
        watcher.notify(event)
    assert traces.spans["POST"].parent == traces.spans["chat gpt-4o"].context


def test_headers_carry_the_trace(traces, smooth, play):
    watcher = play(SpanObserver(traces.provider), smooth)
    mine = traces.spans["chat gpt-4o"].context
    assert watcher.headers()["traceparent"].split("-")[1:3] == [f"{mine.trace_id:032x}", f"{mine.span_id:016x}"]


def test_detaching_in_another_context_is_silent_and_harmless(traces, call, caplog):
    active = SpanObserver(traces.provider).observe(call).active()
    contextvars.copy_context().run(active.__enter__)
    here = context.get_current()
    with caplog.at_level(logging.DEBUG):
        active.__exit__(None, None, None)
    assert context.get_current() is here
    assert not caplog.records


def test_concurrent_tasks_do_not_see_each_other(traces, call):
    observer = SpanObserver(traces.provider)

    async def one() -> bool:
        watcher = observer.observe(call)
        with watcher.active() as span:
            await asyncio.sleep(0)
            return trace.get_current_span() is span

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(one() for _ in range(8)))

    assert asyncio.run(all_of_them()) == [True] * 8


def test_a_call_that_is_not_sampled_still_carries_the_decision_on(call, smooth):
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    watcher = SpanObserver(provider).observe(call)
    flags = int(watcher.headers()["traceparent"].split("-")[3], 16)
    assert flags & TraceFlags.SAMPLED == 0
    for event in smooth:
        watcher.notify(event)


def test_nobody_listens(call):
    assert SpanObserver(NoOpTracerProvider()).observe(call) is None


def test_suppressed_instrumentation_records_nothing(traces, call):
    with suppress_instrumentation():
        assert SpanObserver(traces.provider).observe(call) is None
    assert not traces.exporter.get_finished_spans()


OUTER = {
    "conventions": (SpanKind.CLIENT, {"gen_ai.operation.name": "chat"}),
    "in the process": (SpanKind.INTERNAL, {"gen_ai.operation.name": "embeddings"}),
    "operation at its end": (SpanKind.INTERNAL, {"gen_ai.request.model": "gpt-4o"}),
    "openinference": (SpanKind.INTERNAL, {"openinference.span.kind": "LLM"}),
    "langfuse": (SpanKind.INTERNAL, {"langfuse.observation.type": "generation"}),
}
NOT_OUTER = {
    "a server's": (SpanKind.SERVER, {"gen_ai.operation.name": "chat"}),
    "an agent's": (SpanKind.CLIENT, {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o"}),
    "a tool's": (SpanKind.INTERNAL, {"gen_ai.operation.name": "execute_tool"}),
    "openinference's chain": (SpanKind.INTERNAL, {"openinference.span.kind": "CHAIN"}),
    "langfuse's span": (SpanKind.INTERNAL, {"langfuse.observation.type": "span"}),
    "the application's": (SpanKind.INTERNAL, {}),
}


@pytest.mark.parametrize(("kind", "attributes"), OUTER.values(), ids=OUTER)
def test_the_current_inference_span_of_another_is_adopted(traces, play, retried, kind, attributes):
    tracer = traces.provider.get_tracer("framework")
    with tracer.start_as_current_span("theirs", kind=kind, attributes=attributes):
        play(SpanObserver(traces.provider), retried)
    assert set(traces.spans) == {"theirs", "attempt 1", "attempt 2"}
    theirs = traces.spans["theirs"]
    assert theirs.attributes["l0.outcome"] == "recovered_retry"
    assert traces.spans["attempt 1"].parent == theirs.context
    assert {name for name in theirs.attributes if name.startswith("gen_ai.")} <= set(attributes)


def test_span_whose_kind_openinference_keeps_to_its_end_is_adopted(traces, play, smooth):
    with traces.provider.get_tracer("openinference").start_as_current_span("completion") as span:
        setattr(span, names.OUTER_KEPT, {"openinference.span.kind": "LLM"})
        play(SpanObserver(traces.provider), smooth)
    assert set(traces.spans) == {"completion"}


@pytest.mark.parametrize(("name", "adopted"), [("OpenAI.stream_chat", True), ("RetrieverQueryEngine.query", False)])
def test_span_that_openinference_marks_only_at_its_end_is_adopted_by_its_name(traces, play, smooth, name, adopted):
    tracer = traces.provider.get_tracer("openinference.instrumentation.llama_index")
    with tracer.start_as_current_span(name):
        play(SpanObserver(traces.provider), smooth)
    assert len(traces.exporter.get_finished_spans()) == (1 if adopted else 2)


@pytest.mark.parametrize(("kind", "attributes"), NOT_OUTER.values(), ids=NOT_OUTER)
def test_any_other_current_span_is_the_parent(traces, play, smooth, kind, attributes):
    tracer = traces.provider.get_tracer("framework")
    with tracer.start_as_current_span("theirs", kind=kind, attributes=attributes):
        play(SpanObserver(traces.provider), smooth)
    (ours,) = [span for name, span in traces.spans.items() if name != "theirs"]
    assert ours.parent == traces.spans["theirs"].context


def test_a_call_inside_our_own_call_has_a_span_of_its_own(traces, call, play, smooth):
    outer = SpanObserver(traces.provider).observe(call)
    with outer.active():
        play(SpanObserver(traces.provider), smooth)
    assert len(traces.exporter.get_finished_spans()) == 1


@pytest.mark.parametrize("adopted", [True, False])
def test_suppressed_language_model_instrumentation_leaves_only_the_span_of_its_setter(traces, call, adopted):
    """As Traceloop's instrumentations of frameworks do, which report the calls below them themselves."""
    attributes = {"gen_ai.operation.name": "chat"} if adopted else {}
    token = context.attach(context.set_value("suppress_language_model_instrumentation", True))
    try:
        with traces.provider.get_tracer("framework").start_as_current_span("theirs", attributes=attributes):
            assert (SpanObserver(traces.provider).observe(call) is None) == (not adopted)
    finally:
        context.detach(token)
    assert set(traces.spans) == {"theirs"}


def test_span_of_another_genai_instrumentation_gets_l0_attributes(traces, play, retried):
    outer = traces.provider.get_tracer("other").start_span("chat theirs")
    marked = context.set_value("opentelemetry.genai.client.inference.context", object(), Context())
    token = context.attach(trace.set_span_in_context(outer, marked))
    try:
        play(SpanObserver(traces.provider), retried)
    finally:
        context.detach(token)
    assert outer.is_recording()  # theirs to end
    outer.end()
    assert set(traces.spans) == {"chat theirs", "attempt 1", "attempt 2"}
    assert traces.spans["attempt 1"].parent == outer.get_span_context()
    assert traces.spans["chat theirs"].attributes["l0.outcome"] == "recovered_retry"
    assert not any(name.startswith("gen_ai.") for name in traces.spans["chat theirs"].attributes)

"""Metrics: names, units, buckets, bounded attributes; recorded once, at the end of a call."""

from dataclasses import replace

import pytest
from makers import make_call
from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import NoOpMeterProvider

from l0.model.attempt import AttemptSpec
from l0.model.call import LegEndpoint, Outcome
from l0.model.call_events import LegStats, ResponseMetadata, RuleMatched, RuleTimes
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Policy
from l0.model.policy_from_environment import EnvironmentSettings, read_environment
from l0.model.rule import Severity, Violation
from l0.telemetry import names
from l0.telemetry.metrics import MetricObserver
from l0.telemetry.spans import SpanObserver

SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]


def test_a_good_call(metrics, play, smooth):
    play(MetricObserver(metrics.provider), smooth)
    assert metrics.points("gen_ai.client.operation.duration") == [({}, 2.5, 1)]
    assert metrics.points("gen_ai.client.operation.time_to_first_chunk") == [({}, 0.5, 1)]
    assert metrics.points("gen_ai.client.operation.time_per_output_chunk") == [({}, pytest.approx(0.2), 1)]
    assert metrics.points("gen_ai.client.token.usage") == [
        ({"gen_ai.token.type": "input"}, 100, 1),
        ({"gen_ai.token.type": "output"}, 41, 1),
    ]
    assert metrics.points("l0.attempts") == [({"l0.outcome": "ok"}, 1, 1)]
    assert metrics.points("l0.stream.gap.max") == [({}, 0.4, 1)]
    assert metrics.points("l0.stream.stalls") == [({}, 1, 1)]
    assert metrics.points("l0.stream.anomalies") == [({"l0.kind": "done_without_reason"}, 1, 1)]
    assert not {"l0.retries", "l0.backoff", "l0.stream.truncations"} & set(metrics.collect())


def test_rule_duration_is_recorded_by_phase(metrics, play, smooth):
    rules = {
        "json": RuleTimes(count=3, streaming=0.5, final=0.25),
        "length": RuleTimes(count=1, streaming=0.0, final=2.0),
    }
    play(MetricObserver(metrics.provider), [*smooth[:-1], replace(smooth[-1], rules=rules)])
    assert metrics.points("l0.guardrail.duration") == [
        ({"l0.guardrail.rule": "json", "l0.guardrail.phase": "streaming"}, 0.5, 1),
        ({"l0.guardrail.rule": "json", "l0.guardrail.phase": "final"}, 0.25, 1),
        ({"l0.guardrail.rule": "length", "l0.guardrail.phase": "final"}, 2.0, 1),
    ]


@pytest.mark.parametrize(("switch", "recorded"), [("", 2), ("all", 20)])
def test_rule_duration_is_recorded_for_every_tenth_call_with_rules(metrics, play, ended, monkeypatch, switch, recorded):
    monkeypatch.setenv("L0_RULE_METRICS", switch)
    observer = MetricObserver(metrics.provider)
    rules = {"json": RuleTimes(count=3, streaming=0.5, final=0.0)}
    for _ in range(20):
        play(observer, [ended])
        play(observer, [replace(ended, rules=rules)])
    ((_, _, times),) = metrics.points("l0.guardrail.duration")
    assert times == recorded


def test_units_and_buckets(metrics, play, retried):
    play(MetricObserver(metrics.provider), retried)
    found = metrics.collect()
    assert {name: metric.unit for name, metric in found.items()} == {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.operation.time_per_output_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
        "l0.attempts": "{attempt}",
        "l0.retries": "{retry}",
        "l0.backoff": "s",
        "l0.stream.gap.max": "s",
        "l0.stream.stalls": "{event}",
        "l0.stream.anomalies": "{event}",
    }
    for name, metric in found.items():
        for point in metric.data.data_points:
            if hasattr(point, "explicit_bounds"):
                expected = TOKENS if name == "gen_ai.client.token.usage" else SECONDS
                assert list(point.explicit_bounds) == expected, name


def test_retries_by_cause(metrics, play, retried):
    play(MetricObserver(metrics.provider), retried)
    cause_attributes = {"l0.cause": "overloaded", "l0.category": "transient"}
    assert metrics.points("l0.retries") == [(cause_attributes, 1, 1)]
    assert metrics.points("l0.backoff") == [({"l0.cause": "overloaded"}, 0.3, 1)]
    assert metrics.points("l0.attempts") == [
        ({"l0.outcome": "failed", **cause_attributes}, 1, 1),
        ({"l0.outcome": "ok"}, 1, 1),
    ]


def test_an_open_breaker_is_not_the_cause_of_a_retry(metrics, play, retried):
    """No request was sent to the skipped leg, so the retry's cause is the failure of the first request."""
    skipped = Failure(cause=Cause.BREAKER_OPEN, message="open")
    end = replace(retried[-1], outcome=Outcome.RECOVERED_FALLBACK, failures=(skipped, *retried[-1].failures), leg=1)
    play(MetricObserver(metrics.provider), [*retried[:-1], end])
    cause_attributes = {"l0.cause": "overloaded", "l0.category": "transient"}
    assert metrics.points("l0.retries") == [(cause_attributes, 1, 1)]
    assert metrics.points("l0.backoff") == [({"l0.cause": "overloaded"}, 0.3, 1)]


def test_a_failed_call_has_a_type_on_its_duration_only(metrics, play, ended):
    failure = Failure(cause=Cause.TRUNCATED, message="cut", error=ConnectionError("cut"))
    over = replace(ended, outcome=Outcome.FAILED, failure=failure, failures=(failure,))
    play(MetricObserver(metrics.provider), [over])
    assert metrics.points("gen_ai.client.operation.duration") == [({"error.type": "ConnectionError"}, 2.5, 1)]
    assert metrics.points("gen_ai.client.operation.time_to_first_chunk") == [({}, 0.5, 1)]
    assert metrics.points("l0.stream.truncations") == [({"l0.kind": "failed"}, 1, 1)]
    (attempt,) = metrics.points("l0.attempts")
    assert attempt[0]["l0.outcome"] == "failed"


def test_a_truncation_that_was_accepted_is_counted_as_one(metrics, play, ended, metadata):
    play(MetricObserver(metrics.provider), [replace(ended, metadata=replace(metadata, anomalies=("truncated",)))])
    assert metrics.points("l0.stream.truncations") == [({"l0.kind": "accepted"}, 1, 1)]
    assert "l0.stream.anomalies" not in metrics.collect()


def test_cancelled_call_has_no_error_type(metrics, play, smooth):
    play(MetricObserver(metrics.provider), [*smooth[:2], replace(smooth[2], outcome=Outcome.CANCELLED)])
    assert metrics.points("gen_ai.client.operation.duration") == [({}, 2.5, 1)]
    assert metrics.points("l0.attempts") == [({"l0.outcome": "cancelled"}, 1, 1)]


def test_cancelled_while_waiting_counts_no_retry(metrics, play, ended, overloaded):
    play(MetricObserver(metrics.provider), [replace(ended, outcome=Outcome.CANCELLED, failures=(overloaded,))])
    assert "l0.retries" not in metrics.collect()
    assert [point[0]["l0.outcome"] for point in metrics.points("l0.attempts")] == ["failed"]


def test_token_metrics_need_a_count_of_the_provider(metrics, play, ended):
    play(MetricObserver(metrics.provider), [replace(ended, metadata=ResponseMetadata(input_tokens=7))])
    assert metrics.points("gen_ai.client.token.usage") == [({"gen_ai.token.type": "input"}, 7, 1)]


def test_duration_without_stream_stats_comes_from_events(metrics, play, smooth):
    play(MetricObserver(metrics.provider), [*smooth[:2], replace(smooth[2], stream_stats=None)])
    assert metrics.points("gen_ai.client.operation.duration") == [({}, 2.5, 1)]
    assert "gen_ai.client.operation.time_to_first_chunk" not in metrics.collect()


NEW = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "gen_ai.client.inference.operation.input_tokens",
    "gen_ai.client.inference.operation.output_tokens",
}
OLD = {
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "gen_ai.client.token.usage",
}


@pytest.fixture(
    params=[
        ("", OLD),
        ("http,database", OLD),
        ("gen_ai_latest_experimental", NEW),
        ("http, gen_ai_latest_experimental", NEW),
        ("gen_ai_latest_experimental/dup", OLD | NEW),
    ],
    ids=lambda param: param[0] or "unset",
)
def expected(request, monkeypatch):
    switch, names = request.param
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", switch)
    return names


def test_the_standards_own_switch_chooses_the_names(metrics, play, smooth, expected):
    play(MetricObserver(metrics.provider), smooth)
    assert {name for name in metrics.collect() if name.startswith("gen_ai.")} == expected


def test_new_usage_is_a_counter_by_modality_and_a_spread(metrics, play, smooth, monkeypatch):
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    observer = MetricObserver(metrics.provider)
    play(observer, smooth)
    play(observer, smooth)
    unknown = {"gen_ai.token.modality": "unknown"}
    assert metrics.points("gen_ai.client.inference.usage.input_tokens") == [(unknown, 200, 1)]
    assert metrics.points("gen_ai.client.inference.operation.input_tokens") == [({}, 200, 2)]
    (point,) = metrics.collect()["gen_ai.client.inference.operation.output_tokens"].data.data_points
    assert list(point.explicit_bounds) == TOKENS


def test_instruments_are_made_once_for_all_calls(metrics, call, monkeypatch):
    made = []
    create = metrics.provider.get_meter

    def counted(*args, **kwargs):
        made.append(args)
        return create(*args, **kwargs)

    monkeypatch.setattr(metrics.provider, "get_meter", counted)
    observer = MetricObserver(metrics.provider)
    for _ in range(3):
        observer.observe(call)
    assert len(made) == 1


def test_call_without_a_meter_is_not_observed(call):
    assert MetricObserver(NoOpMeterProvider()).observe(call) is None


def test_suppressed_instrumentation_records_nothing(metrics, call):
    with suppress_instrumentation():
        assert MetricObserver(metrics.provider).observe(call) is None


OTHERS = ("opentelemetry.genai.client.inference.context", "suppress_language_model_instrumentation", "a current span")


@pytest.mark.parametrize("key", OTHERS)
def test_only_l0_metrics_are_recorded_under_another_genai_instrumentation(traces, metrics, play, smooth, key):
    outer = traces.provider.get_tracer("framework").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    current = trace.set_span_in_context(outer) if key == OTHERS[-1] else context.set_value(key, object())
    token = context.attach(current)
    try:
        play(MetricObserver(metrics.provider), smooth)
    finally:
        context.detach(token)
    assert set(metrics.collect()) == {"l0.attempts", "l0.stream.gap.max", "l0.stream.stalls", "l0.stream.anomalies"}


UNMEASURED = {
    "OpenInference": ("framework", {"openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"}),
    "Langfuse": ("framework", {"langfuse.observation.type": "generation", "gen_ai.request.model": "m"}),
    "logfire": ("logfire.openai", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}),
    "OpenInference for LlamaIndex": ("openinference.instrumentation.llama_index", {}),
}


@pytest.mark.parametrize("library", UNMEASURED)
def test_conventional_metrics_are_recorded_under_a_library_that_records_none(traces, metrics, play, smooth, library):
    scope, attributes = UNMEASURED[library]
    outer = traces.provider.get_tracer(scope).start_span("OpenAI.chat", attributes=attributes)
    token = context.attach(trace.set_span_in_context(outer))
    try:
        play(MetricObserver(metrics.provider), smooth)
    finally:
        context.detach(token)
    assert "gen_ai.client.token.usage" in metrics.collect()


def test_a_slow_bucket_has_the_trace_of_a_call(traces, metrics, call, smooth):
    spans, figures = SpanObserver(traces.provider).observe(call), MetricObserver(metrics.provider).observe(call)
    with spans.active(), figures.active():
        pass
    for event in smooth:
        spans.notify(event)
        figures.notify(event)
    span = traces.spans["chat gpt-4o"]
    (point,) = metrics.collect()["gen_ai.client.operation.duration"].data.data_points
    assert [(one.span_id, one.trace_id, one.value) for one in point.exemplars] == [
        (span.context.span_id, span.context.trace_id, 2.5)
    ]


def test_call_metrics_have_no_context_and_no_headers(metrics, call):
    call_metrics = MetricObserver(metrics.provider).observe(call)
    before = context.get_current()
    with call_metrics.active(), call_metrics.active():
        assert context.get_current() is before
    assert call_metrics.headers() == {}


@pytest.mark.parametrize(("switch", "told"), [("all", (5, 1.3)), ("", (1, 0.2))])
def test_time_of_each_chunk_is_recorded_on_request(metrics, play, ended, stats, monkeypatch, switch, told):
    monkeypatch.setenv("L0_CHUNK_METRICS", switch)
    paced = replace(stats, gaps=((0.1, 2), (0.3, 1), (0.4, 2)))
    play(MetricObserver(metrics.provider), [replace(ended, stream_stats=paced)])
    ((_, total, count),) = metrics.points("gen_ai.client.operation.time_per_output_chunk")
    assert (count, total) == (told[0], pytest.approx(told[1]))


def test_the_switches_of_telemetry_are_no_policy():
    switches = {"L0_CHUNK_METRICS": "all", "L0_ATTEMPT_SPANS": "all", "L0_RULE_METRICS": "all"}
    assert {names.CHUNK_METRICS_SWITCH, names.ATTEMPT_SPANS_SWITCH, names.RULE_METRICS_SWITCH} == set(switches)
    assert read_environment(switches) == EnvironmentSettings()


SPARE = make_call(
    policy=Policy(fallback=Fallback(model="b")), fallback_endpoints=(LegEndpoint("groq", "api.groq.com", 443),)
)


def by_provider(metrics, name):
    """The values of a metric by provider and requested model."""
    keys = ("gen_ai.provider.name", "gen_ai.request.model")
    points = metrics.collect()[name].data.data_points if name in metrics.collect() else []
    found = {}
    for point in points:
        key = tuple(point.attributes[name] for name in keys)
        found[key] = found.get(key, 0) + (point.value if hasattr(point, "value") else point.sum)
    return found


def fallen(retried, **changes):
    """A call whose primary is overloaded and whose fallback is overloaded once."""
    again = replace(retried[1], number=2, at=100.6, failure=Failure(cause=Cause.TRUNCATED))
    third = replace(retried[2], attempt=AttemptSpec(number=3, leg=1, waited_s=0.1), at=100.7)
    failures = (retried[1].failure, again.failure)
    end = replace(retried[-1], failures=failures, attempts=3, leg=1, **changes)
    second = replace(retried[2], attempt=AttemptSpec(number=2, leg=1, waited_s=0.3))
    return [*retried[:2], second, again, third, replace(retried[3], number=3), end]


PRIMARY, GROQ = ("openai", "gpt-4o"), ("groq", "b")


def test_attempts_count_for_the_provider_and_model_that_got_them(metrics, play, retried):
    play(MetricObserver(metrics.provider), fallen(retried, outcome=Outcome.RECOVERED_FALLBACK), SPARE)
    assert by_provider(metrics, "l0.attempts") == {PRIMARY: 1, GROQ: 2}
    assert by_provider(metrics, "l0.retries") == {PRIMARY: 1, GROQ: 1}
    assert by_provider(metrics, "l0.backoff") == {PRIMARY: 0.3, GROQ: 0.1}
    assert by_provider(metrics, "l0.stream.truncations") == {GROQ: 1}
    assert by_provider(metrics, "l0.stream.anomalies") == {GROQ: 1}
    assert by_provider(metrics, "l0.stream.gap.max") == {GROQ: 0.4}


def test_the_failure_of_a_fallback_counts_for_its_provider(metrics, play, retried):
    *events, end = fallen(retried, outcome=Outcome.FAILED)
    last = replace(events[-1], failure=Failure(cause=Cause.RESET))
    end = replace(end, failure=last.failure, failures=(*end.failures, last.failure))
    play(MetricObserver(metrics.provider), [*events[:-1], last, end], SPARE)
    assert by_provider(metrics, "l0.attempts") == {PRIMARY: 1, GROQ: 2}
    outcomes = [rest["l0.outcome"] for rest, _, _ in metrics.points("l0.attempts")]
    assert set(outcomes) == {"failed"}


def test_the_call_counts_for_what_the_user_requested_and_its_tokens_for_what_used_them(metrics, play, retried):
    usage = {1: retried[-1].metadata, 0: ResponseMetadata(input_tokens=7, output_tokens=2)}
    play(MetricObserver(metrics.provider), fallen(retried, outcome=Outcome.RECOVERED_FALLBACK), SPARE)
    play(MetricObserver(metrics.provider), fallen(retried, outcome=Outcome.CANCELLED, tokens_by_leg=usage), SPARE)
    assert by_provider(metrics, "gen_ai.client.operation.duration") == {PRIMARY: 5.0}
    assert by_provider(metrics, "gen_ai.client.operation.time_to_first_chunk") == {PRIMARY: 1.0}
    assert by_provider(metrics, "l0.fallbacks") == {PRIMARY: 2}
    assert by_provider(metrics, "gen_ai.client.operation.time_per_output_chunk") == {GROQ: pytest.approx(0.4)}
    assert by_provider(metrics, "gen_ai.client.token.usage") == {PRIMARY: 9, GROQ: 2 * 141}
    addresses = {
        point.attributes["server.address"] for point in metrics.collect()["gen_ai.client.token.usage"].data.data_points
    }
    assert addresses == {"api.example.com", "api.groq.com"}


def test_matches_of_rules_count_for_the_model_whose_answer_matched(metrics, play, retried):
    violation = Violation(rule="pattern", message="m", severity=Severity.WARNING, at=7)
    events = fallen(retried, outcome=Outcome.RECOVERED_FALLBACK)
    matched = RuleMatched(violation=violation, action="recorded", at=100.1)
    drift = replace(matched, violation=replace(violation, rule="drift.tone"), drift=True, at=100.8)
    play(MetricObserver(metrics.provider), [events[0], matched, *events[1:5], drift, *events[5:]], SPARE)
    assert by_provider(metrics, "l0.guardrail.violations") == {PRIMARY: 1}
    assert by_provider(metrics, "l0.drift.detections") == {GROQ: 1}


def test_stalls_and_gaps_count_for_the_provider_and_model_that_had_them(metrics, play, retried):
    legs = (
        LegStats(leg=0, stalls=2, gap_max=30.0, gaps=((30.0, 2),)),
        LegStats(leg=1, stalls=0, gap_max=0.2, gaps=((0.2, 5),)),
    )
    stats = replace(retried[-1].stream_stats, stalls=2, gap_max=30.0, gaps=((0.2, 5), (30.0, 2)), legs=legs)
    events = fallen(retried, outcome=Outcome.RECOVERED_FALLBACK, stream_stats=stats)
    play(MetricObserver(metrics.provider, environ={names.CHUNK_METRICS_SWITCH: "all"}), events, SPARE)
    primary, spare = (SPARE.provider, SPARE.model), ("groq", "b")
    assert by_provider(metrics, "l0.stream.stalls") == {primary: 2}
    assert by_provider(metrics, "l0.stream.gap.max") == {primary: 30.0, spare: 0.2}
    chunk_times = by_provider(metrics, "gen_ai.client.operation.time_per_output_chunk")
    assert chunk_times == {primary: pytest.approx(60.0), spare: pytest.approx(1.0)}

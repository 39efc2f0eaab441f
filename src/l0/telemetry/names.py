"""Every name that leaves the process: spans, attributes, events, metrics with their units and buckets.

Nothing else in the tree spells one. What the GenAI conventions know is ``gen_ai.*``; what they do not is ``l0.*``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SCOPE: Final = "l0"
DISTRIBUTION: Final = "l0-otel"

# The conventions' attributes.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
OUTPUT_TYPE: Final = "gen_ai.output.type"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
EMBEDDINGS_DIMENSIONS: Final = "gen_ai.embeddings.dimension.count"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""s, from the call (retries included) to the first chunk that the user got."""
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
ERROR_TYPE_OTHER: Final = "_OTHER"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"

# Our own attributes. Times are in seconds.
OUTCOME: Final = "l0.outcome"
"""How a call ended: ok, recovered_retry, recovered_fallback, recovered_resume, recovered_hedge, failed, cancelled."""
ATTEMPTS_MADE: Final = "l0.attempts"
"""Requests that were made for the call."""
FALLBACK_INDEX: Final = "l0.fallback.index"
"""Which leg answered: 1 for the first fallback; absent for the primary."""
RESUME_AT: Final = "l0.resume.at"
"""Characters of the answer that the user had when it was taken up."""
RESUME_STRATEGY: Final = "l0.resume.strategy"
"""How a broken answer was taken up last: exact, prefill, splice; by the explicit API also restart."""
RETRY_CAUSES: Final = "l0.retry.causes"
"""Why requests were repeated, in order."""
STALLS: Final = "l0.stalls"
"""How often there was no content for 10 s while reading."""
GAP_MAX: Final = "l0.gap.max"
"""The longest time, in s, between two reads that brought content, while reading."""
GAP_P50: Final = "l0.gap.p50"
"""Median of those gaps, in s, to within 10 %."""
GAP_P95: Final = "l0.gap.p95"
"""95th percentile of those gaps, in s, to within 10 %."""
GAP_P99: Final = "l0.gap.p99"
"""99th percentile of those gaps, in s, to within 10 %."""
JITTER: Final = "l0.jitter"
"""Standard deviation of those gaps, in s."""
SMOOTHNESS: Final = "l0.smoothness"
"""100 * (1 - standard deviation of the gaps / their mean), at least 0: 100 is a metronome."""
THROUGHPUT: Final = "l0.throughput"
"""Output tokens/s after the first, where the provider counts them."""
TIME_TO_FIRST_CONTENT: Final = "l0.time_to_first_content"
"""s, from the last attempt's request to its first content; framing events and role-only deltas are none."""
HELD: Final = "l0.held"
"""s that the first objects were kept back, or the last, where rules look at them first."""
WIRE_BYTES: Final = "l0.wire.bytes"
"""Bytes of the answers' bodies, decompressed, as the SDK reads them."""
OVERHEAD_RATIO: Final = "l0.wire.overhead_ratio"
"""Those bytes for each byte of the answer's text (UTF-8); absent where there was no text."""
ODDITIES: Final = "l0.oddities"
"""What was odd, but legitimate, and accepted."""
CAUSE: Final = "l0.cause"
"""What went wrong, from the catalogue of causes."""
CATEGORY: Final = "l0.category"
"""The category of the cause: what may be done about it."""
KIND: Final = "l0.kind"
"""Which kind of event: of an anomaly its name, of a truncation failed or accepted."""
WAITED: Final = "l0.backoff"
"""s waited before a request."""
ATTEMPT_LEG: Final = "l0.attempt.leg"
"""To whom a request went: 1 for the first fallback; absent for the primary."""
ATTEMPT_NUMBER: Final = "l0.attempt.number"
"""Which request of the call, from 1."""
ATTEMPT_CAUSE: Final = "l0.attempt.cause"
"""Why an attempt failed."""
ATTEMPT_HEDGE: Final = "l0.attempt.hedge"
"""The request went out beside a slow one."""
ATTEMPT_LOST: Final = "l0.attempt.lost"
"""Another request was quicker."""
REQUEST_ID: Final = "l0.request.id"
"""The provider's id of a request."""
SLO: Final = "l0.slo"
"""An objective's name."""
SLO_LAYER: Final = "l0.slo.layer"
"""What an objective is about: attempts, or delivered calls."""
SLO_GOOD: Final = "l0.slo.good"
"""Whether an event counts for or against an objective."""
SLO_WINDOW: Final = "l0.slo.window"
"""Over which time."""
GUARDRAIL_VIOLATIONS: Final = "l0.guardrail.violations"
"""The rules that were violated."""
DRIFT_TYPES: Final = "l0.drift.types"
"""The types of drift that were found."""
RULE: Final = "l0.guardrail.rule"
"""A rule's name."""
RULE_PHASE: Final = "l0.guardrail.phase"
"""When a rule was at work: streaming, as the text came, or final, once the answer was over."""
RULE_SEVERITY: Final = "l0.guardrail.severity"
"""warning, error or fatal."""
RULE_ACTION: Final = "l0.guardrail.action"
"""What came of it: recorded, failed (the attempt) or halted (the call)."""
RULE_MESSAGE: Final = "l0.guardrail.message"
"""What a rule says of what it found."""
VIOLATION_AT: Final = "l0.guardrail.at"
"""At which character of the answer."""
DRIFT_TYPE: Final = "l0.drift.type"
"""Which type of drift."""
DRIFT_CONFIDENCE: Final = "l0.drift.confidence"
"""How sure it is, from 0 to 1."""
SHADOW_ACTION: Final = "l0.shadow.action"
"""What a policy in shadow mode would have done."""
FAN_KIND: Final = "l0.fan.kind"
"""What is done with the branches of a fan-out: race, parallel, consensus, ..."""
BRANCH_INDEX: Final = "l0.branch.index"
"""Which branch, from 0."""
BRANCH_OUTCOME: Final = "l0.branch.outcome"
"""How a branch ended: ok, failed, cancelled."""

# Spans and events.
ATTEMPT_SPAN: Final = "attempt"
BRANCH_SPAN: Final = "branch"
VIOLATION_EVENT: Final = "l0.guardrail.violation"
DRIFT_EVENT: Final = "l0.drift.detection"
SHADOW_EVENT: Final = "l0.shadow"
RETRY_EVENT: Final = "l0.retry"
RESUME_EVENT: Final = "l0.resume"
HEDGE_EVENT: Final = "l0.hedge"
DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"

# Values.
BRANCH_OK: Final = "ok"
BRANCH_FAILED: Final = "failed"
BRANCH_CANCELLED: Final = "cancelled"
HEDGE_WON: Final = "won"
HEDGE_LOST: Final = "lost"
FINISH_ERROR: Final = "error"
"""What the conventions put in the place of a finish reason that was expected and did not come."""
OUTER_CALLS: Final = (
    "opentelemetry.genai.client.inference.context",
    "opentelemetry.genai.client.embedding.context",
)
"""Context keys under which OpenTelemetry's own GenAI utilities mark a call that has its span already."""
OUTER_KIND: Final = "openinference.span.kind"
OUTER_KINDS: Final = frozenset({"LLM", "EMBEDDING"})
"""What OpenInference's span of a call says of itself."""

# Switches.
CONVENTIONS_SWITCH: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
CONVENTIONS_LATEST: Final = "gen_ai_latest_experimental"
CONVENTIONS_BOTH: Final = "gen_ai_latest_experimental/dup"
ATTEMPT_SPANS_SWITCH: Final = "L0_ATTEMPT_SPANS"
"""``all``: every attempt has a span, a call's only one as well."""
CHUNK_METRICS_SWITCH: Final = "L0_CHUNK_METRICS"
"""``all``: time per output chunk is recorded for each chunk, not as one mean a stream."""
CONTENT_SWITCH: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

SECONDS: Final = tuple(round(0.01 * 2**step, 2) for step in range(14))
"""Bucket bounds of durations, in s: 0.01 doubling to 81.92."""
RULE_SECONDS: Final = tuple(10.0**-6 * 4**step for step in range(12))
"""Bucket bounds of what rules take, in s: a microsecond to 4.2 s, each four times the last."""
TOKENS: Final = tuple(float(4**step) for step in range(14))
"""Bucket bounds of token counts: 1 to 67,108,864."""


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One instrument. Compared by identity, being a dictionary's key.

    ``buckets``: a histogram's bounds in ``unit``. ``attributes``: what it may have beside those of every metric of a
    call; their values are bounded sets.
    """

    kind: Literal["histogram", "counter", "gauge"]
    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TokenMetrics:
    """How one count of tokens is told: which field of `Facts` goes to which instrument, with which attribute."""

    field: str
    metric: Metric
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """The client metrics of one generation of the conventions."""

    duration: Metric
    first_chunk: Metric
    per_chunk: Metric
    tokens: tuple[TokenMetrics, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((self.duration, self.first_chunk, self.per_chunk, *(t.metric for t in self.tokens))))


def _seconds(name: str, description: str, *attributes: str) -> Metric:
    return Metric("histogram", name, "s", description, SECONDS, attributes)


def _counter(name: str, unit: str, description: str, *attributes: str) -> Metric:
    return Metric("counter", name, unit, description, attributes=attributes)


def _usage(field: str, name: str, description: str) -> TokenMetrics:
    # Neither provider says for every count of which modality the tokens were.
    return TokenMetrics(field, _counter(name, "{token}", description, TOKEN_MODALITY), ((TOKEN_MODALITY, "unknown"),))


def _spread(field: str, name: str, description: str) -> TokenMetrics:
    return TokenMetrics(field, Metric("histogram", name, "{token}", description, TOKENS))


_TOKEN_USAGE = Metric(
    "histogram",
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    TOKENS,
    (TOKEN_TYPE,),
)

CURRENT: Final = MetricFamily(
    duration=_seconds("gen_ai.client.operation.duration", "GenAI operation duration.", ERROR_TYPE),
    first_chunk=_seconds("gen_ai.client.operation.time_to_first_chunk", "Time to the first chunk, from the call."),
    per_chunk=_seconds("gen_ai.client.operation.time_per_output_chunk", "Mean time per chunk after the first."),
    tokens=(
        TokenMetrics("input_tokens", _TOKEN_USAGE, ((TOKEN_TYPE, "input"),)),
        TokenMetrics("output_tokens", _TOKEN_USAGE, ((TOKEN_TYPE, "output"),)),
    ),
)
"""The names that collectors and dashboards know today."""

LATEST: Final = MetricFamily(
    duration=_seconds("gen_ai.client.inference.duration", "Duration of a client inference operation.", ERROR_TYPE),
    first_chunk=_seconds("gen_ai.client.inference.time_to_first_chunk", "Time to the first chunk, from the call."),
    per_chunk=_seconds("gen_ai.client.inference.time_per_output_chunk", "Mean time per chunk after the first."),
    tokens=(
        _usage("input_tokens", "gen_ai.client.inference.usage.input_tokens", "Input tokens, cached ones included."),
        _usage("output_tokens", "gen_ai.client.inference.usage.output_tokens", "Output tokens, reasoning included."),
        _usage(
            "cache_read_tokens",
            "gen_ai.client.inference.usage.cache_read.input_tokens",
            "Input tokens that the provider's cache served.",
        ),
        _usage(
            "cache_write_tokens",
            "gen_ai.client.inference.usage.cache_write.input_tokens",
            "Input tokens written to the provider's cache.",
        ),
        _usage(
            "reasoning_tokens",
            "gen_ai.client.inference.usage.reasoning.output_tokens",
            "Output tokens used for reasoning.",
        ),
        _spread("input_tokens", "gen_ai.client.inference.operation.input_tokens", "Input tokens of one operation."),
        _spread("output_tokens", "gen_ai.client.inference.operation.output_tokens", "Output tokens of one operation."),
    ),
)
"""The names of the conventions' newest edition."""

ATTEMPTS: Final = _counter(
    "l0.attempts", "{attempt}", "Requests made for calls, by how they ended.", OUTCOME, CAUSE, CATEGORY
)
RETRIES: Final = _counter(
    "l0.retries", "{retry}", "Requests repeated, by the cause that made it necessary.", CAUSE, CATEGORY
)
FALLBACKS: Final = _counter("l0.fallbacks", "{event}", "Calls that fell over to another leg than the primary.", OUTCOME)
RESUMES: Final = _counter("l0.resumes", "{event}", "Broken answers that were taken up.", RESUME_STRATEGY, OUTCOME)
HEDGES: Final = _counter("l0.hedges", "{event}", "Second requests beside a slow one, by which was quicker.", OUTCOME)
BACKOFF: Final = _seconds("l0.backoff", "Time waited before a retry.", CAUSE)
LONGEST_GAP: Final = _seconds("l0.stream.gap.max", "The longest gap between two pieces of content of one answer.")
STREAM_STALLS: Final = _counter("l0.stream.stalls", "{event}", "Stalls: no content for 10 s while reading.")
RULE_DURATION: Final = Metric(
    "histogram",
    "l0.guardrail.duration",
    "s",
    "Time that a rule took for one call, all its looks of a phase together.",
    RULE_SECONDS,
    (RULE, RULE_PHASE),
)
VIOLATIONS: Final = _counter(
    "l0.guardrail.violations", "{violation}", "What guardrails have found.", RULE, RULE_SEVERITY, RULE_ACTION
)
DRIFTS: Final = _counter("l0.drift.detections", "{event}", "Drift that was found, by its type.", DRIFT_TYPE)
SHADOWS: Final = _counter("l0.shadow", "{event}", "What a policy in shadow mode would have done.", SHADOW_ACTION, CAUSE)
TRUNCATIONS: Final = _counter("l0.stream.truncations", "{event}", "Streams without their terminal event.", KIND)
ANOMALIES: Final = _counter("l0.stream.anomalies", "{event}", "What was odd in an answer, but legitimate.", KIND)

BREAKER_STATE: Final = Metric(
    "gauge", "l0.breaker.state", "1", "Circuit breaker: 0 is closed, 1 half-open (one probe passes), 2 open."
)
"""Read when it is collected; one series for each provider and model that has a breaker."""

OWN: Final = (
    ATTEMPTS,
    RETRIES,
    FALLBACKS,
    RESUMES,
    HEDGES,
    BACKOFF,
    RULE_DURATION,
    VIOLATIONS,
    DRIFTS,
    SHADOWS,
    LONGEST_GAP,
    STREAM_STALLS,
    TRUNCATIONS,
    ANOMALIES,
)
"""The metrics that no convention has a name for."""

_OF_AN_SLO = (SLO, SLO_LAYER, SLO_WINDOW)
SLO_EVENTS: Final = _counter(
    "l0.slo.events", "{event}", "What counts for or against an objective.", SLO, SLO_LAYER, SLO_GOOD
)
SLO_BUDGET: Final = Metric(
    "gauge", "l0.slo.error_budget.remaining", "1", "The share of an error budget that is left.", attributes=_OF_AN_SLO
)
SLO_BURN_RATE: Final = Metric(
    "gauge", "l0.slo.burn_rate", "1", "How many times too fast an error budget is spent.", attributes=_OF_AN_SLO
)

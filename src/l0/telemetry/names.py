"""Every name that leaves the process: spans, attributes, events, and metrics with their units and buckets.

No other module spells such a name. L0's own attributes and metrics start with ``l0.``; the others are those of
OpenTelemetry's semantic conventions (``gen_ai.``, ``server.``, ``http.``, ``error.``; "the conventions" in this
package), or marks that other instrumentations leave. The docstrings of L0's attributes and the metric descriptions are
the tables of ``docs/telemetry.md``.
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
"""Time in s from the call (retries included) to the first chunk that the user received."""
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

# L0's own attributes. Times are in seconds.
OUTCOME: Final = "l0.outcome"
"""A call's outcome: ok, recovered_retry, recovered_fallback, recovered_resume, recovered_hedge, failed, cancelled."""
ATTEMPTS_MADE: Final = "l0.attempts"
"""The number of requests sent for the call."""
LEG: Final = "l0.leg"
"""The leg at which the call ended: 1 for the first fallback; absent for the primary."""
RESUME_AT: Final = "l0.resume.at"
"""The number of characters the user had received when the answer was resumed."""
RESUME_STRATEGY: Final = "l0.resume.strategy"
"""The strategy of the last resume: exact, prefill or splice; in the explicit API also restart."""
RETRY_CAUSES: Final = "l0.retry.causes"
"""The causes of the retries, in order. If the call was cancelled in a backoff, also that of the retry not yet sent."""
WASTED_TOKENS: Final = "l0.wasted_tokens"
"""The tokens, input and output, that the provider reported for attempts other than the one that served the answer."""
UNKNOWN_WASTE: Final = "l0.wasted_tokens.unknown"
"""True if an attempt that did not serve the answer may have used tokens, and the provider reported none for any
such attempt."""
SDK_RETRIES: Final = "l0.sdk_retries"
"""The requests after the first one that the bare SDK's own retries would have sent too. Set if there was more than
one request."""
RECOVERY_TIME: Final = "l0.recovery_time"
"""The time in s of failed attempts and of the waits after them, if another attempt followed or the call ended during
the wait. Of a resumed attempt only the wait counts, because its text was used."""
STOP_REASON: Final = "l0.stop.reason"
"""The reason why a failed call made no further attempt, with its limit."""
STOP_FIELD: Final = "l0.stop.policy_field"
"""The field of the policy that ruled out another attempt, or that made the last one fail, such as Retry.max_retries."""
STALLS: Final = "l0.stalls"
"""The number of times no content arrived for 10 s while reading."""
GAP_MAX: Final = "l0.gap.max"
"""The longest gap in s. A gap is the time spent reading between two reads that brought content, or from the last of
them to the failure of the attempt."""
GAP_P50: Final = "l0.gap.p50"
"""The median gap in s, to within 10 %."""
GAP_P95: Final = "l0.gap.p95"
"""The 95th percentile of the gaps in s, to within 10 %."""
GAP_P99: Final = "l0.gap.p99"
"""The 99th percentile of the gaps in s, to within 10 %."""
JITTER: Final = "l0.jitter"
"""The standard deviation of the gaps in s."""
SMOOTHNESS: Final = "l0.smoothness"
"""100 * (1 - standard deviation of the gaps / their mean), at least 0; 100 means that all gaps are equal."""
THROUGHPUT: Final = "l0.throughput"
"""Output tokens/s after the first chunk, if the provider counts them."""
TIME_TO_FIRST_CONTENT: Final = "l0.time_to_first_content"
"""Time in s from the request of the attempt that answered to its first content, not counting framing events and
role-only deltas."""
HELD: Final = "l0.held"
"""Time in s for which L0 held back content that had arrived: the longer of two times, that of the first objects
delivered and that of the last."""
PROGRAM_TIME: Final = "l0.program_time"
"""Time in s that the program took between reads, from the first content on, if that is 0.1 s or more."""
WIRE_BYTES: Final = "l0.wire.bytes"
"""The bytes of all response bodies of the call, decompressed, as the SDK reads them."""
OVERHEAD_RATIO: Final = "l0.wire.overhead_ratio"
"""Body bytes per byte of the answer's text (UTF-8); absent if there was no text."""
TIMELINE: Final = "l0.timeline"
"""The number of content deltas in each interval of the call, in at most 64 intervals; only with L0_TIMELINE=1."""
TIMELINE_BUCKET: Final = "l0.timeline.bucket"
"""The width in s of the intervals of `l0.timeline`."""
ANOMALY_KINDS: Final = "l0.anomalies"
"""The kinds of anomalies in the answer: unusual on the wire, but legitimate and accepted."""
CAUSE: Final = "l0.cause"
"""The cause of a failure: a value of `l0.model.failure.Cause`."""
CATEGORY: Final = "l0.category"
"""The category of the cause, which decides the possible recovery."""
KIND: Final = "l0.kind"
"""The kind of event: the name of an anomaly; for a truncation, whether it failed or was accepted."""
WAITED: Final = "l0.backoff"
"""The delay in s before a request."""
FALLBACK: Final = "l0.fallback"
"""True on a retry's event if its request went to another leg than the one before it."""
ATTEMPT_LEG: Final = "l0.attempt.leg"
"""The leg that a request went to: 1 for the first fallback; absent for the primary."""
ATTEMPT_MODEL: Final = "l0.attempt.model"
"""The model that a request went to."""
ATTEMPT_NUMBER: Final = "l0.attempt.number"
"""The number of the request within the call, from 1."""
ATTEMPT_CAUSE: Final = "l0.attempt.cause"
"""The cause of an attempt's failure."""
ATTEMPT_HEDGE: Final = "l0.attempt.hedge"
"""True if the request was a hedge, sent in parallel with a slow one."""
ATTEMPT_LOST: Final = "l0.attempt.lost"
"""True for the unused request of a hedged pair: the other one was faster, or this one failed."""
REQUEST_ID: Final = "l0.request.id"
"""The provider's identifier of a request."""
SLO: Final = "l0.slo"
"""The name of an objective."""
SLO_LAYER: Final = "l0.slo.layer"
"""The events that an objective counts: attempts, or delivered calls."""
SLO_GOOD: Final = "l0.slo.good"
"""True if an event is good for an objective, false if it is bad."""
SLO_WINDOW: Final = "l0.slo.window"
"""The window of a budget or burn rate, as a Prometheus duration."""
FLEET_STATE: Final = "l0.fleet.state"
"""The state of a process in its fleet: `shared`, `slow` (no call waits for Redis) or `away` (local rules)."""
GUARDRAIL_VIOLATIONS: Final = "l0.guardrail.violations"
"""The names of the violated rules."""
DRIFT_TYPES: Final = "l0.drift.types"
"""The types of detected drift."""
RULE: Final = "l0.guardrail.rule"
"""The name of a rule."""
RULE_PHASE: Final = "l0.guardrail.phase"
"""The phase in which a rule ran: streaming, while text arrived, or final, after the answer ended."""
RULE_SEVERITY: Final = "l0.guardrail.severity"
"""The severity of a violation: warning, error or fatal."""
RULE_ACTION: Final = "l0.guardrail.action"
"""The result of a violation: recorded, failed (the attempt), halted (the call), or shadowed (only observed)."""
RULE_MESSAGE: Final = "l0.guardrail.message"
"""The rule's message."""
VIOLATION_AT: Final = "l0.guardrail.at"
"""The character position of a violation in the answer."""
DRIFT_TYPE: Final = "l0.drift.type"
"""The type of drift."""
DRIFT_CONFIDENCE: Final = "l0.drift.confidence"
"""The confidence of a detection, from 0 to 1."""
SHADOW_ACTION: Final = "l0.shadow.action"
"""The action that a policy in shadow mode would have taken."""
FAN_KIND: Final = "l0.fan.kind"
"""The operation of a fan-out: race, parallel, consensus, ..."""
BRANCH_INDEX: Final = "l0.branch.index"
"""The index of a branch, from 0."""
BRANCH_OUTCOME: Final = "l0.branch.outcome"
"""The outcome of a branch: ok, failed, cancelled."""

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

# Values, and the marks of other instrumentations. OUTER: those whose spans may enclose a call of L0.
BRANCH_OK: Final = "ok"
BRANCH_FAILED: Final = "failed"
BRANCH_CANCELLED: Final = "cancelled"
HEDGE_WON: Final = "won"
HEDGE_LOST: Final = "lost"
FINISH_ERROR: Final = "error"
"""The conventional value for a finish reason that was expected but missing."""
# OUTER: marks of other instrumentations on spans that enclose L0's. OTHER: the viewer's names for values that other
# conventions call differently.
OUTER_CALLS: Final = (
    "opentelemetry.genai.client.inference.context",
    "opentelemetry.genai.client.embedding.context",
)
"""Context keys with which OpenTelemetry's GenAI utilities mark a call that already has a span."""
OUTER_KIND: Final = "openinference.span.kind"
OUTER_KINDS: Final = frozenset({"LLM", "EMBEDDING"})
"""The span kinds with which OpenInference marks its span of a call."""
OUTER_KEPT: Final = "_self_important_attributes"
"""The attribute of OpenInference's span objects that has their kind until they end, if it was not set at the start."""
OUTER_LATE_SCOPE: Final = "openinference.instrumentation.llama_index"
OUTER_LATE_METHODS: Final = frozenset(
    f"{prefix}{method}" for prefix in ("", "a", "stream_", "astream_") for method in ("chat", "complete")
)
"""OpenInference marks the spans of these methods of a LlamaIndex model, in this scope, only at their end."""
OUTER_LANGFUSE: Final = "langfuse.observation.type"
OUTER_OBSERVATIONS: Final = frozenset({"generation", "embedding"})
"""The observation types with which Langfuse marks its span of a call."""
OTHER_PROVIDERS: Final = ("gen_ai.system", "llm.provider", "llm.system")
"""Names of the provider in the conventions until 1.36 and in OpenInference."""
OTHER_MODELS: Final = ("llm.model_name", "embedding.model_name")
OTHER_PARAMETERS: Final = "llm.invocation_parameters"
"""The request in OpenInference, as JSON. A failed call has its model only there."""
OTHER_OPERATIONS: Final = ("llm.request.type",)
"""The name of the operation in Traceloop."""
OTHER_INPUT_TOKENS: Final = ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OTHER_OUTPUT_TOKENS: Final = ("gen_ai.usage.completion_tokens", "llm.token_count.completion")
OUTER_UNMEASURED_SCOPES: Final = frozenset({"logfire.anthropic", "logfire.openai"})
"""Logfire's scopes for the SDKs. Its spans follow the GenAI conventions, but it records no conventional metrics."""
INFERENCE_OPERATIONS: Final = frozenset({"chat", "embeddings", "generate_content", "text_completion"})
"""The conventions' operations that are one request to a model. Those of agents and tools are not."""
SUPPRESS_LANGUAGE_MODELS: Final = "suppress_language_model_instrumentation"
"""The context key with which the instrumentation of a framework states that it reports the SDK's calls itself."""

# Switches.
CONVENTIONS_SWITCH: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
CONVENTIONS_LATEST: Final = "gen_ai_latest_experimental"
CONVENTIONS_BOTH: Final = "gen_ai_latest_experimental/dup"
ATTEMPT_SPANS_SWITCH: Final = "L0_ATTEMPT_SPANS"
"""``all``: report a span for every attempt, even if the call had only one."""
FORMER_NAMES_SWITCH: Final = "L0_FORMER_NAMES"
"""``all``: also set span attributes under their former names. For one release."""
FORMER_NAMES: Final = {LEG: "l0.fallback.index", ANOMALY_KINDS: "l0.oddities"}
CHUNK_METRICS_SWITCH: Final = "L0_CHUNK_METRICS"
"""``all``: record the time per output chunk for every chunk, instead of one mean per stream."""
RULE_METRICS_SWITCH: Final = "L0_RULE_METRICS"
"""``all``: record the time of the rules of every call, instead of every tenth."""
CONTENT_SWITCH: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

SECONDS: Final = tuple(round(0.01 * 2**step, 2) for step in range(14))
"""Bucket bounds of durations in s: 0.01 doubling to 81.92, as the GenAI conventions advise."""
RULE_SECONDS: Final = tuple(10.0**-6 * 4**step for step in range(12))
"""Bucket bounds of rule durations in s: 1 us to 4.2 s, each four times the one before."""
TOKENS: Final = tuple(float(4**step) for step in range(14))
"""Bucket bounds of token counts: 1 to 67,108,864, each four times the one before, as the GenAI conventions advise."""


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One instrument. It is compared by identity because it is a dictionary key.

    ``buckets``: a histogram's bounds in ``unit``. ``attributes``: those of a record besides the attributes of every
    metric of a call. Each has a bounded set of values.
    """

    kind: Literal["histogram", "counter", "gauge"]
    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TokenMetrics:
    """The recording of one token count: a field of `ResponseMetadata`, its instrument, and added attributes."""

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
        """Return every distinct metric of the family."""
        return tuple(dict.fromkeys((self.duration, self.first_chunk, self.per_chunk, *(t.metric for t in self.tokens))))


def _seconds(name: str, description: str, *attributes: str) -> Metric:
    return Metric("histogram", name, "s", description, SECONDS, attributes)


def _counter(name: str, unit: str, description: str, *attributes: str) -> Metric:
    return Metric("counter", name, unit, description, attributes=attributes)


def _token_counter(field: str, name: str, description: str) -> TokenMetrics:
    # The conventions require a modality, but no provider reports it for every count.
    return TokenMetrics(field, _counter(name, "{token}", description, TOKEN_MODALITY), ((TOKEN_MODALITY, "unknown"),))


def _token_histogram(field: str, name: str, description: str) -> TokenMetrics:
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
    per_chunk=_seconds(
        "gen_ai.client.operation.time_per_output_chunk",
        "Time per chunk after the first; one mean per stream, or each with L0_CHUNK_METRICS=all.",
    ),
    tokens=(
        TokenMetrics("input_tokens", _TOKEN_USAGE, ((TOKEN_TYPE, "input"),)),
        TokenMetrics("output_tokens", _TOKEN_USAGE, ((TOKEN_TYPE, "output"),)),
    ),
)
"""The names that current collectors and dashboards use."""

LATEST: Final = MetricFamily(
    duration=_seconds("gen_ai.client.inference.duration", "Duration of a client inference operation.", ERROR_TYPE),
    first_chunk=_seconds("gen_ai.client.inference.time_to_first_chunk", "Time to the first chunk, from the call."),
    per_chunk=_seconds(
        "gen_ai.client.inference.time_per_output_chunk",
        "Time per chunk after the first; one mean per stream, or each with L0_CHUNK_METRICS=all.",
    ),
    tokens=(
        _token_counter(
            "input_tokens", "gen_ai.client.inference.usage.input_tokens", "Input tokens, cached ones included."
        ),
        _token_counter(
            "output_tokens", "gen_ai.client.inference.usage.output_tokens", "Output tokens, reasoning included."
        ),
        _token_counter(
            "cache_read_tokens",
            "gen_ai.client.inference.usage.cache_read.input_tokens",
            "Input tokens that the provider's cache served.",
        ),
        _token_counter(
            "cache_write_tokens",
            "gen_ai.client.inference.usage.cache_write.input_tokens",
            "Input tokens written to the provider's cache.",
        ),
        _token_counter(
            "reasoning_tokens",
            "gen_ai.client.inference.usage.reasoning.output_tokens",
            "Output tokens used for reasoning.",
        ),
        _token_histogram(
            "input_tokens", "gen_ai.client.inference.operation.input_tokens", "Input tokens of one operation."
        ),
        _token_histogram(
            "output_tokens", "gen_ai.client.inference.operation.output_tokens", "Output tokens of one operation."
        ),
    ),
)
"""The names of the newest edition of the conventions."""

ATTEMPTS: Final = _counter("l0.attempts", "{attempt}", "Requests sent for calls, by outcome.", OUTCOME, CAUSE, CATEGORY)
RETRIES: Final = _counter("l0.retries", "{retry}", "Retried requests, by the cause of the failure.", CAUSE, CATEGORY)
FALLBACKS: Final = _counter("l0.fallbacks", "{event}", "Calls that ended at a fallback, by outcome.", OUTCOME)
RESUMES: Final = _counter(
    "l0.resumes", "{event}", "Resumed answers, by strategy and outcome.", RESUME_STRATEGY, OUTCOME
)
HEDGES: Final = _counter("l0.hedges", "{event}", "Hedges: second requests, sent in parallel, by result.", OUTCOME)
BACKOFF: Final = _seconds("l0.backoff", "Delay before a retry.", CAUSE)
LONGEST_GAP: Final = _seconds("l0.stream.gap.max", "Longest gap before content of an answer, or before a failure.")
STREAM_STALLS: Final = _counter("l0.stream.stalls", "{event}", "Stalls: no content for 10 s while reading.")
RULE_DURATION: Final = Metric(
    "histogram",
    "l0.guardrail.duration",
    "s",
    "Total time of a rule per call and phase; recorded for every tenth call with rules, or for each with "
    "L0_RULE_METRICS=all.",
    RULE_SECONDS,
    (RULE, RULE_PHASE),
)
VIOLATIONS: Final = _counter(
    "l0.guardrail.violations", "{violation}", "Violations found by guardrails.", RULE, RULE_SEVERITY, RULE_ACTION
)
DRIFTS: Final = _counter("l0.drift.detections", "{event}", "Detected drift, by type.", DRIFT_TYPE)
SHADOWS: Final = _counter(
    "l0.shadow", "{event}", "Actions that a policy in shadow mode would have taken.", SHADOW_ACTION, CAUSE
)
TRUNCATIONS: Final = _counter("l0.stream.truncations", "{event}", "Streams without their terminal event.", KIND)
ANOMALIES: Final = _counter(
    "l0.stream.anomalies", "{event}", "Anomalies of answers: unusual on the wire, but legitimate.", KIND
)

BREAKER_STATE: Final = Metric(
    "gauge", "l0.breaker.state", "1", "Circuit breaker: 0 is closed, 1 half-open (one probe passes), 2 open."
)
"""Read at collection; one series per provider and model that has a breaker."""

FLEET_LEVEL: Final = Metric(
    "gauge",
    FLEET_STATE,
    "1",
    "Fleet: 0 shares its state, 1 does not wait for Redis (it is slow), 2 follows local rules (Redis is away).",
)
FLEET_CHANGES: Final = _counter(
    "l0.fleet.changes", "{event}", "Changes of the fleet to a state: fallbacks, and returns.", FLEET_STATE
)
"""The metrics of fleets are read at collection, and exist only in a process that has a fleet."""

L0_METRICS: Final = (
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
"""L0's own metrics of calls. Those of breakers, fleets and objectives are created by other modules."""

_SLO_ATTRIBUTES = (SLO, SLO_LAYER, SLO_WINDOW)
SLO_EVENTS: Final = _counter(
    "l0.slo.events", "{event}", "Events that count for or against an objective.", SLO, SLO_LAYER, SLO_GOOD
)
SLO_BUDGET: Final = Metric(
    "gauge", "l0.slo.error_budget.remaining", "1", "Remaining share of an error budget.", attributes=_SLO_ATTRIBUTES
)
SLO_BURN_RATE: Final = Metric(
    "gauge",
    "l0.slo.burn_rate",
    "1",
    "Speed at which an error budget is spent; 1 uses it up exactly over its window.",
    attributes=_SLO_ATTRIBUTES,
)

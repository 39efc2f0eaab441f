"""Build the attributes that spans and metrics share. Pure functions; fields that are not set are left out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from l0.model.call import AttributeValue, Call, Outcome
from l0.model.call_events import CallEnded, ResponseMetadata, StreamStats
from l0.model.durations import NOTABLE_PROGRAM_S
from l0.model.failure import Cause, Failure

from . import names

Attributes = dict[str, AttributeValue]

_METADATA_FIELDS = (
    ("response_id", names.RESPONSE_ID),
    ("model", names.RESPONSE_MODEL),
    ("input_tokens", names.INPUT_TOKENS),
    ("output_tokens", names.OUTPUT_TOKENS),
    ("cache_read_tokens", names.CACHE_READ_TOKENS),
    ("cache_write_tokens", names.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", names.REASONING_TOKENS),
)


def of_kind(operation: str, provider: str, model: str) -> Attributes:
    """Return the attributes of every metric: only three, because each one costs about a microsecond per record."""
    return {names.OPERATION: operation, names.PROVIDER: provider, names.REQUEST_MODEL: model}


def of_call(kind: Attributes, host: str, port: int) -> Attributes:
    """Return the attributes that samplers read and the conventional metrics have. Their values are bounded sets.

    ``kind``: the result of `of_kind`. A source of the explicit API has no host.
    """
    return {**kind, names.SERVER_ADDRESS: host, names.SERVER_PORT: port} if host else kind


def of_request(call: Call) -> Attributes:
    """Return all attributes that are known when a call begins."""
    attributes = of_call(of_kind(call.operation, call.provider, call.model), call.host, call.port)
    return {**attributes, **call.attributes}


@lru_cache(maxsize=512)
def of_target(provider: str, model: str, host: str, port: int) -> Mapping[str, AttributeValue]:
    """Return the attributes of the server and the model of one attempt. All attempts there share them.

    A source of the explicit API has no host. The model has a name of L0's own: some back ends take every span with
    ``gen_ai.request.model`` for a call.
    """
    target: Attributes = {names.PROVIDER: provider, names.ATTEMPT_MODEL: model}
    return target | {names.SERVER_ADDRESS: host, names.SERVER_PORT: port} if host else target


def of_answer(ended: CallEnded) -> Attributes:
    """Return the conventional attributes that are known when a call is over."""
    attributes: Attributes = {}
    metadata = ended.metadata
    if metadata is not None:
        for field, name in _METADATA_FIELDS:
            value = getattr(metadata, field)
            if value is not None:
                attributes[name] = value
        reasons = metadata.finish_reasons
        # A user who stopped did not wait for a reason, so a missing one is no error.
        if reasons and (ended.outcome is not Outcome.CANCELLED or set(reasons) != {names.FINISH_ERROR}):
            attributes[names.RESPONSE_FINISH_REASONS] = reasons
        attributes.update(metadata.extra)
    if ended.stream_stats is not None and ended.stream_stats.first_chunk is not None:
        attributes[names.RESPONSE_TIME_TO_FIRST_CHUNK] = ended.stream_stats.first_chunk
    if failed(ended):
        attributes[names.ERROR_TYPE] = error_type(ended.failure)
    return attributes


def of_engine(ended: CallEnded) -> Attributes:
    """Return the ``l0.*`` attributes, which only the engine can report."""
    attributes: Attributes = {names.OUTCOME: outcome(ended).value, names.ATTEMPTS_MADE: ended.attempts}
    if ended.failure is not None and failed(ended):
        attributes[names.CAUSE] = ended.failure.cause.value
        if ended.stop_reason:
            attributes[names.STOP_REASON] = ended.stop_reason
        if ended.policy_field:
            attributes[names.STOP_FIELD] = ended.policy_field
    if ended.wasted_tokens is not None:
        attributes[names.WASTED_TOKENS] = ended.wasted_tokens
    if ended.failures:
        retried = failed_requests(ended) if cancelled_in_backoff(ended) else retried_failures(ended)
        if retried:
            attributes[names.RETRY_CAUSES] = tuple(failure.cause.value for failure in retried)
    if ended.leg:
        attributes[names.LEG] = ended.leg
    if ended.resume_points:
        attributes[names.RESUME_STRATEGY] = ended.resume_points[-1].strategy
    if ended.metadata is not None and ended.metadata.anomalies:
        attributes[names.ANOMALY_KINDS] = ended.metadata.anomalies
    if ended.stream_stats is not None:
        attributes.update(_of_stats(ended.stream_stats, ended.metadata))
        if ended.stream_stats.wire_bytes and ended.text:
            text = len(ended.text.encode("utf-8", "surrogatepass"))
            attributes[names.OVERHEAD_RATIO] = ended.stream_stats.wire_bytes / text
    return attributes


def with_former_names(attributes: Attributes) -> Attributes:
    """Return the attributes, and those that were renamed also under their former names."""
    former = {names.FORMER_NAMES[name]: value for name, value in attributes.items() if name in names.FORMER_NAMES}
    return attributes | former


def _of_stats(stats: StreamStats, metadata: ResponseMetadata | None) -> Attributes:
    attributes: Attributes = {}
    if stats.first_chunk is not None or stats.stalls:
        attributes[names.STALLS] = stats.stalls
    if stats.wire_bytes:
        attributes[names.WIRE_BYTES] = stats.wire_bytes
    if stats.first_content is not None:
        attributes[names.TIME_TO_FIRST_CONTENT] = stats.first_content
    if stats.held_s > 0:
        attributes[names.HELD] = stats.held_s
    if stats.program_s >= NOTABLE_PROGRAM_S:
        attributes[names.PROGRAM_TIME] = stats.program_s
    if stats.gap_max > 0:
        attributes[names.GAP_MAX] = stats.gap_max
        attributes[names.GAP_P50] = stats.gap_p50
        attributes[names.GAP_P95] = stats.gap_p95
        attributes[names.GAP_P99] = stats.gap_p99
        attributes[names.JITTER] = stats.jitter
        attributes[names.SMOOTHNESS] = stats.smoothness
    if stats.timeline:
        attributes[names.TIMELINE] = stats.timeline
        attributes[names.TIMELINE_BUCKET] = stats.timeline_bucket
    if (rate := throughput(stats, metadata)) is not None:
        attributes[names.THROUGHPUT] = rate
    return attributes


def throughput(stats: StreamStats, metadata: ResponseMetadata | None) -> float | None:
    """Return output tokens/s after the first chunk; ``None`` if the token count or the time span is missing."""
    tokens = metadata.output_tokens if metadata is not None else None
    if tokens is None or tokens < 2 or stats.first_chunk is None or stats.last_chunk is None:
        return None
    if stats.last_chunk <= stats.first_chunk:
        return None
    return (tokens - 1) / (stats.last_chunk - stats.first_chunk)


def per_chunk(stats: StreamStats) -> float | None:
    """Return the mean time per chunk after the first, in seconds; ``None`` for fewer than two chunks."""
    if stats.first_chunk is None or stats.last_chunk is None or stats.chunks < 2:
        return None
    return (stats.last_chunk - stats.first_chunk) / (stats.chunks - 1)


def failed(ended: CallEnded) -> bool:
    """Return True if the call failed. An error that reached the user as a typed SDK event counts as a failure."""
    return ended.outcome is Outcome.FAILED or (ended.failure is not None and ended.failure.typed)


def outcome(ended: CallEnded) -> Outcome:
    """Return the outcome of the call, with errors delivered as typed events counted as failures."""
    return Outcome.FAILED if failed(ended) else ended.outcome


def failed_requests(ended: CallEnded) -> tuple[Failure, ...]:
    """Return the failures of requests, in order: all but open breakers, which send none."""
    return tuple(failure for failure in ended.failures if failure.cause is not Cause.BREAKER_OPEN)


def cancelled_in_backoff(ended: CallEnded) -> bool:
    """Return True if the user stopped the call after a failed attempt, before the retry was sent."""
    return outcome(ended) is Outcome.CANCELLED and len(failed_requests(ended)) >= max(1, ended.attempts)


def retried_failures(ended: CallEnded) -> tuple[Failure, ...]:
    """Return the failures of requests that were followed by another request."""
    return failed_requests(ended)[: max(0, ended.attempts - 1)]


def error_type(failure: Failure | None) -> str:
    """Return the exception's class name, or the cause. Both are bounded sets; a server's error codes are not."""
    if failure is None:
        return names.ERROR_TYPE_OTHER
    return type(failure.error).__qualname__ if failure.error is not None else failure.cause.value

"""The viewer's JSON API as typed values. The server returns them; the page and `l0 top` read them.

Every path is a GET below ``/api``. Times are Unix milliseconds, durations milliseconds, and unknown values ``None``.
Filters may be repeated, and then any of their values matches.

| path | parameters | result |
|---|---|---|
| ``/api/overview`` | `call_filter.FILTERS` | `Overview` |
| ``/api/calls`` | these and `call_filter.PAGE_PARAMETERS` | `CallsPage` |
| ``/api/calls/{trace_id}/{span_id}`` | | `CallDetail`; 404 if the call is not kept |
| ``/api/calls/{trace_id}/{span_id}/recording`` | | `RecordingLookup` |
| ``/api/calls/{trace_id}/{span_id}/recording/{attempt}/request`` | ``offset`` | `RequestPage`; 404 without it |
| ``/api/calls/{trace_id}/{span_id}/recording/{attempt}/answer`` | ``offset`` | `AnswerPage`; 404 without it |
| ``/api/facets`` | | `Facets` |
| ``/api/about`` | | `About` |
| ``/api/live`` | | server-sent events; the data of each is a `LiveMessage` |

``q`` searches for words in the ids of the trace, the span, the response, the conversation and the provider's requests,
and in provider, models, operation, outcome, causes, error type, finish reasons, server, service and name of the span.

An unknown parameter, or one with a value that is not allowed, is answered with status 400 and an `ApiError`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Json = dict[str, Any]
"""Attributes as the sender sent them: strings, numbers, booleans, lists and objects. Integers that JavaScript cannot
hold, and numbers that JSON cannot, are strings."""


class CallFields(TypedDict):
    """The fields of a call, in lists and in detail."""

    trace_id: str
    span_id: str
    start: float
    duration: float
    service: str
    provider: str | None
    model: str | None
    operation: str | None
    outcome: str
    """A value of `l0.model.call.Outcome`."""
    error_type: str | None
    cause: str | None
    """The cause of the failure, or of the last failure that was recovered: a value of `l0.model.failure.Cause`."""
    first_token: float | None
    """From the call to the first chunk that the user received, retries included."""
    gap_p95: float | None
    gap_max: float | None
    input_tokens: int | None
    output_tokens: int | None
    finish_reasons: list[str]
    stop_reason: str | None
    """The reason why a failed call made no further attempt."""


class ListedCall(CallFields):
    """One call. A span that does not come from L0 is a call of one attempt."""

    attempts: int


class CallsPage(TypedDict):
    """Calls, newest first unless another order is requested. ``next``: the cursor of the next page. ``total``: the
    number of calls that match."""

    calls: list[ListedCall]
    next: str | None
    total: int


class EventOfSpan(TypedDict):
    """An event of a span, as the sender sent it."""

    time: float
    name: str
    attributes: Json


class AttemptOfCall(TypedDict):
    """One request of a call. ``leg``: 0 for the primary, then the fallbacks in order."""

    number: int
    leg: int
    start: float
    duration: float
    outcome: Literal["ok", "failed", "cancelled"]
    cause: str | None
    status: int | None
    message: str
    """The status message of the attempt's span."""
    backoff_before: float | None
    hedge: bool
    lost: bool
    """The other request of a hedged pair was faster."""
    provider: str | None
    model: str | None
    attributes: Json


class ResumedAt(TypedDict):
    """A place at which a broken answer was continued. ``at``: the characters that the user had received."""

    time: float
    attempt: int | None
    at: int | None
    strategy: str | None


class RuleFinding(TypedDict):
    """A match of a guardrail rule or a drift detector. ``at``: the position in the answer, in characters."""

    time: float
    rule: str | None
    drift: bool
    severity: str | None
    action: str | None
    message: str | None
    at: int | None
    confidence: float | None


class Timeline(TypedDict):
    """The content deltas that arrived in each ``bucket_ms`` milliseconds, from the start of the call."""

    bucket_ms: float
    tokens: list[int]


class CapturedContent(TypedDict):
    """The captured content, as OpenTelemetry's conventions structure it. Text that is not JSON stays text."""

    input_messages: Any
    output_messages: Any
    system_instructions: Any
    tool_definitions: Any


class OtherSpan(TypedDict):
    """Another span of the same trace. ``call``: it is a call as well."""

    span_id: str
    parent_id: str | None
    name: str
    service: str
    scope: str
    start: float
    duration: float
    failed: bool
    status_message: str
    call: bool
    attributes: Json


class CallDetail(CallFields):
    """A call with its spans. ``attributes`` has no captured content. At most 500 other spans are returned."""

    name: str
    parent_id: str | None
    scope: str
    status_message: str
    first_content: float | None
    """From the call to the first content of the attempt that served it. It may be held back until ``first_token``.
    ``None`` for a resumed answer."""
    in_program: float | None
    """The time that the program took between reads, from the first content on; ``None`` if it is short or unknown."""
    usual_gap_p95: float | None
    """The median of ``gap_p95`` over the calls of this provider and model; ``None`` if there are too few."""
    policy_field: str | None
    """The field of the policy that decided to stop."""
    attributes: Json
    resource: Json
    events: list[EventOfSpan]
    attempts: list[AttemptOfCall]
    resume_points: list[ResumedAt]
    rules: list[RuleFinding]
    timeline: Timeline | None
    content: CapturedContent | None
    spans: list[OtherSpan]


class StoryLine(TypedDict):
    """An event of a recorded call, as `l0 explain` prints it. ``at``: since the start of the call. ``field``: the field
    of the policy that decided, with its value; empty if none did."""

    at: float
    subject: str
    text: str
    field: str


class AttemptRecording(TypedDict):
    """One recorded request and its answer. Times are since the start of the call.

    ``request``: how much of the request's body is recorded: all of it, its shape (sizes, hashes and parameters, without
    texts), or nothing. ``ending``: ``eof``, ``error``, ``closed`` by the client, or ``lost`` to another attempt.
    """

    number: int
    leg: int
    hedge: bool
    started: float
    method: str | None
    path: str | None
    request_headers: list[tuple[str, str]]
    request_bytes: int | None
    request_sha256: str | None
    request: Literal["body", "shape"] | None
    status: int | None
    response_headers: list[tuple[str, str]]
    head_at: float | None
    ended: float | None
    ending: str | None
    failure: str | None
    reads: int
    answer_bytes: int


class ArrivedFragment(TypedDict):
    """Content that arrived. ``tool``: the name of a tool, or its arguments."""

    kind: Literal["text", "reasoning", "refusal", "tool"]
    text: str


class ArrivedRead(TypedDict):
    """One read of an answer. ``content``: what it brought, understood by the dialect of the call."""

    at: float
    attempt: int
    bytes: int
    content: list[ArrivedFragment]


class DeliveredItems(TypedDict):
    """Items that the program got at once. ``chars``: the characters of the answer that it had by then."""

    at: float
    items: int
    chars: int


class TokenFlow(TypedDict):
    """The course of the answer: reads and deliveries, at most 5,000 of each. ``joined``: if there are more, the number
    of consecutive reads or deliveries that each entry stands for. ``cut``: the text ends at 500,000 characters."""

    reads: list[ArrivedRead]
    deliveries: list[DeliveredItems]
    joined: int
    cut: bool


class CallRecording(TypedDict):
    """A recorded call. ``duration``: until its end, or until the last event that is recorded. ``outcome``: ``None`` if
    the recording ends before the call. ``incomplete``: some of its reads were dropped. ``difference``: a sentence if
    this version of L0 would decide differently, else empty."""

    id: str
    file: str
    start: float
    duration: float
    outcome: str | None
    incomplete: bool
    delivered_items: int
    delivered_chars: int
    story: list[StoryLine]
    difference: str
    attempts: list[AttemptRecording]
    flow: TokenFlow


class RecordingLookup(TypedDict):
    """The recording of a call. ``folders``: where the viewer looked. ``problems``: files that could not be read.
    ``call``: ``None`` if it is not recorded there."""

    folders: list[str]
    problems: list[str]
    call: CallRecording | None


class RequestPage(TypedDict):
    """A part of the body of a request, as indented JSON or as text. ``next``: the offset of the next part; at most
    65,536 characters are returned. ``size``: the characters of the whole."""

    text: str
    next: int | None
    size: int


class ReadBytes(TypedDict):
    """Bytes of one read of an answer, as they came from the connection. ``number``: from 0. ``at``: since the start of
    the call. ``size``: the bytes of the read. ``offset``: where ``base64`` begins in it."""

    number: int
    at: float
    size: int
    offset: int
    base64: str


class AnswerPage(TypedDict):
    """A part of the body of an answer: at most 65,536 bytes, of at most 500 reads. ``next``: the offset of the next
    part. ``size``: the bytes of the whole."""

    reads: list[ReadBytes]
    next: int | None
    size: int


class OverviewRow(TypedDict):
    """The calls of one provider and model. In ``totals`` both are ``None``.

    Success as users saw it: ``succeeded / (calls - cancelled)``. Success of attempts: ``1 - attempts_failed /
    attempts``. ``recovered``: calls that succeeded by a retry, resume, hedge or fallback. ``gap_*``: percentiles, over
    the calls, of each call's own 95th percentile of its gaps. Tokens are ``None`` if no call reported any.
    ``sdk_retries``: the requests after the first of each call that the bare SDK would have sent too; ``None`` if no
    call reported it. ``recovery_time``: the duration of failed attempts that were followed by another one, and of the
    waits before it. ``unknown_waste``: calls with an attempt that did not serve the answer and may have used
    tokens, which the provider did not report.
    """

    provider: str | None
    model: str | None
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    attempts: int
    attempts_failed: int
    recovered: int
    first_token_p50: float | None
    first_token_p95: float | None
    first_token_p99: float | None
    gap_p50: float | None
    gap_p95: float | None
    gap_p99: float | None
    input_tokens: int | None
    output_tokens: int | None
    wasted_tokens: int | None
    sdk_retries: int | None
    recovery_time: float | None
    unknown_waste: int


class Series(TypedDict):
    """Values over time, all lists of one length. ``t``: the start of each interval, at equal distances."""

    t: list[float]
    calls: list[int]
    failed: list[int]
    recovered: list[int]
    first_token_p50: list[float | None]
    first_token_p95: list[float | None]
    gap_p95: list[float | None]


class CauseCount(TypedDict):
    """The number of failed attempts with one cause."""

    cause: str
    count: int


class BudgetState(TypedDict):
    """The last reported state of an objective over one window, such as ``30d``. ``remaining``: the share of the error
    budget that is left. ``burn_rate``: 1 uses it up exactly over its window. ``severity``: ``page`` or ``ticket`` if an
    alert of the objective with this long window fires."""

    service: str
    provider: str | None
    model: str | None
    slo: str
    layer: str | None
    window: str | None
    remaining: float | None
    burn_rate: float | None
    severity: str | None
    time: float


class Overview(TypedDict):
    """The state of all calls that match. ``rows``: at most 200, those with the most calls first."""

    totals: OverviewRow
    rows: list[OverviewRow]
    series: Series
    causes: list[CauseCount]
    budgets: list[BudgetState]


class Facets(TypedDict):
    """The values by which calls can be filtered, at most 200 of each, sorted."""

    providers: list[str]
    models: list[str]
    outcomes: list[str]
    causes: list[str]
    services: list[str]


class About(TypedDict):
    """The program and what it keeps. ``bytes``: the size of the data in the file. ``causes``: the meaning of each."""

    name: Literal["l0 view"]
    version: str
    calls: int
    spans: int
    bytes: int
    max_calls: int
    max_bytes: int
    causes: dict[str, str]


class LiveMessage(TypedDict):
    """Calls that arrived, oldest first: at most 200, at most 4 messages a second. ``omitted``: calls left out because
    more arrived."""

    type: Literal["calls"]
    calls: list[ListedCall]
    omitted: int


class ApiError(TypedDict):
    """The reason for a status of 400 or above."""

    error: str

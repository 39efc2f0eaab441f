"""Build the detail of one call from its span, the spans of its attempts and the other spans of its trace."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from l0.model.call import Outcome
from l0.telemetry import names

from .api_contract import (
    AttemptOfCall,
    CallDetail,
    CapturedContent,
    EventOfSpan,
    Json,
    ListedCall,
    OtherSpan,
    ResumedAt,
    RuleFinding,
    Timeline,
)
from .call_queries import COLUMNS, listed_call
from .call_rows import milliseconds

MAX_SPANS = 500
LEAST_CALLS = 20
"""Minimum number of a model's calls from which its usual gap is computed."""
_CONTENT = {
    "input_messages": names.INPUT_MESSAGES,
    "output_messages": names.OUTPUT_MESSAGES,
    "system_instructions": names.SYSTEM_INSTRUCTIONS,
    "tool_definitions": names.TOOL_DEFINITIONS,
}
_FINDINGS = (names.VIOLATION_EVENT, names.DRIFT_EVENT)
_ID = "SELECT id FROM spans WHERE trace_id = ? AND span_id = ?"
_SPAN_COLUMNS = "span_id, parent_id, name, service, scope, start, duration, failed, detail"


def call_detail(connection: sqlite3.Connection, trace_id: str, span_id: str) -> CallDetail | None:
    """Return a call with everything that is kept of it; ``None`` if it is not kept."""
    of_call = (trace_id, span_id)
    row = connection.execute(f"SELECT {COLUMNS} FROM calls WHERE id = ({_ID})", of_call).fetchone()
    if row is None:
        return None
    call = listed_call(row)
    query = "SELECT name, parent_id, scope, detail FROM spans WHERE trace_id = ? AND span_id = ?"
    name, parent_id, scope, text = connection.execute(query, of_call).fetchone()
    detail = json.loads(text)
    attributes: Json = detail["attributes"]
    attempts, others = _other_spans(connection, call)
    detail_of_call = {
        **call,
        "name": name,
        "parent_id": parent_id,
        "scope": scope,
        "status_message": detail["status_message"],
        "first_content": _first_content(call, attributes, attempts),
        "in_program": _in_program(attributes),
        "usual_gap_p95": _usual_gap(connection, call),
        "policy_field": _string(attributes, names.STOP_FIELD),
        "attributes": {key: value for key, value in attributes.items() if key not in _CONTENT.values()},
        "resource": detail["resource"],
        "events": detail["events"],
        "attempts": attempts or [_only_attempt(call, attributes)],
        "resume_points": [_resumed(event) for event in detail["events"] if event["name"] == names.RESUME_EVENT],
        "rules": [_finding(event) for event in detail["events"] if event["name"] in _FINDINGS],
        "timeline": _timeline(attributes),
        "content": _content(attributes),
        "spans": others,
    }
    return cast(CallDetail, detail_of_call)


def _in_program(attributes: Json) -> float | None:
    seconds = _number(attributes, names.PROGRAM_TIME)
    return None if seconds is None else seconds * 1e3


def _usual_gap(connection: sqlite3.Connection, call: ListedCall) -> float | None:
    """Return the median of the 95th percentiles of the gaps of all calls of the provider and model, in ms."""
    of_model = "FROM calls WHERE provider IS ? AND model IS ? AND gap_p95 IS NOT NULL"
    model = (call["provider"], call["model"])
    (number,) = connection.execute(f"SELECT count(*) {of_model}", model).fetchone()
    if number < LEAST_CALLS:
        return None
    query = f"SELECT gap_p95 {of_model} ORDER BY gap_p95 LIMIT 1 OFFSET ?"
    (found,) = connection.execute(query, (*model, (number - 1) // 2)).fetchone()
    return float(found)


def _other_spans(connection: sqlite3.Connection, call: ListedCall) -> tuple[list[AttemptOfCall], list[OtherSpan]]:
    """Return the attempts of the call, in order, and the other spans of its trace, by their start."""
    rows = connection.execute(
        f"SELECT {_SPAN_COLUMNS}, EXISTS (SELECT 1 FROM calls WHERE calls.id = spans.id) FROM spans"
        " WHERE trace_id = ? AND span_id != ? ORDER BY start, id LIMIT ?",
        (call["trace_id"], call["span_id"], MAX_SPANS),
    ).fetchall()
    attempts, others = [], []
    for row in rows:
        detail = json.loads(row[8])
        if row[1] == call["span_id"] and names.ATTEMPT_NUMBER in detail["attributes"]:
            attempts.append(_attempt(call, row, detail))
        else:
            others.append(_other(row, detail))
    return sorted(attempts, key=lambda attempt: (attempt["start"], attempt["number"])), others


def _other(row: Sequence[Any], detail: Mapping[str, Any]) -> OtherSpan:
    span_id, parent_id, name, service, scope, start, duration, failed, _, is_call = row
    return OtherSpan(
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        service=service,
        scope=scope,
        start=start,
        duration=duration,
        failed=bool(failed),
        status_message=detail["status_message"],
        call=bool(is_call),
        attributes=detail["attributes"],
    )


def _attempt(call: ListedCall, row: Sequence[Any], detail: Mapping[str, Any]) -> AttemptOfCall:
    attributes: Json = detail["attributes"]
    leg = _number(attributes, names.ATTEMPT_LEG) or 0
    lost = attributes.get(names.ATTEMPT_LOST) is True
    cause = _string(attributes, names.ATTEMPT_CAUSE)
    outcome: Literal["ok", "failed", "cancelled"] = "ok"
    if cause is not None or row[7]:
        outcome = "failed"
    elif lost:
        outcome = "cancelled"
    return AttemptOfCall(
        number=int(_number(attributes, names.ATTEMPT_NUMBER) or 0),
        leg=int(leg),
        start=row[5],
        duration=row[6],
        outcome=outcome,
        cause=cause,
        status=_whole(attributes, names.HTTP_STATUS),
        message=detail["status_message"],
        backoff_before=milliseconds(attributes, names.WAITED),
        hedge=attributes.get(names.ATTEMPT_HEDGE) is True,
        lost=lost,
        provider=_string(attributes, names.PROVIDER) or (call["provider"] if not leg else None),
        model=_string(attributes, names.ATTEMPT_MODEL) or (call["model"] if not leg else None),
        attributes=attributes,
    )


def _only_attempt(call: ListedCall, attributes: Json) -> AttemptOfCall:
    """Return the attempt of a call that reported none, because it needed only one."""
    outcome: Literal["ok", "failed", "cancelled"] = "ok"
    if call["outcome"] in (Outcome.FAILED, Outcome.CANCELLED):
        outcome = "failed" if call["outcome"] == Outcome.FAILED else "cancelled"
    return AttemptOfCall(
        number=1,
        leg=0,
        start=call["start"],
        duration=call["duration"],
        outcome=outcome,
        cause=call["cause"],
        status=_whole(attributes, names.HTTP_STATUS),
        message="",
        backoff_before=None,
        hedge=False,
        lost=False,
        provider=call["provider"],
        model=call["model"],
        attributes={},
    )


def _first_content(call: ListedCall, attributes: Json, attempts: Sequence[AttemptOfCall]) -> float | None:
    """Return the time from the call to the first content of the attempt that served it, in ms."""
    waited = milliseconds(attributes, names.TIME_TO_FIRST_CONTENT)
    served = [attempt["start"] for attempt in attempts if attempt["outcome"] == "ok"]
    if waited is None or call["outcome"] == Outcome.RECOVERED_RESUME or (attempts and not served):
        return None
    return (served[-1] if served else call["start"]) - call["start"] + waited


def _resumed(event: EventOfSpan) -> ResumedAt:
    attributes = event["attributes"]
    return ResumedAt(
        time=event["time"],
        attempt=_whole(attributes, names.ATTEMPT_NUMBER),
        at=_whole(attributes, names.RESUME_AT),
        strategy=_string(attributes, names.RESUME_STRATEGY),
    )


def _finding(event: EventOfSpan) -> RuleFinding:
    attributes = event["attributes"]
    return RuleFinding(
        time=event["time"],
        rule=_string(attributes, names.RULE),
        drift=event["name"] == names.DRIFT_EVENT,
        severity=_string(attributes, names.RULE_SEVERITY),
        action=_string(attributes, names.RULE_ACTION),
        message=_string(attributes, names.RULE_MESSAGE),
        at=_whole(attributes, names.VIOLATION_AT),
        confidence=_number(attributes, names.DRIFT_CONFIDENCE),
    )


def _timeline(attributes: Json) -> Timeline | None:
    width, counts = milliseconds(attributes, names.TIMELINE_BUCKET), attributes.get(names.TIMELINE)
    if not width or not isinstance(counts, list) or not all(type(count) is int for count in counts):
        return None
    return Timeline(bucket_ms=width, tokens=counts)


def _content(attributes: Json) -> CapturedContent | None:
    captured = {field: _parsed(attributes.get(name)) for field, name in _CONTENT.items()}
    if all(value is None for value in captured.values()):
        return None
    return cast(CapturedContent, captured)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _number(attributes: Json, name: str) -> float | None:
    value = attributes.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(attributes: Json, name: str) -> int | None:
    value = _number(attributes, name)
    return None if value is None else int(value)


def _string(attributes: Json, name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) else None

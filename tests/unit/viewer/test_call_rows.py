"""The spans that are calls, and what the list of calls reads from them, for the conventions of several senders."""

from typing import Any

import pytest

from l0.viewer.call_rows import MAX_COLUMN, call_row
from l0.viewer.span_record import SpanRecord


def record(known: dict[str, Any], **fields: Any) -> SpanRecord:
    usual: dict[str, Any] = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_id": None,
        "name": "chat m",
        "kind": 3,
        "scope": "s",
        "service": "shop",
        "start": 1.0,
        "duration": 2.0,
        "failed": False,
        "status_message": "",
        "resource": {},
        "events": (),
    }
    return SpanRecord(attributes=known, **(usual | fields))


@pytest.mark.parametrize(
    ("known", "provider", "model", "tokens"),
    [
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "m",
                "gen_ai.usage.input_tokens": 3,
                "gen_ai.usage.output_tokens": 4,
            },
            "openai",
            "m",
            (3, 4),
        ),
        (  # the conventions until 1.36
            {
                "gen_ai.operation.name": "text_completion",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "m",
                "gen_ai.usage.prompt_tokens": 3,
                "gen_ai.usage.completion_tokens": 4,
            },
            "openai",
            "m",
            (3, 4),
        ),
        (  # Traceloop
            {"gen_ai.system": "Anthropic", "gen_ai.request.model": "m", "llm.request.type": "chat"},
            "Anthropic",
            "m",
            (None, None),
        ),
        (  # OpenInference
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "openai",
                "llm.model_name": "m",
                "llm.token_count.prompt": 3,
                "llm.token_count.completion": 4,
            },
            "openai",
            "m",
            (3, 4),
        ),
        (  # OpenInference: the requested model, which a failed call has nowhere else
            {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "m"}', "llm.model_name": "m-2"},
            None,
            "m",
            (None, None),
        ),
        *(
            (
                {"openinference.span.kind": "LLM", "llm.invocation_parameters": text, "llm.model_name": "m"},
                None,
                "m",
                (None, None),
            )
            for text in ("no JSON", "[1]", "{}", '{"model": null}', "[" * 100_000, 7)
        ),
        ({"langfuse.observation.type": "generation", "gen_ai.response.model": "m"}, None, "m", (None, None)),
        ({"gen_ai.request.model": "m"}, None, "m", (None, None)),
    ],
)
def test_call_of_any_sender_has_one_attempt(
    known: dict[str, Any], provider: str | None, model: str, tokens: tuple[int | None, int | None]
) -> None:
    row = call_row(record(known))
    assert row is not None
    assert (row.call["provider"], row.call["model"], row.call["attempts"]) == (provider, model, 1)
    assert (row.call["input_tokens"], row.call["output_tokens"]) == tokens
    assert (row.call["outcome"], row.attempts_failed, row.causes) == ("ok", 0, ())


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({}, 3),
        ({"http.request.method": "POST"}, 3),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, 3),
        ({"gen_ai.operation.name": "execute_tool"}, 1),
        ({"gen_ai.operation.name": ["chat"]}, 3),
        ({"gen_ai.operation.name": "chat"}, 2),  # a server's span
        ({"openinference.span.kind": "CHAIN"}, 1),
        ({"openinference.span.kind": ["LLM"]}, 1),
        ({"l0.attempt.number": 1}, 1),
    ],
)
def test_other_spans_are_no_calls(known: dict[str, Any], kind: int) -> None:
    assert call_row(record(known, kind=kind)) is None


@pytest.mark.parametrize(
    ("known", "failed", "outcome", "causes", "attempts_failed"),
    [
        ({}, False, "ok", (), 0),
        ({}, True, "failed", (), 1),
        ({"error.type": "TimeoutError"}, False, "failed", (), 1),
        ({"l0.outcome": "ok"}, True, "ok", (), 0),
        ({"l0.outcome": "gone"}, False, "ok", (), 0),
        ({"l0.outcome": "failed", "l0.cause": "reset"}, True, "failed", ("reset",), 1),
        (
            {"l0.outcome": "recovered_retry", "l0.attempts": 3, "l0.retry.causes": ["reset", "stall"]},
            False,
            "recovered_retry",
            ("reset", "stall"),
            2,
        ),
        (
            {"l0.outcome": "failed", "l0.attempts": 3, "l0.retry.causes": ["a", "b"], "l0.cause": "c"},
            True,
            "failed",
            ("a", "b", "c"),
            3,
        ),
        ({"l0.outcome": "cancelled"}, False, "cancelled", (), 0),
    ],
)
def test_outcome_and_causes(
    known: dict[str, Any], failed: bool, outcome: str, causes: tuple[str, ...], attempts_failed: int
) -> None:
    row = call_row(record({"gen_ai.request.model": "m"} | known, failed=failed))
    assert row is not None
    assert (row.call["outcome"], row.causes, row.attempts_failed) == (outcome, causes, attempts_failed)
    assert row.call["cause"] == (causes[-1] if causes else None)


def test_times_become_milliseconds() -> None:
    known = {"gen_ai.response.time_to_first_chunk": 0.5, "l0.gap.p95": 0.02, "l0.gap.max": 1}
    row = call_row(record({"gen_ai.request.model": "m"} | known))
    assert row is not None
    assert (row.call["first_token"], row.call["gap_p95"], row.call["gap_max"]) == (500.0, 20.0, 1000.0)


def test_first_token_is_what_the_user_received() -> None:
    """Content that L0 held back until the call failed is no first token."""
    row = call_row(record({"gen_ai.request.model": "m", "l0.time_to_first_content": 0.5, "l0.outcome": "failed"}))
    assert row is not None
    assert row.call["first_token"] is None


def test_time_that_no_number_holds_in_milliseconds_is_unknown() -> None:
    row = call_row(record({"gen_ai.request.model": "m", "l0.gap.p95": 1e306, "l0.recovery_time": -1.0}))
    assert row is not None
    assert (row.call["gap_p95"], row.recovery_time) == (None, None)


def test_long_values_are_cut_in_the_list() -> None:
    row = call_row(record({"gen_ai.request.model": "m" * 1000}))
    assert row is not None
    assert row.call["model"] == "m" * MAX_COLUMN

"""Errors in every spelling: which bodies are one, and which of them are repeated."""

from typing import Any

import pytest

from l0.dialects.provider_errors import answer_error, cause_of_codes, codes_in, error_in
from l0.model.failure import CATEGORIES, Category, Cause

STATED = {"message": "no", "code": 400}


MINIMAX: dict[str, Any] = {
    "id": "",
    "choices": None,
    "usage": {"total_tokens": 0},
    "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"},
}
SILICONFLOW: dict[str, Any] = {"code": 50505, "message": "Model service overloaded", "data": None}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": STATED}, STATED),
        ({"error": "no", "error_type": "validation"}, "no"),
        ({"object": "error", **STATED}, {"object": "error", **STATED}),
        ({"type": "error", "message": "no"}, {"type": "error", "message": "no"}),
        ({"text": "no", "error_code": 50002}, {"text": "no", "error_code": 50002}),
        ({"detail": "no"}, {"detail": "no"}),
        ({"message": "no", "code": "InvalidParameter"}, {"message": "no", "code": "InvalidParameter"}),
        (
            {"message": "no", "type": "invalid_request_error", "code": "wrong_api_key"},
            {"message": "no", "type": "invalid_request_error", "code": "wrong_api_key"},
        ),
        ({"message": "no", "type": "server_error"}, {"message": "no", "type": "server_error"}),
        ({"type": "server_error"}, None),
        ({"type": ["server_error"], "message": "fine"}, None),
        ({"type": "notice", "message": "fine", "code": "notice"}, None),
        ({"error": None, "choices": []}, None),
        ({"message": "fine", "code": 0}, None),
        ({"message": "fine", "code": 1000, "data": {"id": 1}}, None),
        ({"choices": [{"index": 0}], "base_resp": {"status_code": 1008}}, None),
        ({"choices": None, "base_resp": {"status_code": 0, "status_msg": ""}}, None),
        (MINIMAX, MINIMAX["base_resp"]),
        (SILICONFLOW, SILICONFLOW),
        ({"code": 10013, "message": "busy"}, {"code": 10013, "message": "busy"}),
        ({"message": "fine", "code": 200}, None),
        ({"detail": "fine", "choices": []}, None),
        ({"type": "response.created", "detail": "fine"}, None),
        ({"object": "gateway.ping"}, None),
        ({}, None),
    ],
)
def test_error_in_a_body(body: dict[str, Any], error: object) -> None:
    assert error_in(body) == error


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        ({"error": STATED}, True),
        ({"error": STATED, "choices": None}, True),
        ({"object": "error", **STATED}, True),
        ({"error": STATED, "choices": [{"index": 0}]}, True),
        ({"choices": [{"index": 0, "error": STATED}]}, True),
        ({"choices": [{"index": 0, "finish_reason": "error"}]}, True),
        ({"choices": [{"index": 0, "finish_reason": "abort"}]}, True),
        ({"choices": [{"index": 0, "finish_reason": "network_error"}]}, True),
        ({"choices": [{"index": 0, "finish_reason": "insufficient_system_resource"}]}, True),
        ({"choices": [{"index": 0, "finish_reason": "stop"}], "error": None}, False),
        ({"object": "response", "status": "failed", "error": STATED, "output": []}, False),
        ({"type": "message", "content": [{"type": "text", "text": "hi"}], "error": None}, False),
        ({"object": "list", "data": []}, False),
        (MINIMAX, True),
        (SILICONFLOW, True),
    ],
)
def test_error_of_a_complete_answer(answer: dict[str, Any], fails: bool) -> None:
    assert (answer_error(answer) is not None) is fails


DETERMINISTIC = [
    {"code": 400},
    {"code": "400"},
    {"code": "422"},
    {"code": 418},
    {"code": None, "type": "BadRequestError"},
    {"error_code": 40001},
    {"http_status_code": 422},
    {"error": "long", "error_type": "validation"},
    {"code": 400, "status": "INVALID_ARGUMENT"},
    {"type": "ContextWindowExceededError"},
    {"code": "403"},
    {"code": "404"},
    {"code": "ValidationException"},
    {"code": "unsupported_feature"},
    {"code": "unsupported_feature", "type": "server_error"},
    {"code": "UnsupportedParameter"},
    {"code": "invalid-image-format"},
    {"code": "InvalidParameter"},
    {"code": "unknown_parameter"},
    {"code": "string_above_max_length"},
    {"code": "image_too_large"},
    {"code": "bio_policy"},
    {"code": "misalignment_policy_violation"},
    {"code": "streaming_not_supported"},
]
TRANSIENT = [
    {"code": "429"},
    {"code": "503"},
    {"error_code": 50001},
    {"code": "500", "type": "None"},
    {"type": "InternalServerError"},
    {"code": "RESOURCE_EXHAUSTED"},
    {"code": "408"},
    {"code": "not known"},
    {"code": "unknown_error"},
    {"code": "invalid_response"},
    {"code": "image_generation_failed"},
    {"code": 0},
    {},
]


@pytest.mark.parametrize("body", DETERMINISTIC, ids=str)
def test_deterministic_error_is_fatal_in_any_spelling(body: dict[str, Any]) -> None:
    assert CATEGORIES[cause_of_codes(*codes_in(body))] is Category.FATAL


@pytest.mark.parametrize("body", TRANSIENT, ids=str)
def test_transient_error_may_be_retried_in_any_spelling(body: dict[str, Any]) -> None:
    assert CATEGORIES[cause_of_codes(*codes_in(body))] is Category.TRANSIENT


def test_type_says_more_than_a_general_status() -> None:
    assert cause_of_codes("429", "insufficient_quota") is Cause.QUOTA
    assert cause_of_codes("400", "BadRequestError") is Cause.BAD_REQUEST


def test_listed_type_says_more_than_the_pattern_of_a_code() -> None:
    assert cause_of_codes("invalid_token", "authentication_error") is Cause.AUTHENTICATION
    assert cause_of_codes("unsupported_plan", "insufficient_quota") is Cause.QUOTA
    assert cause_of_codes("unsupported_feature", "server_error") is Cause.BAD_REQUEST

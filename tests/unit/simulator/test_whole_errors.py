"""The in-band error of a request that does not stream: the status and the code that the provider sends for it."""

import json
from typing import Any

import pytest

from l0.dialects.provider_errors import ERROR_CODES, cause_of_status, codes_in
from l0.simulator.dialects.bedrock_frames import ERRORS
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.converse_server import CONVERSE
from l0.simulator.dialects.generate_content_server import GENERATE_CONTENT
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.respond import respond
from l0.simulator.steps import Send

OPENAI, IDENTITY = (CHAT, RESPONSES), AnswerIdentity.of(0, 0)


def whole(dialect: Dialect, fault: Fault) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of the answer to a request that does not stream."""
    response = respond(dialect, SimulatedRequest(model="m", stream=False), Reply(fault=fault), IDENTITY)
    (step,) = response.steps
    assert isinstance(step, Send)
    return response.status, json.loads(step.data)


@pytest.mark.parametrize(
    ("dialect", "code", "status", "field"),
    [
        (CHAT, "rate_limit_exceeded", 429, "code"),
        (RESPONSES, "insufficient_quota", 429, "code"),
        (CHAT, "context_length_exceeded", 400, "code"),
        (MESSAGES, "rate_limit_error", 429, "type"),
        (MESSAGES, "overloaded_error", 529, "type"),
        (GENERATE_CONTENT, "RESOURCE_EXHAUSTED", 429, "status"),
        (CHAT, "never_heard_of", 500, "code"),
        (CHAT, "402", 402, "code"),
    ],
)
def test_whole_answer_has_the_status_of_the_error_code(dialect: Dialect, code: str, status: int, field: str) -> None:
    found, body = whole(dialect, Fault.in_band_error(code=code, message="Too much"))
    assert (found, body["error"][field], body["error"]["message"]) == (status, code, "Too much")


@pytest.mark.parametrize("kind", ["in_band_error", "failed"])
def test_whole_answer_without_a_code_is_a_failure_of_the_server(kind: str) -> None:
    status, body = whole(CHAT, getattr(Fault, kind)())
    assert (status, body["error"]["type"], body["error"]["code"]) == (500, "server_error", None)


def test_type_of_an_error_decides_its_status_without_a_code() -> None:
    status, body = whole(MESSAGES, Fault.in_band_error(type="permission_error"))
    assert (status, body["error"]["type"]) == (403, "permission_error")


@pytest.mark.parametrize(("status", "name"), ERRORS.items())
def test_whole_error_of_bedrock(status: int, name: str) -> None:
    found, body = whole(CONVERSE, Fault.in_band_error(code=name))
    assert body["__type"] == name
    assert found == status


@pytest.mark.parametrize("code", ERROR_CODES)
def test_code_has_one_cause_in_a_stream_and_in_a_whole_answer(code: str) -> None:
    status, body = whole(CHAT, Fault.in_band_error(code=code))
    assert cause_of_status(status, *codes_in(body)) is ERROR_CODES[code]

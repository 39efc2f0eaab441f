"""Content of recorded streams, parsed without an SDK: it must equal the answer of the simulated model."""

import pytest

from l0.cli.demo.content import content_of_body, reports_failure
from l0.cli.demo.plan import APIS, Api, KnownAnswer, shipped
from l0.simulator import corpus
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest

DIALECTS: dict[Api, Dialect] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "completions": COMPLETIONS,
    "messages": MESSAGES,
}
CASES = [(api, known) for api in APIS for known in shipped(corpus.answers())[api]]


@pytest.mark.parametrize(("api", "known"), CASES, ids=lambda value: getattr(value, "name", value))
def test_recorded_content_equals_the_answer(api: Api, known: KnownAnswer) -> None:
    answer = corpus.bundled_answer(known.name.removeprefix("answer "))
    body = b"".join(DIALECTS[api].events(answer, SimulatedRequest(model="m", stream=True), AnswerIdentity.of(0, 0)))
    assert content_of_body(api, body) == known.content
    assert content_of_body(api, body.replace(b"\n", b"\r\n")) == known.content


def test_recorded_content_is_that_of_the_first_choice() -> None:
    body = b"".join(
        CHAT.events(
            corpus.bundled_answer("choices"),
            SimulatedRequest(model="m", stream=True, choices=3),
            AnswerIdentity.of(0, 0),
        )
    )
    assert content_of_body("chat", body) == "Heads."


@pytest.mark.parametrize(
    ("kind", "is_failure"), [("error", True), ("response.failed", True), ("response.created", False)]
)
def test_responses_failure_events(kind: str, is_failure: bool) -> None:
    event = type("Event", (), {"type": kind})
    assert reports_failure("responses", event) is is_failure
    assert not reports_failure("messages", event)

"""What a recorded stream says, read without an SDK: it must be what the simulated model was made to say."""

import pytest

from l0.cli.demo.content import failed, recorded
from l0.cli.demo.plan import APIS, Api, Known, shipped
from l0.simulator import corpus
from l0.simulator.dialects.base import Ask, Dialect, Stamp
from l0.simulator.dialects.chat import CHAT
from l0.simulator.dialects.completions import COMPLETIONS
from l0.simulator.dialects.messages import MESSAGES
from l0.simulator.dialects.responses import RESPONSES

DIALECTS: dict[Api, Dialect] = {
    "chat": CHAT,
    "responses": RESPONSES,
    "completions": COMPLETIONS,
    "messages": MESSAGES,
}
CASES = [(api, known) for api in APIS for known in shipped(corpus.answers())[api]]


@pytest.mark.parametrize(("api", "known"), CASES, ids=lambda value: getattr(value, "name", value))
def test_a_streamed_answer_says_what_it_should(api: Api, known: Known) -> None:
    answer = corpus.named(known.name.removeprefix("answer "))
    body = b"".join(DIALECTS[api].events(answer, Ask(model="m", stream=True), Stamp.of(0, 0)))
    assert recorded(api, body) == known.said
    assert recorded(api, body.replace(b"\n", b"\r\n")) == known.said


def test_only_the_first_of_several_choices_counts() -> None:
    body = b"".join(CHAT.events(corpus.named("choices"), Ask(model="m", stream=True, choices=3), Stamp.of(0, 0)))
    assert recorded("chat", body) == "Heads."


@pytest.mark.parametrize(
    ("kind", "is_failure"), [("error", True), ("response.failed", True), ("response.created", False)]
)
def test_responses_tell_failures_as_events(kind: str, is_failure: bool) -> None:
    event = type("Event", (), {"type": kind})
    assert failed("responses", event) is is_failure
    assert not failed("messages", event)

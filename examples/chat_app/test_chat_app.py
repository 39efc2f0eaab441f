"""Tests of the chat application with cassettes: its requests to the provider were recorded once, and are played.

    pip install 'l0-otel[openai]' fastapi uvicorn httpx pytest
    pytest examples/chat_app

They need no network and no key. `pytest --l0-record=once examples/chat_app` sends the requests of a new test, and
`--l0-record=all` those of all tests. These were recorded from `l0 simulate`, which sends a
fault if a message has `[[simulate: ...]]`.
"""

from collections.abc import Iterator

import chat_app
import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.l0_cassette


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Yield a client of the application. The SDK requires a key, but recorded answers need no valid one."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-checked")
    chat_app.chats.clear()
    with TestClient(chat_app.app) as client:
        yield client


def test_answer_arrives_in_pieces(web: TestClient) -> None:
    answer = web.post("/chats/one", json={"text": "Tell me a story."})
    assert answer.text.count("event: piece") > 3
    assert answer.text.endswith("event: done\ndata: null\n\n")


def test_second_question_sends_the_first_turn_along(web: TestClient) -> None:
    web.post("/chats/one", json={"text": "Why is the sky blue?"})
    web.post("/chats/one", json={"text": "And at night?"})
    assert [turn["role"] for turn in chat_app.chats["one"]] == ["user", "assistant"] * 2


def test_answer_that_breaks_is_continued(web: TestClient) -> None:
    answer = web.post("/chats/one", json={"text": "Hello [[simulate: reset at_event=4; ok]]"})
    assert "broken" not in answer.text
    assert chat_app.chats["one"][1]["content"] == "Hello! I am a simulated model. How can I help you today?"


def test_refusal_becomes_a_status(web: TestClient) -> None:
    answer = web.post("/chats/one", json={"text": "Hello [[simulate: status 401]]"})
    assert answer.status_code == 502
    assert not chat_app.chats

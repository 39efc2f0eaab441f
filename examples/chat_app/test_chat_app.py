"""Tests of the chat application: ``pytest --l0-record=once`` records them, and without it they need no network.

They were recorded against ``l0 simulate``: ``[[simulate: ...]]`` in a question asks the simulator for a fault.
"""

from collections.abc import Iterator

import chat_app
import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.l0_cassette


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Yield a client of the application. The SDK behind it needs a key; to play, any will do."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any-will-do-to-play")
    with TestClient(chat_app.app) as client:
        yield client


def test_second_question_sends_the_first_turn_along(web: TestClient) -> None:
    first = web.post("/chats/one/messages", json={"text": "Why is the sky blue?"})
    second = web.post("/chats/one/messages", json={"text": "And at night?"})
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["text"]
    assert second.json()["text"]


def test_stream_arrives_in_pieces(web: TestClient) -> None:
    with web.stream("POST", "/stream", json={"text": "Tell me a story."}) as answer:
        pieces = list(answer.iter_text())
    assert len("".join(pieces)) > 20
    assert "broke off" not in "".join(pieces)


def test_rate_limit_becomes_status_503(web: TestClient) -> None:
    answer = web.post("/chats/two/messages", json={"text": "[[simulate: status 429]]"})
    assert answer.status_code == 503


def test_broken_stream_says_so(web: TestClient) -> None:
    answer = web.post("/stream", json={"text": "[[simulate: reset at_event=4]]"})
    assert answer.text.endswith("[the answer broke off]")
    assert len(answer.text) > len("\n[the answer broke off]")

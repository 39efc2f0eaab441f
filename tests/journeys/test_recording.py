"""Calls through the real SDK over real sockets are recorded as they were, sync and async, through one table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from recorded_scenarios import CANARY, KEY, SCENARIOS, Response, Server, played, recorded, serving

from l0.recording.decision_rerun import differing


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_is_recorded_as_it_was(server: Server, tmp_path: Path, name: str, sync: bool) -> None:
    scenario = SCENARIOS[name]
    server.script[:] = scenario.script
    items, call = recorded(tmp_path, lambda: played(server.url, scenario, sync))
    assert call.outcome is not None
    assert call.outcome.value == scenario.outcome
    assert len(call.attempts) == len(scenario.bodies)
    for attempt, body in zip(call.attempts, scenario.bodies, strict=True):
        if body is not None:
            assert attempt.body == body
        assert attempt.request["path"] == "/v1/chat/completions"
        assert attempt.ended is not None
    assert differing(call) == []
    assert call.delivered_items == len(items)
    assert not call.incomplete
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert KEY.encode() not in data
        assert CANARY.encode() not in data


SECRET = "CANARYcanary0123456789"


@pytest.mark.parametrize("content", [False, True], ids=["no content", "content"])
def test_a_secret_in_twelve_places_is_in_no_file(server: Server, tmp_path: Path, content: bool) -> None:
    key = f"sk-{SECRET}"
    echo = json.dumps({"error": {"message": f"key {SECRET} and {key}", "code": SECRET}}).encode()
    server.script[:] = [Response(status=401, parts=[echo])]
    host = server.url.removeprefix("http://")
    with openai.OpenAI(
        api_key=key,
        base_url=f"http://user:{SECRET}@{host}",
        max_retries=0,
        default_headers={
            "api-key": SECRET,
            "x-api-key": SECRET,
            "cookie": f"session={SECRET}",
            "x-amz-security-token": SECRET,
            "proxy-authorization": f"Basic {SECRET}",
            "x-customer": SECRET,
        },
        default_query={"api-key": SECRET, "X-Amz-Signature": SECRET},
    ) as client:

        def make() -> list[Any]:
            answer: Any = client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": f"use {key}"}],
                extra_body={"api_key": SECRET, "metadata": {"secret": SECRET}},
            )
            return [answer]

        _, call = recorded(tmp_path, make, record_content=content)
    assert call.attempts[0].status == 401
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes()
    assert ("body" in call.attempts[0].request) == content

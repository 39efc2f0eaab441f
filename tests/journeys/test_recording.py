"""Calls through the real SDK over real sockets are recorded as they were, sync and async, through one table."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import openai
import pytest
from installed import httpx
from recorded_scenarios import (
    ANSWER,
    BODY,
    CANARY,
    HEALTHY,
    KEY,
    SCENARIOS,
    Response,
    Server,
    arguments,
    frame,
    played,
    recorded,
    serving,
)

import l0
from l0.recording.call_recorder import CallRecorder
from l0.recording.call_story import call_story
from l0.recording.decision_rerun import differing
from l0.recording.recording import RecordedCall, Recording
from l0.testing import replay


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


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_request_that_got_no_answer_is_recorded_as_it_was_sent(server: Server, tmp_path: Path, sync: bool) -> None:
    server.script[:] = SCENARIOS["hedge"].script
    _, call = recorded(tmp_path, lambda: played(server.url, SCENARIOS["hedge"], sync))
    loser, winner = call.attempts
    assert loser.status is None
    assert [loser.request[part] for part in ("bytes", "sha256")] == [
        winner.request[part] for part in ("bytes", "sha256")
    ]


def test_flushed_call_can_be_read_while_the_process_records(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l0.recording.recorder._INTERVAL_S", 3600.0)
    server.script[:] = SCENARIOS["healthy"].script
    l0.instrument(record=tmp_path)
    try:
        played(server.url, SCENARIOS["healthy"], True)
        l0.flush_recording()
        with Recording.open(tmp_path) as recording:
            assert [call.outcome for call in recording] == ["ok"]
    finally:
        l0.uninstrument()


def test_flush_without_a_recording_does_nothing() -> None:
    before = threading.enumerate()
    l0.flush_recording()
    assert threading.enumerate() == before


ROLE = frame("").replace(b'"content": ""', b'"role": "assistant"')


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_what_the_loser_of_a_hedge_had_read_is_recorded(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    arrived = threading.Event()
    read = CallRecorder.read

    def observed(call: CallRecorder, number: int, data: bytes) -> None:
        read(call, number, data)
        arrived.set()

    monkeypatch.setattr(CallRecorder, "read", observed)
    slow = Response(parts=[ROLE], wait=True)
    scenario = replace(SCENARIOS["hedge"], script=[slow, replace(HEALTHY, after=arrived)])
    server.script[:] = scenario.script
    items, call = recorded(tmp_path / "first", lambda: played(server.url, scenario, sync))
    assert len(items) == 4
    loser, winner = call.attempts
    assert (loser.status, loser.ending, loser.body) == (200, "lost", ROLE)
    assert loser.started <= loser.head_at <= loser.reads[0].at <= loser.ended
    assert (winner.status, winner.ending, winner.body) == (200, "eof", BODY)
    assert winner.head_at <= winner.reads[0].at <= loser.ended
    assert differing(call) == []
    assert [one.text for one in call_story(call) if one.subject == "attempt 1"][1:] == [
        "status 200",
        f"dropped, as another attempt was faster; after 1 read, {len(ROLE)} bytes",
    ]
    with replay(tmp_path / "first", speed=inf) as replayed:
        again, repeated = recorded(tmp_path / "second", lambda: played(replayed.openai, scenario, sync))
        assert replayed.remaining == 0
    assert again == items
    assert repeated.outcome is call.outcome


SECRET = "CANARYcanary0123456789"


def assert_no_secret(folder: Path, call: RecordedCall) -> None:
    """The secret is in no file, and in no body whose reads are joined."""
    for path in folder.iterdir():
        assert SECRET.encode() not in path.read_bytes()
    assert all(SECRET.encode() not in attempt.body for attempt in call.attempts)


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
    assert_no_secret(tmp_path, call)
    assert ("body" in call.attempts[0].request) == content


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("content", [False, True], ids=["no content", "content"])
def test_a_secret_in_the_headers_and_the_reads_of_an_answer_is_in_no_file(
    server: Server, tmp_path: Path, content: bool, packed: bool
) -> None:
    told = frame(f"your key is {SECRET} ")
    at = told.index(SECRET.encode()) + 9
    headers = {
        "set-cookie": f"session={SECRET}; Path=/",
        "x-session-token": SECRET,
        "x-echo": f"key {SECRET}",
        "link": f"</v1/models?api-key={SECRET}>; rel=next",
    }
    server.script[:] = [Response(parts=[told[:at], told[at:], *ANSWER], headers=headers, packed=packed)]
    with openai.OpenAI(api_key=SECRET, base_url=server.url, max_retries=0) as client:

        def make() -> list[Any]:
            return list(client.chat.completions.create(**arguments(stream=True)))

        items, call = recorded(tmp_path, make, record_content=content)
    assert items[0].choices[0].delta.content == f"your key is {SECRET} "
    assert len(call.attempts[0].body) == len(told) + len(BODY)
    assert {name for name, _ in call.attempts[0].response_headers} >= headers.keys()
    assert_no_secret(tmp_path, call)


@pytest.mark.parametrize("content", [False, True], ids=["no content", "content"])
def test_a_secret_in_an_exception_its_notes_and_its_cause_is_in_no_file(tmp_path: Path, content: bool) -> None:
    def refuse(request: Any) -> Any:
        error = httpx.ConnectError(f"no way to https://user:{SECRET}@host/?key={SECRET}", request=request)
        error.add_note(f"sent {SECRET}")
        raise error from ValueError(SECRET)

    http = httpx.Client(transport=httpx.MockTransport(refuse))
    with openai.OpenAI(api_key=SECRET, base_url="http://host.invalid/v1", max_retries=1, http_client=http) as client:
        client._calculate_retry_timeout = lambda *_: 0.0  # type: ignore[method-assign]
        _, call = recorded(
            tmp_path, lambda: [client.chat.completions.create(**arguments(stream=False))], record_content=content
        )
    assert [attempt.status for attempt in call.attempts] == [None, None]
    assert call.failure is not None
    assert_no_secret(tmp_path, call)

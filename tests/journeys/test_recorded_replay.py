"""Recorded calls are served again: the same bytes, breaks and decisions, for the SDKs and for any client."""

import asyncio
import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest
from installed import httpx, needs_responses
from recorded_scenarios import (
    BUSY,
    HEALTHY,
    SCENARIOS,
    Response,
    Scenario,
    Server,
    arguments,
    played,
    recorded,
    serving,
)

import l0
from l0.recording.decision_rerun import differing
from l0.recording.recording import RecordedCall, Recording, RecordingError
from l0.simulator.server import Simulator
from l0.testing import replay


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def record(server: Server, folder: Path, scenario: Scenario, sync: bool) -> tuple[list[Any], RecordedCall]:
    server.script[:] = scenario.script
    return recorded(folder, lambda: played(server.url, scenario, sync))


def post(url: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Send a request without an SDK."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_replayed_call_gets_the_same_objects_bytes_and_decisions(
    server: Server, tmp_path: Path, name: str, sync: bool
) -> None:
    items, call = record(server, tmp_path / "first", SCENARIOS[name], sync)
    with replay(tmp_path / "first", speed=inf) as replayed:
        again, repeated = recorded(tmp_path / "second", lambda: played(replayed.openai, SCENARIOS[name], sync))
        assert replayed.unmatched == []
        assert replayed.remaining == 0
    assert again == items
    assert repeated.outcome is call.outcome
    assert [one.body for one in repeated.attempts] == [one.body for one in call.attempts]
    assert [one.status for one in repeated.attempts] == [one.status for one in call.attempts]
    assert [causes(one) for one in (call, repeated)] == [causes(call)] * 2
    assert [type(one.command) for one in repeated.decisions] == [type(one.command) for one in call.decisions]


@pytest.mark.parametrize("last", [HEALTHY, BUSY], ids=["recovered", "failed"])
def test_attempts_of_the_explicit_api_are_served_once_each(server: Server, tmp_path: Path, last: Response) -> None:
    """Each attempt is a call of the SDK. The call around them sends no request itself."""
    server.script[:] = [BUSY, Response(parts=[], cut=True), last]

    def run(url: str, folder: Path) -> tuple[int | str, list[tuple[Any, ...]]]:
        l0.instrument(record=folder)
        try:
            with openai.OpenAI(api_key="k", base_url=url) as client:
                stream = l0.run_sync(
                    lambda: client.chat.completions.create(**arguments(True)),
                    retry=l0.Retry(attempts=2, max_retries=2, base_delay=0),
                )
                items: int | str = len(list(stream))
        except openai.APIError as error:
            items = type(error).__name__
        finally:
            l0.uninstrument()
        with Recording.open(folder) as recording:
            calls = [(one.outcome, causes(one), [bool(sent.request) for sent in one.attempts]) for one in recording]
        return items, calls

    first = run(server.url, tmp_path / "first")
    _, (outer, *inner) = first
    assert outer[2] == [False] * 3
    assert [call[2] for call in inner] == [[True]] * 3
    with replay(tmp_path / "first", speed=inf) as replayed:
        assert run(replayed.openai, tmp_path / "second") == first
        assert (replayed.unmatched, replayed.remaining) == ([], 0)


def causes(call: RecordedCall) -> list[str | None]:
    return [None if one.failure is None else one.failure.cause.value for one in call.attempts]


FAULTS = ["reset", "cut at_event=4", "stall at_event=3", "empty", "corrupt_gzip", "status 529", "garbage"]


@pytest.mark.parametrize("script", FAULTS)
def test_a_fault_is_the_same_failure_for_the_bare_sdk(sim: Simulator, tmp_path: Path, script: str) -> None:
    def fails(url: str) -> tuple[int, str]:
        messages: Any = [{"role": "user", "content": f"hello [[simulate: {script}]]"}]
        items = 0
        with anthropic.Anthropic(api_key="k", base_url=url, timeout=3, max_retries=0) as client:
            try:
                for _ in client.messages.create(model="m", max_tokens=9, messages=messages, stream=True):
                    items += 1
            except Exception as error:
                return items, f"{type(error).__name__} {type(error.__cause__).__name__}"
        return items, "no error"

    l0.instrument(record=tmp_path)
    fails(sim.anthropic)
    l0.uninstrument()
    with replay(tmp_path, speed=inf) as replayed:
        assert fails(replayed.anthropic) == fails(sim.anthropic)


def test_the_recorded_times_are_kept(sim: Simulator, tmp_path: Path) -> None:
    prompt = "hi [[simulate: stall at_event=3 seconds=0.4]]"
    request = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    first = seconds(tmp_path / "first", sim.openai, request)
    assert first >= 0.4
    with replay(tmp_path / "first") as replayed:
        assert seconds(tmp_path / "second", replayed.openai, request) >= first - 0.01


def seconds(folder: Path, url: str, request: dict[str, Any]) -> float:
    """Return the seconds from the request to the last read of a recorded call."""

    def make() -> list[Any]:
        with openai.OpenAI(api_key="k", base_url=url) as client:
            return list(client.chat.completions.create(**request, stream=True))

    _, call = recorded(folder, make)
    (attempt,) = call.attempts
    return attempt.reads[-1].at - attempt.started


def test_another_client_gets_the_bytes_and_a_request_without_a_recording_the_nearest(
    server: Server, tmp_path: Path
) -> None:
    scenario = SCENARIOS["retry"]
    record(server, tmp_path, scenario, True)
    with replay(tmp_path, speed=inf) as replayed:
        other = {"model": "m2", "stream": False, "messages": [{"role": "user", "content": "hello"}]}
        status, answer = post(replayed.origin, "/v1/chat/completions", other)
        assert status == 404
        message = json.loads(answer)["error"]["message"]
        assert message == replayed.unmatched[0]
        assert "model: recorded 'm', sent 'm2'" in message
        assert "stream: recorded True, sent False" in message
        assert "messages[0].sha256" in message
        assert post(replayed.origin, "/v1/nothing", arguments(True))[0] == 404
        assert "path: recorded '/v1/chat/completions', sent '/v1/nothing'" in replayed.unmatched[1]
        for parts in (scenario.script[0].parts, scenario.script[1].parts):
            assert post(replayed.origin, "/v1/chat/completions", arguments(True))[1] == b"".join(parts)
        assert post(replayed.origin, "/v1/chat/completions", arguments(True))[0] == 404
        assert "have been served" in replayed.unmatched[2]
        replayed.reset()
        assert (replayed.remaining, replayed.unmatched) == (2, [])
        assert post(replayed.origin, "/another/base/v1/chat/completions", arguments(True))[0] == 503


def test_an_unmatched_request_is_not_retried_by_the_sdk(server: Server, tmp_path: Path) -> None:
    record(server, tmp_path, SCENARIOS["healthy"], True)
    with replay(tmp_path) as replayed, openai.OpenAI(api_key="k", base_url=replayed.openai) as client:
        with pytest.raises(openai.NotFoundError, match="No recorded request matches"):
            client.chat.completions.create(model="other", messages=[])
        assert len(replayed.requests) == len(replayed.unmatched) == 1


def test_one_call_is_served_alone_and_in_order_whatever_its_body(server: Server, tmp_path: Path) -> None:
    record(server, tmp_path, SCENARIOS["failure"], True)
    server.script[:] = [HEALTHY]
    l0.instrument(record=tmp_path)
    played(server.url, SCENARIOS["healthy"], True)
    l0.uninstrument()
    with replay(tmp_path, call="last", match="order") as replayed:
        assert replayed.remaining == 1
        assert post(replayed.origin, "/v1/chat/completions", {"anything": 1})[1] == b"".join(HEALTHY.parts)


def test_retry_counts_tell_apart_calls_with_the_same_body(server: Server, tmp_path: Path) -> None:
    record(server, tmp_path, SCENARIOS["retry"], True)
    with replay(tmp_path, speed=inf) as replayed, openai.OpenAI(api_key="k", base_url=replayed.openai) as client:
        first = client.chat.completions.with_raw_response.create(
            **arguments(True), extra_headers={"x-stainless-retry-count": "1"}
        )
        assert first.http_response.status_code == 200
        first.http_response.close()
        with pytest.raises(openai.InternalServerError):
            client.with_options(max_retries=0).chat.completions.create(**arguments(True))


def test_concurrent_requests_get_an_answer_each(server: Server, tmp_path: Path) -> None:
    server.script[:] = [HEALTHY] * 20
    l0.instrument(record=tmp_path)
    for _ in range(20):
        played(server.url, SCENARIOS["healthy"], True)
    l0.uninstrument()

    async def one(client: openai.AsyncOpenAI) -> int:
        answer: Any = await client.chat.completions.create(**arguments(True))
        return len([item async for item in answer])

    async def every() -> list[int]:
        async with openai.AsyncOpenAI(api_key="k", base_url=replayed.openai) as client:
            return await asyncio.gather(*(one(client) for _ in range(20)))

    with replay(tmp_path, speed=inf) as replayed:
        assert len(set(asyncio.run(every()))) == 1
        assert (replayed.remaining, replayed.unmatched) == (0, [])


def test_what_cannot_be_replayed_is_an_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RecordingError), replay(tmp_path):
        pass
    record(server, tmp_path, SCENARIOS["healthy"], True)
    with pytest.raises(RecordingError), replay(tmp_path, call="unknown"):
        pass
    with pytest.raises(ValueError, match="speed"), replay(tmp_path, speed=0):
        pass
    with pytest.raises(ValueError, match="match"), replay(tmp_path, match="any"):  # type: ignore[arg-type]
        pass


@needs_responses
@pytest.mark.parametrize("instrumented", [True, False], ids=["l0", "bare"])
def test_a_recording_made_with_openai_2_serves_the_installed_version(tmp_path: Path, instrumented: bool) -> None:
    """``openai_2.sql``, a dump of that recording: an answer after a 503, one that is cut off, and a whole response."""
    with closing(sqlite3.connect(tmp_path / "made.l0")) as database:
        database.executescript((Path(__file__).parent / "recorded" / "openai_2.sql").read_text(encoding="utf-8"))
    if instrumented:
        l0.instrument()
    try:
        with replay(tmp_path, speed=inf) as replayed, openai.OpenAI(api_key="k", base_url=replayed.openai) as client:
            client._calculate_retry_timeout = lambda *_: 0.0  # type: ignore[method-assign]
            assert len(deltas(client, "status 503; ok")) == 18
            with pytest.raises((openai.APIError, httpx.RemoteProtocolError)):
                deltas(client, "cut at_event=4")
            assert client.responses.create(model="gpt-4o", input="hi", store=False).output_text
            assert (replayed.unmatched, replayed.remaining) == ([], 0)
    finally:
        l0.uninstrument()


def test_a_recording_of_format_1_has_its_durations_and_decisions(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "made.l0")) as database:
        database.executescript((Path(__file__).parent / "recorded" / "openai_2.sql").read_text(encoding="utf-8"))
    with Recording.open(tmp_path) as recording:
        calls = list(recording)
        assert [0 < (call.duration_s or 0) < 10 for call in calls] == [True] * 3
        assert [differing(call) for call in calls] == [[]] * 3


def deltas(client: openai.OpenAI, script: str) -> list[Any]:
    messages: Any = [{"role": "user", "content": f"hello [[simulate: {script}]]"}]
    return list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))

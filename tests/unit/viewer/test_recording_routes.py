"""The recording of a call in the API: its story, its attempts, its bytes and the flow of its tokens."""

import json
import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from viewer_client import ViewerClient, running_viewer
from viewer_recordings import ask, last_recorded, recorded_for

from l0.cli.explain import story_lines
from l0.recording.recording import RecordedCall, RecordedRead
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.viewer import api_contract, recorded_bodies
from l0.viewer.recording_folders import RecordingFolders

PROMPT = "where is my order?"
ANSWER = "Your order is on its way, and arrives <b>tomorrow</b>."


class Recorded:
    """A recorded call, and where the API has it."""

    def __init__(self, viewer: ViewerClient, folder: Path) -> None:
        self.viewer = viewer
        self.call: RecordedCall = last_recorded(folder)
        self.path = f"/api/calls/{self.call.trace_id}/{self.call.span_id}/recording"

    @property
    def lookup(self) -> Any:
        return self.viewer.get(self.path)

    def page(self, attempt: int, part: str, offset: int = 0) -> Any:
        return self.viewer.get(f"{self.path}/{attempt}/{part}", offset=offset)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("content")]


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory, folders: list[Path]) -> Iterator[ViewerClient]:
    path = tmp_path_factory.mktemp("viewer") / "view.db"
    with running_viewer(path, recordings=RecordingFolders(named=folders)) as client:
        yield client


@pytest.fixture(scope="module")
def retried(viewer: ViewerClient, sim: Simulator, folders: list[Path]) -> Recorded:
    """A streamed call whose first attempt is refused."""
    with recorded_for(viewer, sim, folders[0]) as client:
        sim.script(Fault.status(503), Answer(text=ANSWER))
        ask(client, PROMPT)
    return Recorded(viewer, folders[0])


@pytest.fixture(scope="module")
def complete(viewer: ViewerClient, sim: Simulator, folders: list[Path]) -> Recorded:
    """A call that does not stream, recorded with its prompt."""
    with recorded_for(viewer, sim, folders[1], content=True) as client:
        sim.script(Answer(text=ANSWER))
        ask(client, PROMPT, stream=False)
    return Recorded(viewer, folders[1])


def test_call_is_found_by_its_span(retried: Recorded, viewer: ViewerClient, folders: list[Path]) -> None:
    (listed,) = [one for one in viewer.get("/api/calls")["calls"] if one["trace_id"] == retried.call.trace_id]
    assert listed["span_id"] == retried.call.span_id
    found = retried.lookup
    assert (found["folders"], found["problems"]) == ([str(folder) for folder in folders], [])
    assert (found["call"]["id"], found["call"]["outcome"]) == (retried.call.id, "recovered_retry")
    assert found["call"]["duration"] == pytest.approx((retried.call.duration_s or 0) * 1e3, abs=50)
    other = viewer.get(f"/api/calls/{retried.call.trace_id}/{1:016x}/recording")
    assert (other["call"], other["folders"]) == (None, found["folders"])


def test_story_is_that_of_l0_explain(retried: Recorded) -> None:
    printed = " ".join(" ".join(story_lines(retried.call)).split())
    story = retried.lookup["call"]["story"]
    assert [event["subject"] for event in story][:2] == ["policy", "attempt 1"]
    for event in story:
        assert " ".join(event["text"].split()) in printed
        assert event["field"] in printed
    decision = next(event for event in story if event["subject"] == "decision")
    assert decision["text"].startswith("retry in ")
    assert decision["field"].startswith("Retry.")
    assert retried.lookup["call"]["difference"] == ""


def test_attempts_have_their_requests_and_heads(retried: Recorded) -> None:
    refused, served = retried.lookup["call"]["attempts"]
    assert (refused["status"], served["status"]) == (503, 200)
    assert (served["method"], served["path"]) == ("POST", "/v1/chat/completions")
    assert ["content-type", "application/json"] in served["request_headers"]
    assert any(name == "content-type" and "event-stream" in value for name, value in served["response_headers"])
    assert refused["failure"].startswith("unavailable")
    assert served["started"] > refused["head_at"] > 0
    assert (served["reads"], served["answer_bytes"]) == (
        len(retried.call.attempts[1].reads),
        len(retried.call.attempts[1].body),
    )


def test_request_without_content_has_sizes_and_hashes_only(retried: Recorded) -> None:
    assert retried.lookup["call"]["attempts"][0]["request"] == "shape"
    shown = retried.page(1, "request")["text"]
    assert PROMPT not in shown
    assert json.loads(shown)["messages"][0]["role"] == "user"
    assert PROMPT not in json.dumps(retried.lookup)


def test_request_with_content_is_shown(complete: Recorded) -> None:
    assert complete.lookup["call"]["attempts"][0]["request"] == "body"
    page = complete.page(1, "request")
    assert json.loads(page["text"])["messages"] == [{"role": "user", "content": PROMPT}]
    assert (page["next"], page["size"]) == (None, len(page["text"]))


def test_answer_has_the_recorded_bytes_with_their_times(retried: Recorded) -> None:
    page = retried.page(2, "answer")
    attempt = retried.call.attempts[1]
    assert [b64decode(read["base64"]) for read in page["reads"]] == [read.data for read in attempt.reads]
    assert [read["at"] for read in page["reads"]] == [read.at * 1e3 for read in attempt.reads]
    assert (page["next"], page["size"]) == (None, len(attempt.body))


def test_flow_brings_the_text_in_the_order_of_its_reads(retried: Recorded) -> None:
    flow = retried.lookup["call"]["flow"]
    assert (flow["joined"], flow["cut"]) == (1, False)
    assert [read["at"] for read in flow["reads"]] == sorted(read["at"] for read in flow["reads"])
    pieces = [fragment for read in flow["reads"] if read["attempt"] == 2 for fragment in read["content"]]
    assert "".join(piece["text"] for piece in pieces if piece["kind"] == "text") == ANSWER
    assert len(pieces) > 3
    assert flow["deliveries"][-1]["chars"] == len(ANSWER)


def test_flow_of_an_answer_that_does_not_stream(complete: Recorded) -> None:
    (read,) = complete.lookup["call"]["flow"]["reads"]
    assert read["content"] == [{"kind": "text", "text": ANSWER}]


def test_values_have_the_fields_of_the_contract(retried: Recorded) -> None:
    lookup = retried.lookup
    call, flow = lookup["call"], lookup["call"]["flow"]
    content = [fragment for read in flow["reads"] for fragment in read["content"]]
    pairs: list[tuple[list[Any], Any]] = [
        ([lookup], api_contract.RecordingLookup),
        ([call], api_contract.CallRecording),
        (call["story"], api_contract.StoryLine),
        (call["attempts"], api_contract.AttemptRecording),
        ([flow], api_contract.TokenFlow),
        (flow["reads"], api_contract.ArrivedRead),
        (flow["deliveries"], api_contract.DeliveredItems),
        (content, api_contract.ArrivedFragment),
        ([retried.page(1, "request")], api_contract.RequestPage),
        ([retried.page(2, "answer")], api_contract.AnswerPage),
        (retried.page(2, "answer")["reads"], api_contract.ReadBytes),
    ]
    for values, kind in pairs:
        assert {frozenset(one) for one in values} == {frozenset(kind.__annotations__)}


@pytest.mark.parametrize("most_reads", [1, 7, 500])
def test_large_answers_come_in_parts(retried: Recorded, monkeypatch: pytest.MonkeyPatch, most_reads: int) -> None:
    monkeypatch.setattr(recorded_bodies, "MAX_SIZE", 100)
    monkeypatch.setattr(recorded_bodies, "MAX_READS", most_reads)
    found, offset = bytearray(), 0
    while offset is not None:
        page = retried.page(2, "answer", offset)
        part = b"".join(b64decode(read["base64"]) for read in page["reads"])
        assert 0 < len(part) <= 100
        found += part
        assert page["next"] in (None, len(found))
        offset = page["next"]
    assert bytes(found) == retried.call.attempts[1].body


def test_large_requests_come_in_parts(complete: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = complete.page(1, "request")["text"]
    monkeypatch.setattr(recorded_bodies, "MAX_SIZE", 10)
    found, offset = "", 0
    while offset is not None:
        page = complete.page(1, "request", offset)
        assert len(page["text"]) <= 10
        found += page["text"]
        offset = page["next"]
    assert found == whole


def test_offset_beyond_the_end_is_an_empty_part(retried: Recorded) -> None:
    size = len(retried.call.attempts[1].body)
    assert retried.page(2, "answer", size) == {"reads": [], "next": None, "size": size}
    assert retried.page(2, "request", 10**9)["text"] == ""


@pytest.mark.parametrize("path", ["/9/answer", "/9/request"])
def test_attempt_that_is_not_recorded(retried: Recorded, viewer: ViewerClient, path: str) -> None:
    answer = viewer.request("GET", retried.path + path)
    assert answer.status == 404
    assert "not recorded" in answer.json["error"]


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "9" * 40, "\u0663"])
def test_invalid_offset(retried: Recorded, viewer: ViewerClient, offset: str) -> None:
    answer = viewer.request("GET", f"{retried.path}/1/answer?offset={quote(offset)}")
    assert answer.status == 400
    assert answer.json["error"].startswith("offset: got ")


def test_recording_is_refused_to_other_sites(retried: Recorded, viewer: ViewerClient) -> None:
    for path in (retried.path, f"{retried.path}/1/request", f"{retried.path}/2/answer"):
        assert viewer.request("GET", path, headers={"origin": "http://elsewhere.example"}).status == 403
        assert viewer.request("GET", path, headers={"host": "elsewhere.example"}).status == 421


def test_long_flows_are_joined_and_their_text_is_cut(retried: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.viewer.token_flow.MAX_STEPS", 4)
    joined = retried.lookup["call"]["flow"]
    whole = sum(len(attempt.reads) for attempt in retried.call.attempts)
    assert joined["joined"] == -(-whole // 4)
    assert len(joined["reads"]) <= 4 + len(retried.call.attempts)
    assert sum(read["bytes"] for read in joined["reads"]) == sum(len(one.body) for one in retried.call.attempts)
    monkeypatch.setattr("l0.viewer.token_flow.MAX_CHARACTERS", 12)
    cut = retried.lookup["call"]["flow"]
    assert cut["cut"]
    assert "".join(fragment["text"] for read in cut["reads"] for fragment in read["content"]) == ANSWER[:12]


@pytest.mark.parametrize("kind", ["no database", "no tables", "no version", "later version"])
def test_file_that_cannot_be_read_is_a_problem_and_hides_no_other(
    retried: Recorded, folders: list[Path], kind: str
) -> None:
    bad = folders[0] / "99999999T000000-1-1.l0"
    if kind == "no database":
        bad.write_bytes(b"not a database" * 100)
    else:
        with closing(sqlite3.connect(bad)) as database:
            database.execute(f"CREATE TABLE {'other' if kind == 'no tables' else 'meta'} (key, value)")
            if kind == "later version":
                database.execute("INSERT INTO meta VALUES ('version', '99')")
            database.commit()
    try:
        found = retried.lookup
    finally:
        bad.unlink()
    assert found["call"]["id"] == retried.call.id
    (problem,) = found["problems"]
    assert problem.startswith(f"{bad}: ")


def test_call_that_means_harm_is_a_problem(
    retried: Recorded, viewer: ViewerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("signal")

    monkeypatch.setattr("l0.recording.recording.decode", fails)
    found = retried.lookup
    assert found["call"] is None
    assert "KeyError" in found["problems"][0]


def test_times_that_json_cannot_hold(retried: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "l0.recording.recording.RecordedRead", lambda at, data, began: RecordedRead(at=float("inf"), data=data)
    )
    assert retried.lookup["call"]["flow"]["reads"][0]["at"] == 0
    assert retried.page(2, "answer")["reads"][0]["at"] == 0


def test_without_folders_nothing_is_recorded(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as alone:
        found = alone.get(f"/api/calls/{1:032x}/{1:016x}/recording")
    assert found == {"folders": [], "problems": [], "call": None}

"""Recorded bodies: played byte for byte, and compared with the formats of our own answers."""

import http.client
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from l0.simulator import sse_writer
from l0.simulator.corpus import answers
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest
from l0.simulator.playback import Traffic
from l0.simulator.simulator_config import SimulatorError
from l0.testing import simulator

PATHS = {
    "openai-chat": (CHAT, "/v1/chat/completions"),
    "openai-completion": (COMPLETIONS, "/v1/completions"),
    "responses": (RESPONSES, "/v1/responses"),
    "anthropic": (MESSAGES, "/v1/messages"),
}
# Contained in our answers and in none of the recorded ones.
OURS = {
    "response.refusal.delta",
    "response.refusal.done",
    "response.incomplete",
}
NOT_RECORDED = (".part.refusal", ".content[].refusal")


def rows(traffic: Path) -> list[dict[str, Any]]:
    return list(json.loads((traffic / "index.json").read_text()))


def test_recorded_bodies_are_played_byte_for_byte(traffic: Path) -> None:
    body = json.dumps({"model": "m", "messages": [], "prompt": "", "input": "", "max_tokens": 1, "stream": True})
    with simulator(traffic_dir=traffic) as sim:
        connection = http.client.HTTPConnection("127.0.0.1", int(sim.origin.rsplit(":", 1)[1]), timeout=120)
        for row in rows(traffic):
            connection.request("POST", PATHS[row["kind"]][1], body)
            assert connection.getresponse().read() == (traffic / row["file"]).read_bytes(), row["file"]
        connection.close()
        assert all(received.answered.startswith("recorded ") for received in sim.requests)


def test_recorded_body_is_played_by_name(traffic: Path) -> None:
    row = next(row for row in rows(traffic) if row["kind"] == "anthropic")
    body = Traffic(traffic).named("messages", Path(row["file"]).stem)
    assert body.content == (traffic / row["file"]).read_bytes()
    with pytest.raises(SimulatorError, match="'nope' is not among"):
        Traffic(traffic).named("messages", "nope")


def test_traffic_subdirectories_define_the_dialect_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "anthropic").mkdir()
    (tmp_path / "anthropic" / "one.sse").write_bytes(b"data: 1\n\n")
    found = Traffic(tmp_path)
    assert (found.names("messages"), found.next("chat")) == (["one"], None)


def test_unreadable_traffic_directory_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=f"traffic_dir: {tmp_path}/gone is not a directory"):
        Traffic(tmp_path / "gone")
    with pytest.raises(SimulatorError, match=f"traffic_dir: {tmp_path} contains no recorded body; allowed are files"):
        Traffic(tmp_path)
    (tmp_path / "index.json").write_text('{"file": 1}')
    with pytest.raises(SimulatorError, match=r"index\.json is not a list of rows"):
        Traffic(tmp_path)
    (tmp_path / "index.json").write_text('[{"file": "gone.sse", "kind": "anthropic"}]')
    with pytest.raises(SimulatorError, match=r"cannot read .*gone\.sse: No such file"):
        Traffic(tmp_path).next("messages")


def test_recording_of_calls_is_left_to_the_replay(tmp_path: Path) -> None:
    (tmp_path / "app-1.l0").touch()
    for place in (tmp_path, tmp_path / "app-1.l0"):
        with pytest.raises(SimulatorError, match=f"is a recording of calls, which `l0 replay {place}` serves"):
            Traffic(place)


def paths(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths(part, f"{at}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from paths(part, f"{at}[]")
    else:
        yield at


def shapes(bodies: Iterable[bytes]) -> dict[str, set[str]]:
    """Return the key paths by kind of event."""
    found: dict[str, set[str]] = {}
    for body in bodies:
        for line in body.splitlines():
            if line.startswith(b"data: {"):
                data = json.loads(line[6:])
                found.setdefault(str(data.get("type") or data.get("object")), set()).update(paths(data))
    return found


@pytest.mark.parametrize("kind", PATHS)
def test_own_answers_have_the_shapes_of_recorded_answers(kind: str, traffic: Path) -> None:
    dialect: Dialect = PATHS[kind][0]
    recorded = shapes((traffic / row["file"]).read_bytes() for row in rows(traffic) if row["kind"] == kind)
    asks = [SimulatedRequest(model="m", usage=usage and kind != "openai-completion") for usage in (True, False)]
    own = shapes(
        b"".join(dialect.events(answer, ask, AnswerIdentity.of(0, 0))) for answer in answers().values() for ask in asks
    )
    assert own.keys() - OURS <= recorded.keys()
    strange = {(event, path) for event in own.keys() - OURS for path in own[event] - recorded[event]}
    assert strange <= {(event, path) for event, path in strange if path.endswith(NOT_RECORDED)}


def test_blocks_of_recorded_bodies_have_roles(traffic: Path) -> None:
    for row in rows(traffic):
        body = (traffic / row["file"]).read_bytes()
        roles = [PATHS[row["kind"]][0].role(block) for block in sse_writer.split(body) if sse_writer.is_event(block)]
        assert ("end" in roles or "finish" in roles) == row["terminal"], row["file"]

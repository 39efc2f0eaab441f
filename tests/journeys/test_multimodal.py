"""Images, audio, files and tool results pass through calls, recordings, replays, backtests and the explicit API."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import pytest
from multimodal_kit import CALLS, FILES, LINK, all_objects, async_clients, b64, bound, clients

import l0
from l0.backtest.call_result import Verdict
from l0.backtest.policy_backtest import backtest
from l0.cli.explain import story_lines
from l0.model.policy import Policy, Retry
from l0.recording.recording import RecordedCall, Recording
from l0.simulator.corpus import DEFAULT, bundled_answer
from l0.simulator.ledger import Received
from l0.simulator.media import picture, sound, sounds
from l0.simulator.server import Simulator
from l0.testing import replay

EVERY_CALL = pytest.mark.parametrize("name", CALLS)
Objects = Mapping[str, list[Any]]


def recorded(folder: Path, provider: Simulator, *, sync: bool, content: bool) -> tuple[Objects, list[RecordedCall]]:
    """Make every call while it is recorded. Return the objects and the recordings, in the same order."""
    l0.instrument(record=folder, record_content=content)
    try:
        found = all_objects(provider, sync=sync)
    finally:
        l0.uninstrument()
    with Recording.open(folder) as recording:
        calls = list(recording)
        assert all(call.attempts and call.decisions for call in calls)  # reads them while the file is open
    return found, calls


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Every call: with L0 and recorded; replayed to the bare SDK; replayed to the SDK with L0, and recorded again."""

    bodies: list[Received]
    items: Objects
    calls: list[RecordedCall]
    bare: Objects
    again: Objects
    repeated: list[RecordedCall]
    unmatched: list[str]


@pytest.fixture(scope="module", params=[True, False], ids=["sync", "async"])
def passage(request: pytest.FixtureRequest, running: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Passage:
    sync, folder = request.param, tmp_path_factory.mktemp("passage")
    running.reset()
    items, calls = recorded(folder, running, sync=sync, content=True)
    with replay(folder, speed=inf) as provider:
        bare = all_objects(provider, sync=sync)
        provider.reset()
        again, repeated = recorded(folder / "again", provider, sync=sync, content=True)
        return Passage(
            bodies=list(running.requests),
            items=items,
            calls=calls,
            bare=bare,
            again=again,
            repeated=repeated,
            unmatched=provider.unmatched,
        )


@EVERY_CALL
def test_objects_and_bytes_are_those_of_the_bare_sdk_recorded_and_replayed(passage: Passage, name: str) -> None:
    place = list(CALLS).index(name)
    sent, (attempt,) = passage.bodies[place], passage.calls[place].attempts
    assert attempt.request["body"] == sent.body
    assert attempt.request["bytes"] == int(sent.headers["content-length"])
    assert passage.items[name] == passage.bare[name] == passage.again[name]
    assert passage.repeated[place].attempts[0].body == attempt.body
    assert passage.unmatched == []


@pytest.fixture(scope="module")
def hashed(running: Simulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RecordedCall]]:
    """Every call, recorded without content."""
    folder = tmp_path_factory.mktemp("hashed")
    return folder, recorded(folder, running, sync=True, content=False)[1]


@EVERY_CALL
def test_without_content_each_medium_has_type_size_and_hash(hashed: tuple[Path, list[RecordedCall]], name: str) -> None:
    kept = hashed[1][list(CALLS).index(name)]
    story = " ".join(" ".join(story_lines(kept)).split())
    media = kept.attempts[0].request.get("media", [])
    assert [(one["kind"], one.get("mime_type")) for one in media] == CALLS[name].sent
    for one in media:
        if "bytes" in one:
            data = FILES[one["kind"]]
            assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            assert f"1 {one['mime_type']}, {len(data):,} bytes" in story


def test_without_content_no_data_is_in_the_file_and_it_is_replayed(
    hashed: tuple[Path, list[RecordedCall]],
) -> None:
    folder, _ = hashed
    (file,) = folder.glob("*.l0")
    written = file.read_bytes()
    for data in FILES.values():
        encoded = b64(data).encode()
        assert not any(encoded[at : at + 24] in written for at in range(0, len(encoded) - 24, 1_000))
        assert data[:24] not in written
    assert LINK.encode() not in written
    with replay(folder, speed=inf) as provider:
        all_objects(provider, sync=True)
        assert (provider.unmatched, provider.remaining) == ([], 0)


def test_a_backtest_reads_every_call(hashed: tuple[Path, list[RecordedCall]]) -> None:
    before, tried = backtest(hashed[0], {"retries": Policy(retry=Retry(attempts=2))})
    assert len(tried.calls) == len(CALLS)
    assert {one.verdict for one in [*before.calls, *tried.calls]} == {Verdict.WHOLE}
    assert all(one.first_token_s is not None for one in tried.calls)


@pytest.fixture(scope="module", params=[True, False], ids=["sync", "async"])
def events(request: pytest.FixtureRequest, running: Simulator) -> Mapping[str, list[l0.Event]]:
    """The events of every call through the explicit API."""
    if request.param:
        with clients(running) as made:
            return {name: list(l0.run_sync(bound(made[call.sdk], call))) for name, call in CALLS.items()}

    async def read() -> dict[str, list[l0.Event]]:
        async with async_clients(running) as made:
            opened = {name: await l0.run(bound(made[call.sdk], call)) for name, call in CALLS.items()}
            return {name: [event async for event in stream] for name, stream in opened.items()}

    return asyncio.run(read())


@EVERY_CALL
def test_the_explicit_api_gives_payloads(events: Mapping[str, list[l0.Event]], name: str) -> None:
    assert events[name][-1].type is l0.EventType.COMPLETE
    coming = [one for one in events[name] if one.type is l0.EventType.DATA]
    found: list[l0.types.Payload] = [one.data for one in coming]
    described = [(one.kind, one.mime_type, one.index, one.partial) for one in found]
    assert list(dict.fromkeys(described)) == CALLS[name].got
    assert all(one.item is not None for one in found)
    if any(one.kind == "audio" for one in found):
        assert "".join(one.text for one in coming) == bundled_answer(DEFAULT).text
        spoken = b"".join(one.data or b"" for one in found)
        assert b64(spoken) == sounds(len(spoken) // len(base64.b64decode(sound(0))))
    else:
        numbers = [one.index if one.partial is None else 100 + one.partial for one in found]
        assert [one.base64 for one in found] == [picture(number) for number in numbers]
        assert all((one.data or b"").startswith(b"\x89PNG") for one in found)

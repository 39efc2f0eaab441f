"""A secret that spans several reads of a body leaves the recording, whenever these reads are written."""

from pathlib import Path

import pytest
from installed import httpx
from makers import make_call
from recording_kit import begin, calls_in, recorder

from l0.engine.machine import ADMIT_ALL
from l0.engine.signals import Begin
from l0.model.call import Outcome
from l0.recording.call_recorder import CallRecorder
from l0.recording.recorder import FlightRecorder

TOKEN = "canary.opaque.token.value"
KEY = "sk-proj-CANARYCANARY1234"
SECRETS = [TOKEN, KEY, f"Bearer {TOKEN[:20]}"]


def responding(call: CallRecorder, number: int) -> None:
    """Record the head of a response to a request that sent `TOKEN`."""
    request = httpx.Request("POST", "https://host/v1", headers={"authorization": f"Bearer {TOKEN}"})
    call.head(number, httpx.Response(200, request=request))


def body_in(folder: Path, call: CallRecorder) -> bytes:
    """Return the recorded body of the first attempt."""
    (found,) = [one for one in calls_in(folder) if one.id == call.id]
    return bytes(found.attempts[0].body)


def begun(made: FlightRecorder) -> CallRecorder:
    call = begin(made)
    machine = call.machine(make_call(), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
    call.sending(machine.step(Begin(1.0)), None, "", 1.0)
    responding(call, 1)
    return call


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("flushed", [False, True], ids=["one write", "two writes"])
def test_a_secret_between_deliveries_and_other_calls_is_masked(tmp_path: Path, flushed: bool, secret: str) -> None:
    body = f"data: {secret} end\n".encode()
    with recorder(tmp_path) as made:
        made.interval_s = 1000.0
        call, other = begun(made), begun(made)
        for part in (body[:12], body[12:20], body[20:]):
            call.read(1, part)
            call.delivered(1, 1)
            other.read(1, b"other\n")
            if flushed:
                made.flush()
        call.body_ended(1, "eof")
        for one in (call, other):
            one.ended(Outcome.OK, None, 1.0)
    found = body_in(tmp_path, call)
    assert len(found) == len(body)
    assert found.startswith(b"data: ")
    assert found.endswith(b" end\n")
    assert b"*" * 20 in found
    assert body_in(tmp_path, other) == b"other\n" * 3


def test_what_the_users_function_finds_in_two_reads_is_removed(tmp_path: Path) -> None:
    with recorder(tmp_path, redact=lambda text: text.replace("Maria", "M")) as made:
        call = begun(made)
        for part in (b"data: 1\n\n", b"data: Ma", b"ria asks\n\n", "ü".encode()[:1], "ü".encode()[1:]):
            call.read(1, part)
            call.delivered(1, 1)
            made.flush()
        call.ended(Outcome.OK, None, 1.0)
    assert body_in(tmp_path, call) == "data: 1\n\ndata: M asks\n\nü".encode()


def test_a_function_of_the_user_that_fails_costs_the_reads_that_it_gets(tmp_path: Path) -> None:
    def redact(text: str) -> str:
        if "fail" in text:
            raise ValueError(text)
        return text

    with recorder(tmp_path, redact=redact) as made:
        call = begun(made)
        for part in (b"one\n", b"fail\n", b"three\n"):
            call.read(1, part)
            made.flush()
        call.ended(Outcome.OK, None, 1.0)
    assert body_in(tmp_path, call) == b"one\nthree\n"


def test_only_a_read_that_ends_within_a_word_waits_for_the_next(tmp_path: Path) -> None:
    with recorder(tmp_path) as made:
        call = begun(made)
        for part in (b"data: 1\n\n", b"data: 2\n", b"data: sk-"):
            call.read(1, part)
        made.flush()
        assert body_in(tmp_path, call) == b"data: 1\n\ndata: 2\n"
        call.read(1, b"x" * 600)
        made.flush()
        assert body_in(tmp_path, call).endswith(b"data: sk-")
    assert body_in(tmp_path, call) == b"data: 1\n\ndata: 2\ndata: sk-" + b"x" * 600

"""A secret that spans several reads of a body leaves the recording, whenever these reads are written."""

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from installed import httpx
from makers import make_call, make_failure
from recording_kit import begin, calls_in, recorder

from l0.engine.machine import ADMIT_ALL
from l0.engine.signals import Begin
from l0.model.call import Outcome
from l0.recording.call_recorder import CallRecorder
from l0.recording.recorder import FlightRecorder

TOKEN = "canary.opaque.token.value"
KEY = "sk-proj-CANARYCANARY1234"
SECRETS = [TOKEN, KEY, f"Bearer {TOKEN[:20]}"]


def responding(call: CallRecorder, number: int, headers: Mapping[str, str] | None = None) -> None:
    """Record the head of a response to a request that sent `TOKEN`."""
    request = httpx.Request("POST", "https://host/v1", headers={"authorization": f"Bearer {TOKEN}"})
    call.head(number, httpx.Response(200, request=request, headers=headers))


def body_in(folder: Path, call: CallRecorder) -> bytes:
    """Return the recorded body of the first attempt."""
    (found,) = [one for one in calls_in(folder) if one.id == call.id]
    return bytes(found.attempts[0].body)


def begun(made: FlightRecorder, headers: Mapping[str, str] | None = None) -> CallRecorder:
    call = begin(made)
    machine = call.machine(make_call(), lambda: 0.5, lambda number, failure: 0.25, ADMIT_ALL)
    call.sending(machine.step(Begin(1.0)), None, "", 1.0)
    responding(call, 1, headers)
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


READS = [b'data: {"content":"Hello Jane ', b'Doe, how are you"}\n\n', b'data: {"content":"unfin', b'ished"}\n\n']


@pytest.mark.parametrize("redacted", ["********", "X"])
@pytest.mark.parametrize("flushed", [range(4), (0,), (1,), (2,)], ids=str)
def test_no_byte_is_lost_by_what_the_users_function_finds_in_two_reads(
    tmp_path: Path, flushed: Sequence[int], redacted: str
) -> None:
    with recorder(tmp_path, redact=lambda text: text.replace("Jane Doe", redacted)) as made:
        made.interval_s = 1000.0
        call = begun(made)
        for number, part in enumerate(READS):
            call.read(1, part)
            if number in flushed:
                made.flush()
                assert b"Jane" not in body_in(tmp_path, call)
        call.body_ended(1, "eof")
        call.ended(Outcome.OK, None, 1.0)
    assert body_in(tmp_path, call) == b"".join(READS).replace(b"Jane Doe", redacted.encode())


@pytest.mark.parametrize("change", [str, lambda text: text.replace("b", "B")], ids=["nothing", "a letter"])
def test_users_function_gets_no_part_of_a_character(tmp_path: Path, change: Callable[[str], str]) -> None:
    with recorder(tmp_path, redact=lambda text: change(text.encode().decode())) as made:
        call = begun(made)
        for part in (b"a\xc3", b"\xbcb\n"):
            call.read(1, part)
            made.flush()
        call.ended(Outcome.OK, None, 1.0)
    assert body_in(tmp_path, call) == change("a\u00fcb\n").encode()
    assert not calls_in(tmp_path)[0].incomplete


@pytest.mark.parametrize("failed", [False, True])
def test_a_function_of_the_user_that_fails_costs_the_reads_that_it_gets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failed: bool
) -> None:
    def redact(text: str) -> str:
        if "fail" in text:
            raise ValueError(text)
        return text

    with recorder(tmp_path, redact=redact) as made:
        call = begun(made)
        for part in (b"one\n", b"fail\n", b"three\n", b"fail\n"):
            call.read(1, part)
            made.flush()
        other = begun(made)
        other.read(1, b"one\n")
        failure = replace(make_failure(), message="fail") if failed else None
        for one in (call, other):
            one.ended(Outcome.OK if failure is None else Outcome.FAILED, failure, 1.0)
    assert body_in(tmp_path, call) == b"one\nthree\n"
    assert body_in(tmp_path, other) == b"one\n"
    first, second = calls_in(tmp_path)
    assert (first.incomplete, second.incomplete) == (True, failed)
    assert first.outcome is second.outcome is (Outcome.FAILED if failed else Outcome.OK)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


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


def test_a_compressed_body_is_decoded_if_the_users_function_fails_for_its_request(tmp_path: Path) -> None:
    def redact(text: str) -> str:
        if text == "POST failed":
            raise ValueError(text)
        return text

    with recorder(tmp_path, redact=redact, content=True) as made:
        call = begin(made)
        call.sending(call.machine(make_call(), lambda: 0.5, lambda *_: 0.25, ADMIT_ALL).step(Begin(1.0)), None, "", 1.0)
        request = httpx.Request("POST", "https://host/v1", json="POST failed")
        call.head(1, httpx.Response(200, request=request, headers={"content-encoding": "deflate"}))
        call.read(1, zlib.compress(b"data: 1\n"))
        call.ended(Outcome.OK, None, 1.0)
    assert body_in(tmp_path, call) == b"data: 1\n"
    assert calls_in(tmp_path)[0].incomplete


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate, gzip"])
def test_a_secret_in_a_compressed_body_is_masked(tmp_path: Path, encoding: str, secret: str) -> None:
    body = f"data: {secret} end\n".encode()
    packers = [zlib.compressobj(wbits=zlib.MAX_WBITS + 16 * (one == "gzip")) for one in encoding.split(", ")]
    with recorder(tmp_path) as made:
        call = begun(made, {"content-encoding": encoding, "content-length": "99", "x-kept": "1"})
        for part in (body[:12], body[12:], b""):
            packed = part
            for packer in packers:
                packed = packer.compress(packed) + packer.flush(zlib.Z_SYNC_FLUSH)
            call.read(1, packed)
            made.flush()
        call.ended(Outcome.OK, None, 1.0)
    (attempt,) = calls_in(tmp_path)[0].attempts
    assert attempt.body.startswith(b"data: ")
    assert attempt.body.endswith(b"* end\n")
    assert len(attempt.body) == len(body)
    assert len(attempt.reads) == 3
    assert attempt.response_headers == [("x-kept", "1")]


@pytest.mark.parametrize(("encoding", "kept"), [("rot13", b""), ("gzip", b"data: 1\n\n")])
def test_what_cannot_be_decoded_is_not_kept(tmp_path: Path, encoding: str, kept: bytes) -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    good = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    with recorder(tmp_path) as made:
        call = begun(made, {"content-encoding": encoding})
        for part in (good, b"\xff" * 64, KEY.encode()):
            call.read(1, part)
        call.ended(Outcome.OK, None, 1.0)
    (found,) = calls_in(tmp_path)
    assert found.incomplete
    assert (found.attempts[0].body, len(found.attempts[0].reads)) == (kept, 3)
    assert ("content-encoding" in dict(found.attempts[0].response_headers)) == (encoding == "rot13")

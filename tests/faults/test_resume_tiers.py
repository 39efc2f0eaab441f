"""If the SDK's own loop reads a stream, resuming is as honest: the answer once, or an error."""

from collections.abc import Iterator
from typing import Any

import pytest
from faults_kit import SDKS, Stage, sync_and_async
from resume_kit import LINES, POEM, Api, broken, interrupted, play, rerun, resuming, same

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

modes = pytest.mark.parametrize("mode", ["exact", "prefill", "splice"])


def seen_through(original: Any) -> Any:
    """A third party's wrapper, which wants to see every stream."""

    def __stream__(self: Any) -> Any:
        return original(self)

    return __stream__


@pytest.fixture
def foreign(stage: Stage) -> Iterator[None]:
    """Someone else's wrapper is around the SDKs' loops: they stay in place."""
    l0.uninstrument()
    with pytest.MonkeyPatch.context() as patch:
        for sdk in SDKS.values():
            for name in ("Stream", "AsyncStream"):
                owner = getattr(sdk._streaming, name)
                patch.setattr(owner, "__stream__", seen_through(owner.__dict__["__stream__"]))
        stage.on()
        yield
        l0.uninstrument()


@pytest.fixture
def special(stage: Stage) -> Iterator[None]:
    """Clients that bring their own decoder, as those of AWS do."""
    stage.on()
    with pytest.MonkeyPatch.context() as patch:
        for (name, _), client in stage._clients.items():
            decoder = type("Special", (SDKS[name]._streaming.SSEDecoder,), {})
            patch.setattr(client, "_make_sse_decoder", decoder)
        yield
    l0.uninstrument()


def taken_up(stage: Stage, api: Api, mode: str, *, sync: bool) -> str | None:
    """Return ``None`` if the user has the poem once, or its beginning and an error; else the flaw."""
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=resuming(mode))
    replies = (broken(LINES, Fault.cut(at_event=20)), Reply(answer=LINES))
    got = play(stage, api, *replies, sync=sync, policy=resuming(mode))
    if whole.text != POEM:
        return f"not even the whole stream came through: {whole.error!r} after {whole.text!r}"
    if got.error is None and mode == "exact":
        return same(got, whole)
    handed_over = POEM if got.error is None else POEM[: len(got.text)]
    if got.text != handed_over:
        return f"of no single answer: {got.text!r}"
    return None if got.error is None else interrupted(got, "incomplete_read")


@sync_and_async
@rerun
@modes
def test_with_the_sdks_loop_left_in_place(stage: Stage, foreign: None, api: Api, mode: str, sync: bool) -> None:
    assert taken_up(stage, api, mode, sync=sync) is None


@sync_and_async
@rerun
@modes
def test_with_a_decoder_of_the_clients_own(stage: Stage, special: None, api: Api, mode: str, sync: bool) -> None:
    assert taken_up(stage, api, mode, sync=sync) is None


@sync_and_async
@rerun
def test_before_the_commit_point_both_restart(stage: Stage, foreign: None, api: Api, sync: bool) -> None:
    policy = resuming("exact", fallback=l0.Fallback(model="second"))
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy)
    got = play(stage, api, Fault.cut(at_event=0), Reply(answer=LINES), sync=sync, policy=policy)
    assert same(got, whole) is None
    assert len(got.requests) == 2

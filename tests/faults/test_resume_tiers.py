"""Where our own loop is not in charge of a stream, taking up is as honest: the answer once, or an error."""

from collections.abc import Iterator
from typing import Any

import pytest
from faults_kit import SDKS, Stage
from resume_kit import LINES, POEM, RERUN, Api, broken, interrupted, play, resuming, same

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

both = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
rerun = pytest.mark.parametrize("api", RERUN, ids=lambda api: api.name)
MODES = ("exact", "prefill", "splice")


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
    """Clients that bring a decoder of their own, as those of AWS do."""
    stage.on()
    with pytest.MonkeyPatch.context() as patch:
        for (name, _), client in stage._clients.items():
            decoder = type("Special", (SDKS[name]._streaming.SSEDecoder,), {})
            patch.setattr(client, "_make_sse_decoder", decoder)
        yield
    l0.uninstrument()


def never_doubled(stage: Stage, api: Api, *, sync: bool) -> None:
    for mode in MODES:
        policy = resuming(mode)
        whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy)
        assert whole.text == POEM
        replies = (broken(LINES, Fault.cut(at_event=20)), Reply(answer=LINES))
        got = play(stage, api, *replies, sync=sync, policy=policy)
        if got.error is None and mode == "exact":
            assert same(got, whole) is None
        elif got.error is None:
            assert got.text == POEM
        else:
            assert interrupted(got, "incomplete_read") is None
            assert POEM.startswith(got.text)


@both
@rerun
def test_with_the_sdks_loop_left_in_place(stage: Stage, foreign: None, api: Api, sync: bool) -> None:
    never_doubled(stage, api, sync=sync)


@both
@rerun
def test_with_a_decoder_of_the_clients_own(stage: Stage, special: None, api: Api, sync: bool) -> None:
    never_doubled(stage, api, sync=sync)


@both
@rerun
def test_before_the_commit_point_both_restart(stage: Stage, foreign: None, api: Api, sync: bool) -> None:
    policy = resuming("exact", fallback=l0.Fallback(model="second"))
    whole = play(stage, api, Reply(answer=LINES), sync=sync, policy=policy)
    got = play(stage, api, Fault.cut(at_event=0), Reply(answer=LINES), sync=sync, policy=policy)
    assert same(got, whole) is None
    assert len(got.requests) == 2

"""An answer that is taken up, whose second attempt fails before it has come as far as the first: the user is told."""

from collections.abc import Iterator

import pytest
from faults_kit import SDKS, Stage
from resume_kit import LINES, MESSAGES_API, POEM, RERUN, RESPONSES_API, Api, broken, interrupted, play, resuming

import l0
from l0.simulator.faults import Fault

sync_and_async = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
LATE = 20


@pytest.fixture(scope="module", autouse=True)
def on(stage: Stage) -> Iterator[None]:
    stage.on()
    yield
    l0.uninstrument()


@sync_and_async
@pytest.mark.parametrize("api", RERUN, ids=lambda api: api.name)
@pytest.mark.parametrize("mode", ["exact", "prefill", "splice"])
@pytest.mark.parametrize("at", [1, 4, 12, LATE])
def test_error_inside_the_overlap_is_raised(stage: Stage, api: Api, mode: str, at: int, sync: bool) -> None:
    policy = resuming(mode, retry=l0.Retry(max_retries=1, base_delay=0))
    replies = (broken(LINES, Fault.cut(at_event=LATE)), broken(LINES, Fault.in_band_error(at_event=at)))
    got = play(stage, api, *replies, sync=sync, policy=policy)
    assert POEM.startswith(got.text)
    assert len(got.text) > 20
    if got.span["l0.outcome"] == "recovered_resume":  # the rest was shorter than that, so no error came
        assert (got.error, got.text) == (None, POEM)
        assert mode in ("prefill", "splice")
        return
    assert got.span["l0.outcome"] == "failed"
    if got.error is not None:
        assert isinstance(got.error, SDKS[api.sdk].APIError)
    else:
        assert api is RESPONSES_API
        assert got.events[-1].type == "error"
        numbers = [event.sequence_number for event in got.events]
        assert numbers == list(range(len(numbers)))


@sync_and_async
def test_failed_response_inside_the_overlap_is_raised(stage: Stage, sync: bool) -> None:
    policy = resuming("exact", retry=l0.Retry(max_retries=1, base_delay=0))
    replies = (broken(LINES, Fault.cut(at_event=LATE)), broken(LINES, Fault.failed(at_event=6, code="server_error")))
    got = play(stage, RESPONSES_API, *replies, sync=sync, policy=policy)
    assert interrupted(got, "server_error") is None
    assert got.events[-1].type == "response.failed"
    assert len(got.ids) <= 2
    assert got.span["l0.outcome"] == "failed"


@sync_and_async
def test_the_end_of_a_message_comes_from_the_attempt_that_has_it(stage: Stage, sync: bool) -> None:
    """Events that are out of order do not reach the user, and are not counted as delivered."""
    whole = play(stage, MESSAGES_API, broken(LINES, Fault()), sync=sync, policy=resuming("exact"))
    stop = [event.type for event in whole.events].index("content_block_stop") + 1  # on the wire there is a ping more
    replies = (broken(LINES, Fault.duplicate(at_event=stop)), broken(LINES, Fault()))
    got = play(stage, MESSAGES_API, *replies, sync=sync, policy=resuming("exact", order="strict"))
    assert got.error is None
    assert got.said == whole.said
    assert len(got.requests) == 2


@sync_and_async
@pytest.mark.parametrize("api", RERUN, ids=lambda api: api.name)
@pytest.mark.parametrize("mode", ["off", "exact", "prefill", "splice"])
def test_what_was_held_back_and_dropped_is_no_part_of_the_answer(stage: Stage, api: Api, mode: str, sync: bool) -> None:
    policy = resuming(mode, hold="message", retry=l0.Retry(max_retries=1, base_delay=0))
    replies = (broken(LINES, Fault.cut(at_event=LATE)), broken(LINES, Fault.refuse("rst")))
    got = play(stage, api, *replies, sync=sync, policy=policy)
    assert (len(got.requests), got.text) == (2, "")
    assert interrupted(got) is None

"""Every fault of the catalogue, over one route of each dialect: healed, honest, or accepted and marked."""

from collections.abc import Iterator, Mapping

import pytest
from rows import ROWS, End, Row

import l0

litellm = pytest.importorskip("litellm", reason="litellm is not installed: run make test-providers")
from faults_kit import Seen, body_of  # noqa: E402 - after the check
from litellm_kit import (  # noqa: E402 - it imports litellm
    NO_WAIT,
    OWN_WARNINGS,
    ROUTES,
    WHOLE,
    LitellmStage,
    Route,
    interruption_of,
    plain,
    text_of,
)

pytestmark = OWN_WARNINGS
WAYS = ((ROUTES[0], True), (ROUTES[1], True), (ROUTES[1], False), (ROUTES[-1], True))
"""One route of each dialect. Sync and async code differ in the drivers, which all dialects share."""
CELLS = [
    (row, *way)
    for row in ROWS
    for way in WAYS
    if way[0].dialect in row.only and not row.request and (way[1] or row.edit is None)
]
IDS = [f"{row}-{route.dialect}-{'sync' if sync else 'async'}" for row, route, sync in CELLS]
OTHER_ENDS: Mapping[str, End] = {
    # litellm does not read this header, and repeats neither 501 nor anything below 500 but 408, 409 and 429.
    "500 with x-should-retry: false": End.HEALED,
    "400 with x-should-retry: true": End.SDK,
    "status 501": End.SDK,
}
"""Rows in which something else must come of a fault than in the SDKs."""


def body_for(row: Row, route: Route) -> bytes:
    """The body that a row plays."""
    content = body_of(route.dialect).content
    return content if row.edit is None else row.edit(content)


def play(stage: LitellmStage, row: Row, route: Route, sync: bool) -> Seen:
    """Make a call that meets the fault of a row."""
    return stage.call(route, *[row.make(route.dialect)] * row.times, sync=sync, body=body_for(row, route))


@pytest.fixture(scope="module")
def bare(stage: LitellmStage) -> Iterator[dict[tuple[str, str, bool], Seen]]:
    """Collect what comes of every cell without l0. Then switch l0 on."""
    shown = {(str(row), route.dialect, sync): play(stage, row, route, sync) for row, route, sync in CELLS}
    stage.on(l0.Policy(retry=NO_WAIT))
    yield shown
    l0.uninstrument()


@pytest.mark.parametrize(("row", "route", "sync"), CELLS, ids=IDS)
def test_fault(
    stage: LitellmStage, bare: dict[tuple[str, str, bool], Seen], row: Row, route: Route, sync: bool
) -> None:
    seen, without = play(stage, row, route, sync), bare[str(row), route.dialect, sync]
    if not sync and "RST before headers" in row.name and without.requests > 1:
        # litellm 1.100 sends such a request once more inside `post`, which is within one attempt of ours.
        assert flaw(End.SAME if without.error is None else End.HEALED, seen, without) is None
        assert seen.spans == 1
        return
    end = OTHER_ENDS.get(row.name) or row.others.get(route.dialect, row.end)
    if not sync and end in (End.BROKEN, End.SDK, End.EVENT) and seen.error is None:
        end = End.HEALED  # aiohttp returns all that has arrived, so the user may have seen nothing when it fails
    if not sync and "bad chunk header, every" in row.name:  # aiohttp raises it in place of the response
        end = End.SDK
    assert flaw(end, seen, without) is None
    expected = row.requests or (2 if end is End.HEALED else 1)
    assert seen.requests == expected, f"{seen.requests} requests: {seen.error!r}"
    assert seen.spans == 1
    assert seen.span is not None
    assert seen.span["l0.attempts"] == expected
    interruption = interruption_of(seen.error)
    if end is End.BROKEN and row.reason is not None:
        assert interruption is not None
        assert interruption.reason == row.reason


def flaw(end: End, seen: Seen, bare: Seen) -> str | None:
    """Return what is wrong with the result of a call."""
    outcome = "" if seen.span is None else seen.span["l0.outcome"]
    shown = f"{end}: {seen.error!r} after {text_of(seen)!r}, {outcome}; bare: {bare.error!r} after {text_of(bare)!r}"
    if end in (End.HEALED, End.WHOLE):
        fine = seen.error is None and text_of(seen) == WHOLE
        return None if fine and outcome == ("recovered_retry" if end is End.HEALED else "ok") else shown
    if end in (End.SAME, End.UNSEEN):
        fine = seen.error is None and outcome == "ok" and (bare.error is not None or plain(seen) == plain(bare))
        return None if fine else shown
    read = text_of(bare) if end is End.PROVEN else WHOLE
    fine = seen.error is not None and outcome == "failed" and read.startswith(text_of(seen))
    if end in (End.BROKEN, End.PROVEN):
        fine = fine and interruption_of(seen.error) is not None
    if isinstance(
        bare.error, litellm.exceptions.openai.OpenAIError
    ):  # what catches the error of litellm catches this one
        fine = fine and isinstance(seen.error, type(bare.error))
    return None if fine else shown


def test_other_ends_name_rows() -> None:
    assert set(OTHER_ENDS) <= {row.name for row in ROWS}

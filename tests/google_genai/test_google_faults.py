"""Every fault of the catalogue, over every transport: healed, honest, or accepted and marked."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from faults_kit import Seen, prefix_mismatch
from rows import AFTER, ROWS, End, Row
from test_catalogue import CHECKS, _ended

import l0

genai = pytest.importorskip("google.genai", reason="google-genai is not installed: run make test-providers")
from google_kit import FLAVOURS, body_of, flavours, without_identity  # noqa: E402 - it imports the SDK

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
DIALECT = "generate_content"
CHOSEN = [row for row in ROWS if len(row.only) == 4]
OTHER_ENDS: Mapping[str, End] = {
    # The SDK repeats 408, 429, 500, 502, 503 and 504, whatever the headers say.
    "status 409": End.SDK,
    "status 501": End.SDK,
    "520 HTML": End.SDK,
    "status 529": End.SDK,
    "400 with x-should-retry: true": End.SDK,
    "500 with x-should-retry: false": End.HEALED,
    # A body of JSON is an answer that was not streamed, or an error.
    "200 with a non-streamed JSON body instead of a stream": End.SAME,
    # The dialect has no terminal event, and no event that carries nothing.
    "terminal only": End.HEALED,
    "terminal without a reason": End.EVENT,
    "some pings": End.SAME,
    "data after the end": End.SAME,
    # Google has no code for a quota that is used up.
    "in-band quota, before content": End.HEALED,
    # The bare SDK puts a replacement character in place of the bytes.
    "invalid UTF-8, after content": End.BROKEN,
}
"""Rows in which something else must come of a fault than in most dialects."""


def broken(seen: Seen, bare: Seen, whole: list[Any]) -> str | None:
    """As in the catalogue, but for the class of the error."""
    error = seen.error
    if not isinstance(error, l0.StreamInterrupted) or not isinstance(error, genai.errors.APIError):
        return f"{error!r}, {len(seen.chunks)} of {len(whole)} chunks"
    if bare.error is not None and not isinstance(error, type(bare.error)):
        return f"{error!r} is no {type(bare.error)}"
    return _ended(seen, type(error), "failed") or prefix_mismatch(seen.chunks, whole)


@pytest.fixture(scope="module")
def bare(stage: Any) -> Iterator[dict[tuple[str, str], Seen]]:
    """Collect the results of the bare SDK for every cell. Then switch l0 on."""
    shown = {
        (str(row), flavour): stage.call(body_of(), *[row.make(DIALECT)] * row.times, flavour=flavour, retries=False)
        for row in CHOSEN
        for flavour in FLAVOURS
    }
    stage.on()
    yield shown
    l0.uninstrument()


@flavours
@pytest.mark.parametrize("row", CHOSEN, ids=str)
def test_fault(stage: Any, bare: dict[tuple[str, str], Seen], row: Row, flavour: str) -> None:
    seen = stage.call(body_of(), *[row.make(DIALECT)] * row.times, flavour=flavour)
    whole = without_identity(stage.call(body_of(), flavour=flavour)).chunks
    end = OTHER_ENDS.get(row.name, row.end)
    if end in (End.BROKEN, End.SDK) and seen.error is None and _may_be_read_at_once(row, flavour):
        end = End.HEALED
    if "bad chunk header" in row.name and flavour == "aiohttp":  # aiohttp raises it in place of the response
        end = End.SDK if row.times > 1 else End.HEALED
    check = broken if end is End.BROKEN else CHECKS[end]
    assert check(without_identity(seen), without_identity(bare[str(row), flavour]), whole) is None
    expected = row.requests or (2 if end is End.HEALED else 1)
    assert seen.requests == expected, f"{seen.requests} requests: {seen.error!r}"
    assert seen.spans == 1
    assert seen.span is not None
    assert seen.span["l0.attempts"] == expected
    if end is End.BROKEN and row.reason is not None:
        assert isinstance(seen.error, l0.StreamInterrupted)
        assert seen.error.reason == row.reason


def test_other_ends_name_rows() -> None:
    assert set(OTHER_ENDS) <= {row.name for row in CHOSEN}


def _may_be_read_at_once(row: Row, flavour: str) -> bool:
    """Return True if one read may bring content and the fault, so that the user has seen nothing when it fails.

    aiohttp returns all that has arrived.
    """
    places = [part.at_event for part in row.make(DIALECT).parts]
    return flavour == "aiohttp" and any(place is not None and place >= AFTER for place in places)

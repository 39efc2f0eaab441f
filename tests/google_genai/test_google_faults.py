"""Every fault of the catalogue, over every transport: healed, honest, or accepted and marked."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ends import expect
from faults_kit import Seen
from rows import AFTER, ROWS, End, Row

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


def of_sdk(error: Exception) -> bool:
    return isinstance(error, genai.errors.APIError)


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
    expect(end, row, without_identity(seen), without_identity(bare[str(row), flavour]), whole, of_sdk)


def test_other_ends_name_rows() -> None:
    assert set(OTHER_ENDS) <= {row.name for row in CHOSEN}


def _may_be_read_at_once(row: Row, flavour: str) -> bool:
    """Return True if one read may bring content and the fault, so that the user has seen nothing when it fails.

    aiohttp returns all that has arrived.
    """
    places = [part.at_event for part in row.make(DIALECT).parts]
    return flavour == "aiohttp" and any(place is not None and place >= AFTER for place in places)

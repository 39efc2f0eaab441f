"""Every fault of the catalogue, in both operations that stream: healed, honest, or accepted and marked."""

from collections.abc import Iterator, Mapping

import pytest
from ends import expect
from faults_kit import Seen
from rows import ROWS, End, Row

import l0

exceptions = pytest.importorskip("botocore.exceptions", reason="boto3 is not installed: run make test-providers")
from bedrock_kit import APIS, BedrockStage, apis  # noqa: E402 - it imports the SDK

CHOSEN = [row for row in ROWS if len(row.only) == 4 and not row.edit]
OTHER_ENDS: Mapping[str, End | Mapping[str, End]] = {
    # botocore repeats 429, 500, 502, 503, 504 and 509, whatever the headers say. It does not obey Retry-After.
    "status 409": End.SDK,
    "520 HTML": End.SDK,
    "400 with x-should-retry: true": End.SDK,
    "500 with x-should-retry: false": End.HEALED,
    # botocore decodes no gzip: no frame of such a body can be read.
    "corrupt gzip, after content": End.HEALED,
    # Bedrock has no code for a quota that is used up.
    "in-band quota, before content": End.HEALED,
    # The bare SDK hands over an event without content, or raises a UnicodeDecodeError.
    "malformed JSON, after content": End.BROKEN,
    "invalid UTF-8, after content": End.BROKEN,
    # The bare SDK hands over nothing of a stream whose events have no types.
    "no event names": {"converse": End.HEALED},
    # Pings, which Bedrock does not send. The bare SDK hands them over.
    "many lifecycle frames": {"bedrock_messages": End.WHOLE},
}
"""Rows in which something else must come of a fault than in most dialects."""


def end_of(row: Row, api: str) -> End:
    other = OTHER_ENDS.get(row.name, row.others.get("messages" if api == "bedrock_messages" else api, row.end))
    return other if isinstance(other, End) else other.get(api, row.end)


def of_sdk(error: Exception) -> bool:
    return isinstance(error, (exceptions.BotoCoreError, exceptions.ClientError))


@pytest.fixture(scope="module")
def bare(stage: BedrockStage) -> Iterator[dict[tuple[str, str], Seen]]:
    """Collect the results of bare botocore for every cell. Then switch l0 on."""
    shown = {
        (str(row), api): stage.call(*[row.make(api)] * row.times, api=api, client=stage.plain)
        for row in CHOSEN
        for api in APIS
    }
    stage.on()
    yield shown
    l0.uninstrument()


@apis
@pytest.mark.parametrize("row", CHOSEN, ids=str)
def test_fault(stage: BedrockStage, bare: dict[tuple[str, str], Seen], row: Row, api: str) -> None:
    seen = stage.call(*[row.make(api)] * row.times, api=api)
    whole = stage.call(api=api).chunks
    expect(end_of(row, api), row, seen, bare[str(row), api], whole, of_sdk)


def test_other_ends_name_rows() -> None:
    assert set(OTHER_ENDS) <= {row.name for row in CHOSEN}

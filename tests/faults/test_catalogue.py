"""Every fault that a server can produce, in every dialect, sync and async: healed, honest, or accepted and marked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ends import expect
from faults_kit import DIALECTS, Seen, Stage, body_of, sync_and_async
from rows import CELLS, Row
from traffic_kit import Sample

import l0


@pytest.fixture(scope="module")
def bare(stage: Stage) -> Iterator[dict[tuple[Row, str, bool], Seen]]:
    """Collect the results of the bare SDK for every cell. Then switch L0 on; it knows this origin."""
    l0.uninstrument()
    shown = {
        (str(row), dialect, sync): stage.call(
            sample(row, dialect), row.make(dialect), sync=sync, retries=0, **row.request
        )
        for row, dialect in CELLS
        if dialect in DIALECTS
        for sync in (True, False)
    }
    stage.on()
    for dialect in DIALECTS:
        stage.call(body_of(dialect), sync=True)
    yield shown
    l0.uninstrument()


def sample(row: Row, dialect: str) -> Sample:
    """The body that a row plays."""
    body = body_of(dialect)
    return body if row.edit is None else replace(body, content=row.edit(body.content))


@sync_and_async
@pytest.mark.parametrize(("row", "dialect"), CELLS, ids=str)
def test_a_fault(stage: Stage, bare: dict[tuple[str, str, bool], Seen], row: Row, dialect: str, sync: bool) -> None:
    faults = [row.make(dialect)] * row.times
    seen = stage.call(sample(row, dialect), *faults, sync=sync, **row.request)
    whole = stage.call(sample(row, dialect), sync=sync).chunks
    end = row.others.get(dialect, row.end)
    expect(end, row, seen, bare[str(row), dialect, sync], whole)
    if dialect in row.anomaly:
        assert seen.span is not None
        assert row.anomaly[dialect] in seen.span.get("l0.anomalies", ())

"""Every fault that a server can produce, in every dialect, sync and async: healed, honest, or accepted and marked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from faults_kit import DIALECTS, Seen, Stage, body_of, difference, prefix_mismatch, sync_and_async
from rows import CELLS, End, Row
from traffic_kit import Sample

import l0


def is_connection_error(error: Exception) -> bool:
    """Return True for an `APIConnectionError` of any SDK."""
    return any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)


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
    told = CHECKS[end](seen, bare[str(row), dialect, sync], whole)
    assert told is None, f"{end.value}: {told}"
    expected = row.requests or (2 if end is End.HEALED else 1)
    assert seen.requests == expected, f"{seen.requests} requests: {seen.error!r}"
    assert seen.spans == 1
    assert seen.span is not None
    assert seen.span["l0.attempts"] == expected
    if dialect in row.anomaly:
        assert row.anomaly[dialect] in seen.span.get("l0.anomalies", ())
    if end is End.BROKEN and row.reason is not None:
        assert isinstance(seen.error, l0.StreamInterrupted)
        assert seen.error.reason == row.reason


def healed(seen: Seen, _: Seen, whole: list[object]) -> str | None:
    return _ended(seen, None, "recovered_retry") or difference(seen.chunks, whole)


def broken(seen: Seen, bare: Seen, whole: list[object]) -> str | None:
    error = seen.error
    if not isinstance(error, l0.StreamInterrupted) or not is_connection_error(error):
        return f"{error!r}, {len(seen.chunks)} of {len(whole)} chunks"
    if bare.error is not None and not isinstance(error, type(bare.error)):
        return f"{error!r} is no {type(bare.error)}"
    return _ended(seen, type(error), "failed") or prefix_mismatch(seen.chunks, whole)


def sdk(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if bare.error is None:
        return "the bare SDK raises nothing: the row is wrong"
    if not isinstance(seen.error, type(bare.error)):
        return f"{seen.error!r}, not {bare.error!r}"
    return _ended(seen, type(bare.error), "failed") or difference(seen.chunks, bare.chunks)


def event(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if not isinstance(seen.error, l0.StreamInterrupted):
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    return _ended(seen, type(seen.error), "failed") or difference(seen.chunks, bare.chunks)


def proven(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if not isinstance(seen.error, l0.StreamInterrupted):
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    return _ended(seen, type(seen.error), "failed") or prefix_mismatch(seen.chunks, bare.chunks)


def accepted(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    return _ended(seen, None, "ok") or difference(seen.chunks, bare.chunks)


def unharmed(seen: Seen, _: Seen, whole: list[object]) -> str | None:
    return _ended(seen, None, "ok") or difference(seen.chunks, whole)


def unseen(seen: Seen, bare: Seen, whole: list[object]) -> str | None:
    if difference(bare.chunks, whole) is None:
        return "nothing is wrong with this answer: the row is wrong"
    return accepted(seen, bare, whole)


CHECKS = {
    End.HEALED: healed,
    End.BROKEN: broken,
    End.SDK: sdk,
    End.EVENT: event,
    End.PROVEN: proven,
    End.SAME: accepted,
    End.WHOLE: unharmed,
    End.UNSEEN: unseen,
}


def _ended(seen: Seen, error: type[Exception] | None, outcome: str) -> str | None:
    """Return the errors in the end of the call, for its user and on its span."""
    if error is None and seen.error is not None:
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    if seen.span is None:
        return "no span"
    status = "ERROR" if outcome == "failed" else "UNSET"
    shown = (seen.span["l0.outcome"], seen.span["status"])
    return None if shown == (outcome, status) else f"the span says {shown}, not {(outcome, status)}"

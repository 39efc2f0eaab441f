"""No fault of the catalogue gives a wrong answer in silence, in whatever way the policy resumes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from faults_kit import DIALECTS, Stage, body_of
from matrix import ANSWER, MODES, TIMED, Matrix, every, got_of, resumed
from rows import ROWS, End

import l0


@pytest.fixture(scope="module", params=DIALECTS)
def matrix(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Matrix]:
    """All rows of one dialect that need no time limits; `test_deadlines` has those."""
    yield Matrix(stage, [(row, dialect) for row, dialect in every() if dialect == request.param and row not in TIMED])
    l0.uninstrument()


CONTINUED = ("chat", "messages")
"""Dialects in which a model can go on; for the others those modes are `off`, which `test_catalogue` has."""


def test_nothing_is_silently_wrong(matrix: Matrix) -> None:
    (dialect,) = {dialect for _, dialect in matrix.chosen}
    judged = list(matrix.judged(MODES[1:] if dialect in CONTINUED else ["exact"]))
    wrong = {(str(cell.row), cell.mode, cell.sync): cell.wrong for cell in judged if cell.wrong is not None}
    assert wrong == {}
    unseen = {cell.row.name for cell in judged if cell.got == "UNSEEN"}
    assert unseen <= {row.name for row in ROWS if row.end is End.UNSEEN}
    shown: dict[tuple[str, str], set[tuple[int, str, str]]] = {}
    for cell in judged:
        shown.setdefault((str(cell.row), cell.mode), set()).add((cell.requests, cell.got, cell.error))
    assert {key: ends for key, ends in shown.items() if len(ends) > 1} == {}, "sync and async differ"


def test_the_catalogue_is_wide_enough() -> None:
    chosen = every()
    everywhere = [row.name for row in ROWS if len(row.only) == 4]
    assert len(everywhere) >= 60
    assert len(chosen) == len({(str(row), dialect) for row, dialect in chosen}) >= 60 * len(DIALECTS)


def test_matrix_check_detects_wrong_answers(stage: Stage) -> None:
    """An answer that ends early, or says something twice, is none that it lets pass."""
    row = next(row for row in ROWS if row.end is End.HEALED)
    stage.on()
    seen = stage.call(body_of("chat", ANSWER), sync=True)
    l0.uninstrument()
    whole = got_of("chat", seen)
    assert resumed(row, "chat", seen, seen, whole) == ("whole", None)
    for chunks in (seen.chunks[:9], [*seen.chunks[:6], *seen.chunks[4:]], seen.chunks[:-2]):
        assert resumed(row, "chat", replace(seen, chunks=chunks), seen, whole)[0] == "WRONG"
    broken = replace(seen, chunks=seen.chunks[:9], error=RuntimeError("not the SDK's"))
    assert resumed(row, "chat", broken, seen, whole)[1] is not None

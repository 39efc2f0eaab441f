"""The fault matrix of the openai SDK, through the declared SDKs: nothing is silently wrong."""

import pytest
from matrix import Matrix, every
from tried_sdks import ProviderStage

import l0


@pytest.mark.parametrize("mode", ["off", "exact"])
def test_nothing_is_silently_wrong(stage: ProviderStage, mode: str) -> None:
    chosen = [(row, dialect) for row, dialect in every() if dialect in stage.tried.dialects]
    try:
        judged = list(Matrix(stage, chosen, as_listed=stage.tried.raises_as_openai).judged([mode]))
    finally:
        l0.uninstrument()
    wrong = {(str(cell.row), cell.dialect, cell.sync): cell.wrong for cell in judged if cell.wrong is not None}
    assert wrong == {}
    assert len(judged) == 2 * len(chosen) >= 2 * 60 * len(stage.tried.dialects)

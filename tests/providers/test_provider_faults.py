"""The fault matrix of the openai SDK, through the declared SDKs: nothing is silently wrong."""

from matrix import Matrix, every
from tried_sdks import ProviderStage

import l0


def test_nothing_is_silently_wrong(stage: ProviderStage) -> None:
    chosen = [(row, dialect) for row, dialect in every() if dialect in stage.tried.dialects]
    try:
        judged = list(Matrix(stage, chosen).judged(("off", "exact")))
    finally:
        l0.uninstrument()
    wrong = {
        (str(cell.row), cell.dialect, cell.mode, cell.sync): cell.wrong for cell in judged if cell.wrong is not None
    }
    print(len(judged), "cells")
    for key, value in wrong.items():
        print(*key, "::", value)
    assert wrong == {}

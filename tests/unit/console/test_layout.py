"""The signs of the console."""

import pytest

from l0.console.layout import ASCII, UNICODE, Signs, signs_for


@pytest.mark.parametrize(
    ("encoding", "signs"),
    [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("no such encoding", ASCII)],
)
def test_signs_are_those_that_the_encoding_has(encoding: str | None, signs: Signs) -> None:
    assert signs_for(encoding) == signs


@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_results_have_different_signs(signs: Signs) -> None:
    assert len({signs.whole, signs.recovered, signs.doubtful, signs.failed, signs.cancelled}) == 5

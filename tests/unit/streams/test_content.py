"""The text of a stream's state, read at every token, costs no more than the text itself."""

from typing import Any

import pytest
from streams_kit import Source

from l0 import l0


class Counting(list[str]):
    """Pieces of text that count how many of them are read."""

    def __init__(self, pieces: list[str]) -> None:
        super().__init__(pieces)
        self.read = 0

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        self.read += len(found) if isinstance(index, slice) else 1
        return found


def pieces_read(name: str, pieces: list[str], **options: Any) -> int:
    """Return how many pieces of text a stream reads if its user reads the attribute ``name`` of the state at every
    token."""
    stream = l0.run_sync(Source(pieces).plain, **options)
    seen = Counting([])
    next(stream)
    reader = stream.state.reader
    assert reader is not None
    text = ""
    for _ in stream:
        seen[:] = reader.text
        reader.text, own = seen, reader.text
        text = getattr(stream.state, name)
        reader.text = own
    assert text == "".join(pieces)
    return seen.read


@pytest.mark.parametrize("name", ["content", "checkpoint"])
def test_text_read_at_every_token_joins_each_piece_once(name: str) -> None:
    pieces = [f"{number} " for number in range(2_000)]
    assert pieces_read(name, pieces) <= len(pieces) + 10


def test_text_that_is_kept_does_not_change() -> None:
    stream = l0.run_sync(Source(["a", "b", "c"]).plain)
    kept = [(stream.state.content, stream.state.checkpoint) for event in stream if event.is_token]
    assert kept == [("a", ""), ("ab", ""), ("abc", "")]
    assert (stream.state.content, stream.state.checkpoint) == ("abc", "abc")

"""Adapters of the user that raise: a mistake in their code ends the call, a bad item is retried."""

from collections.abc import Iterator
from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, Source
from test_exceptions_of_sources import MISTAKES, nothing, text

from l0 import Event, EventType, StreamInterrupted, register_adapter
from l0.streams.adapters import ADAPTERS
from l0.types import ResponseMetadata


class Item:
    pass


class FailingAdapter:
    """An adapter and its decoder that raise ``error`` in one of their methods, from the call ``after`` on."""

    name = "failing"
    has_pending = False

    def __init__(self, where: str, error: Exception, after: int = 0) -> None:
        self.where, self.error, self.left = where, error, after

    def _enter(self, method: str) -> None:
        if method == self.where:
            self.left -= 1
            if self.left < 0:
                raise self.error

    def recognizes(self, item: object) -> bool:
        if isinstance(item, Item):
            self._enter("recognizes")
        return isinstance(item, Item)

    def decoder(self) -> "FailingAdapter":
        self._enter("decoder")
        return self

    def decode(self, item: Any) -> list[Event]:
        self._enter("decode")
        return [Event(EventType.TOKEN, "word ")]

    def is_complete(self) -> bool | None:
        self._enter("is_complete")
        return None

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata()


@pytest.fixture(autouse=True)
def adapters() -> Iterator[None]:
    before = ADAPTERS._registered
    yield
    ADAPTERS._registered = before


PLACES = [("recognizes", 0), ("decoder", 0), ("decode", 0), ("decode", 1), ("is_complete", 0)]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", MISTAKES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("where", "after"), PLACES)
def test_mistake_in_an_adapter_ends_the_call(driver: str, where: str, after: int, error: Exception) -> None:
    register_adapter(FailingAdapter(where, error, after))
    first, second = Source([Item(), Item(), Item()]), Source(["whole"])
    _, raised, _ = DRIVERS[driver]([first, second], nothing, retry=QUICK)
    assert isinstance(raised, StreamInterrupted)
    assert isinstance(raised, type(error))
    assert raised.__cause__ is error
    assert (raised.reason, raised.attempts) == ("local", 1)
    assert (first.made, second.made) == (1, 0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_item_that_an_adapter_rejects_is_retried(driver: str) -> None:
    register_adapter(FailingAdapter("decode", ValueError("no JSON")))
    source = Source([Item()], ["whole"])
    events, raised, stream = DRIVERS[driver]([source], nothing, retry=QUICK)
    assert (raised, text(events), source.made) == (None, "whole", 2)
    assert [failure.cause.value for failure in stream.state.failures] == ["malformed"]

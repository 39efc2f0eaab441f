"""Supported and rejected sources; adapters; state; other event loops."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from streams_kit import QUICK, Source

from l0 import CheckIntervals, Event, EventType, PolicyError, Timeout, UnknownStreamError, l0, register_adapter
from l0.config import CONFIG
from l0.model.call import Outcome
from l0.streams.adapters import ADAPTERS, Registry
from l0.types import ResponseMetadata


class Line:
    def __init__(self, text: str) -> None:
        self.text = text


class LineAdapter:
    name = "lines"

    def recognizes(self, item: object) -> bool:
        return isinstance(item, Line)

    def decoder(self) -> Any:
        return LineDecoder()


class LineDecoder:
    has_pending = False

    def decode(self, item: Any) -> list[Event]:
        if item.text == "!":
            return [Event(EventType.ERROR, "overloaded", "slow_down")]
        return [Event(EventType.TOKEN, item.text), Event(EventType.PROGRESS, "", len(item.text))]

    def is_complete(self) -> bool | None:
        return None

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata(model="lines")


@pytest.fixture
def lines() -> Iterator[None]:
    before = ADAPTERS._registered
    register_adapter(LineAdapter())
    register_adapter(LineAdapter())  # takes the place of the first
    assert len(ADAPTERS._registered) == len(before) + 1
    yield
    ADAPTERS._registered = before


@pytest.mark.usefixtures("lines")
def test_an_adapter_of_ones_own() -> None:
    source = Source([Line("!")], [Line("a"), Line("bc")])
    with l0.run_sync(source.plain, retry=QUICK) as stream:
        events = list(stream)
    assert [(event.type, event.text, event.data) for event in events] == [
        (EventType.TOKEN, "a", None),
        (EventType.PROGRESS, "", 1),
        (EventType.TOKEN, "bc", None),
        (EventType.PROGRESS, "", 2),
        (EventType.COMPLETE, "", ResponseMetadata(model="lines")),
    ]
    assert source.made == 2


class Iterable(Line):
    """Like a pydantic model, which yields its fields."""

    def __iter__(self) -> Iterator[Any]:
        yield "text", self.text


@pytest.mark.parametrize("kind", [Line, Iterable])
@pytest.mark.parametrize("named", [True, False], ids=["passed", "recognized"])
def test_adapter_gets_a_complete_answer_as_one_item(request: pytest.FixtureRequest, named: bool, kind: Any) -> None:
    if not named:
        request.getfixturevalue("lines")
    options: dict[str, Any] = {"adapter": LineAdapter()} if named else {}

    async def read_async(source: Any) -> str:
        return await (await l0.run(source, retry=QUICK, **options)).read()

    async def awaited() -> Any:
        return kind("whole")

    assert l0.run_sync(lambda: kind("whole"), retry=QUICK, **options).read() == "whole"
    assert l0.run_sync(kind("whole"), retry=QUICK, **options).read() == "whole"
    assert asyncio.run(read_async(awaited)) == "whole"


@pytest.mark.parametrize("kind", [iter, list, tuple])
def test_adapter_that_recognizes_everything_does_not_take_a_stream_for_an_item(kind: Any) -> None:
    class AnyAdapter(LineAdapter):
        def recognizes(self, item: object) -> bool:
            return True

    source = kind([Line("a"), Line("b")])
    assert l0.run_sync(lambda: source, retry=QUICK, adapter=AnyAdapter()).read() == "ab"


@pytest.mark.parametrize("named", [True, False], ids=["passed", "recognized"])
def test_observers_get_the_name_of_an_adapter_as_the_provider(lines: None, named: bool) -> None:
    seen: list[str] = []
    adapter: dict[str, Any] = {"adapter": LineAdapter()} if named else {}
    source = Source([Line("a")])
    with l0.run_sync(source.plain, observers=[lambda call, _: seen.append(call.provider)], **adapter) as stream:
        list(stream)
    assert set(seen) == {"lines"}


def test_built_in_adapter_names_no_provider() -> None:
    seen: list[str] = []
    source = Source([Event(EventType.TOKEN, "a")])
    with l0.run_sync(source.plain, observers=[lambda call, _: seen.append(call.provider)]) as stream:
        list(stream)
    assert set(seen) == {"unknown"}


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("method", ["recognizes", "decoder"])
def test_an_adapter_that_fails_is_no_defect_of_ours(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: LineAdapter, item: object = None) -> Any:
        if isinstance(item, list | Iterator):  # the source itself, which is looked at before its items
            return False
        raise ZeroDivisionError

    monkeypatch.setattr(LineAdapter, method, failing)
    source = Source([Line("a")])
    with pytest.raises(ZeroDivisionError) as caught:
        l0.run_sync(source.plain, retry=QUICK).read()
    assert getattr(caught.value, "reason", None) == "local"
    assert source.made == 1


def _fail(_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.usefixtures("lines")
def test_a_decoder_that_fails_at_the_end_is_no_defect_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineDecoder, "is_complete", _fail)
    with pytest.raises(ZeroDivisionError) as caught:
        l0.run_sync(Source([Line("a")]).plain, retry=QUICK).read()
    assert getattr(caught.value, "reason", None) == "local"


@pytest.mark.usefixtures("lines")
def test_an_answer_is_good_without_its_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineDecoder, "metadata", _fail)
    told: list[Any] = []
    watcher = SimpleNamespace(notify=told.append, active=nullcontext, headers=dict)
    CONFIG.add_observers([SimpleNamespace(observe=lambda _: watcher)])
    try:
        assert l0.run_sync(Source([Line("a")]).plain, retry=QUICK).read() == "a"
    finally:
        CONFIG.add_observers(())
    assert (told[-1].outcome, told[-1].metadata) == (Outcome.OK, ResponseMetadata())


@pytest.mark.parametrize("thing", [None, 5, b"bytes", {"a": 1}, object(), SimpleNamespace(close=lambda: None)])
def test_what_is_no_stream(thing: Any) -> None:
    with pytest.raises(UnknownStreamError, match=rf"{type(thing).__name__}.*Supported are"):
        l0.run_sync(lambda: thing)


def test_what_is_no_stream_is_closed() -> None:
    closed: list[bool] = []
    with pytest.raises(UnknownStreamError):
        l0.run_sync(lambda: SimpleNamespace(close=lambda: closed.append(True)))
    assert closed == [True]


@pytest.mark.parametrize("items", [[5], [b"a"], ["a", 5], [{"choices": []}]], ids=str)
def test_what_is_no_item(items: list[Any]) -> None:
    stream = l0.run_sync(lambda: items)
    with pytest.raises(UnknownStreamError, match="item of"):
        stream.read()
    assert isinstance(stream.state.error, UnknownStreamError)


def test_an_async_source_in_sync_code_is_named() -> None:
    with pytest.raises(UnknownStreamError, match="async_generator"):
        l0.run_sync(Source(["a"]).aplain)


def test_adapter_with_former_method_names() -> None:
    class FormerDecoder:
        begun = True

        def decode(self, item: Any) -> list[Event]:
            return [Event(EventType.TOKEN, item.text)]

        def whole(self) -> bool:
            return True

        def facts(self) -> ResponseMetadata:
            return ResponseMetadata(model="former")

    class Former:
        name = "former"

        def recognises(self, item: object) -> bool:
            return isinstance(item, Line)

        def decoder(self) -> FormerDecoder:
            return FormerDecoder()

    registry = Registry()
    with pytest.warns(DeprecationWarning, match="recognises is now recognizes") as caught:
        registry.register(Former())  # type: ignore[arg-type]
    assert len(caught) == 1
    found = registry.find(Line("a"))
    assert found is not None
    assert registry.find(5) is None
    decoder = found.decoder()
    assert [event.text for event in decoder.decode(Line("a"))] == ["a"]
    assert (decoder.has_pending, decoder.is_complete(), decoder.metadata().model) == (True, True, "former")


def test_an_adapter_that_is_none() -> None:
    with pytest.raises(PolicyError, match="recognizes"):
        Registry().register(SimpleNamespace(name="x"))  # type: ignore[arg-type]


def test_checkpoints_and_tokens() -> None:
    seen: list[tuple[int, str]] = []
    with l0.run_sync(
        lambda: list("abcdefg"),
        check_intervals=CheckIntervals(checkpoint=3),
        on_checkpoint=lambda checkpoint: seen.append((checkpoint.tokens, checkpoint.text)),
    ) as stream:
        for event in stream:
            if event.text == "e":
                assert (stream.state.checkpoint, stream.state.content) == ("abc", "abcde")
    assert seen == [(3, "abc"), (6, "abcdef")]
    assert (stream.state.checkpoint, stream.state.tokens) == ("abcdefg", 7)
    stream.state.checkpoint = ""
    assert (stream.state.checkpoint, stream.state.content) == ("", "abcdefg")


def test_end_of_a_sync_source_after_its_deadline_is_an_end() -> None:
    started: list[Any] = []

    def source() -> Iterator[str]:
        yield "whole"
        while not started[0]._body._read_deadline.fired:
            pass

    with l0.run_sync(source, timeout=Timeout(inter_token=timedelta(milliseconds=20))) as stream:
        started.append(stream)
        assert stream.read() == "whole"


def test_a_plain_iterator_that_was_too_slow_is_found_out() -> None:
    class Slow:
        """As slow as the watchdog needs to fire; the test itself waits for that and no longer."""

        def __init__(self) -> None:
            self.stream: Any = None
            self.items = iter(["a", "b", "c"])

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            item = next(self.items)
            if item == "b":
                while not self.stream._body._read_deadline.fired:
                    pass
            return item

    source = Slow()
    with l0.run_sync(lambda: source, timeout=Timeout(inter_token=timedelta(milliseconds=20))) as stream:
        source.stream = stream
        with pytest.raises(TimeoutError, match="stalled"):
            list(stream)
    assert stream.state.content == "a"


def test_trio() -> None:
    async def words() -> AsyncIterator[str]:
        yield "a"
        await trio.sleep(0)
        yield "b"

    async def main() -> str:
        async with l0.wrap(words, timeout=Timeout()) as stream:
            return await stream.read()

    assert trio.run(main) == "ab"


def test_an_answer_of_nothing_is_no_success() -> None:
    source = Source([])
    with pytest.raises(Exception, match="empty"):
        l0.run_sync(source.plain, retry=QUICK).read()
    assert source.made == 4  # three retries after a failure of the model

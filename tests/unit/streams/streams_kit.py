"""Sources that do as a test says, and one way to run a call on both drivers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from l0 import Event, EventType, Retry, l0
from l0.streams.callbacks import NAMES
from l0.streams.stream_events import ToolCall
from l0.types import ResponseMetadata

QUICK = Retry(base_delay=0.0, max_delay=0.0)
CALL = Event(EventType.TOOL_CALL, "", ToolCall(id="1", name="look", arguments={"up": 1}, raw='{"up": 1}'))

Script = list[Any]
"""Items of one attempt; an exception among them is raised."""


class Source:
    """Each call plays the next script; the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts
        self.made = 0
        self.closed = 0
        self.failed = 0

    def next(self) -> Script:
        self.made += 1
        script = self.scripts[min(self.made, len(self.scripts)) - 1]
        if script and isinstance(script[0], OpeningError):
            self.failed += 1
            raise script[0].error
        return script

    def plain(self) -> Iterator[Any]:
        return self._plain(self.next())

    def _plain(self, script: Script) -> Iterator[Any]:
        try:
            for item in script:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed += 1

    def aplain(self) -> AsyncIterator[Any]:
        return self._aplain(self.next())

    async def _aplain(self, script: Script) -> AsyncIterator[Any]:
        try:
            for item in script:
                if isinstance(item, BaseException):
                    raise item
                if item is asyncio:
                    await asyncio.sleep(3600)
                yield item
        finally:
            self.closed += 1


class OpeningError(Exception):
    """At the head of a script: the source cannot be opened."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class Log:
    """All callbacks, in the order in which they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def callbacks(self, make: Callable[[str], Any] | None = None) -> dict[str, Any]:
        return {name: (make or self.one)(name) for name in NAMES}

    def one(self, name: str) -> Callable[[Any], None]:
        return lambda value: self.told.append((name, value))

    def aone(self, name: str) -> Callable[[Any], Any]:
        async def tell(value: Any) -> None:
            await asyncio.sleep(0)
            self.told.append((name, value))

        return tell

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


Use = Callable[[Any, list[Any]], Any]
"""An action of the consumer, called after each event."""


def run_sync(sources: list[Source], use: Use, **options: Any) -> tuple[list[Any], BaseException | None, Any]:
    events: list[Any] = []
    stream = None
    try:
        with l0.run_sync(sources[0].plain, fallbacks=[one.plain for one in sources[1:]], **options) as stream:
            for event in stream:
                events.append(event)
                if use(stream, events):
                    break
    except Exception as error:
        return events, error, stream
    return events, None, stream


def run_async(sources: list[Source], use: Use, **options: Any) -> tuple[list[Any], BaseException | None, Any]:
    async def main() -> tuple[list[Any], BaseException | None, Any]:
        events: list[Any] = []
        stream = None
        try:
            fallbacks = [one.aplain for one in sources[1:]]
            async with await l0(sources[0].aplain, fallbacks=fallbacks, **options) as stream:
                async for event in stream:
                    events.append(event)
                    if use(stream, events):
                        break
        except Exception as error:
            return events, error, stream
        return events, None, stream

    return asyncio.run(main())


DRIVERS = {"sync": run_sync, "async": run_async}


class SeveralTexts:
    """An adapter for items with several pieces of text each: ``{"texts": [...]}``."""

    name = "several texts"

    def recognizes(self, item: object) -> bool:
        return isinstance(item, dict) and "texts" in item

    def decoder(self) -> Any:
        return self

    def decode(self, item: Any) -> list[Event]:
        return [Event(EventType.TOKEN, text) for text in item["texts"]]

    def is_complete(self) -> bool:
        return True

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata()

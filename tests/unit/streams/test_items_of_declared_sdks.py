"""The explicit API reads the objects of every SDK that the class of a provider declares, patched or not."""

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from streams_kit import QUICK

from l0 import EventType, Retry, l0
from l0.stainless import discovery
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0.stainless.sdk_instrumentor import PATCHING
from l0.streams.stream_events import UnknownStreamError

pytestmark = pytest.mark.usefixtures("declared")


class Chunk(SimpleNamespace):
    """An object of an SDK whose import name has several parts, like that of cerebras."""

    __module__ = "own.cloud.sdk.types.stream_chunk"


class Neighbour(SimpleNamespace):
    """An object of another package in the same namespace."""

    __module__ = "own.cloud.sdk_tools.types"


class OwnInstrumentor(OpenAiApiInstrumentor):
    sdk_name = "own.cloud.sdk"
    distribution = "own-sdk"
    supported_versions = ">= 1"
    provider_name = "own"
    paths = ("/v1/chat/completions",)


@pytest.fixture(params=["installed", "patched"])
def declared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declare the SDK by an entry point, or by a class that a program has used."""
    places = {}
    if request.param == "installed":
        module = ModuleType("l0_own")
        vars(module)["OwnInstrumentor"] = OwnInstrumentor
        monkeypatch.setitem(sys.modules, "l0_own", module)
        places = {"l0_own": "l0_own:OwnInstrumentor"}
    else:
        monkeypatch.setitem(PATCHING, OwnInstrumentor.sdk_name, OwnInstrumentor())
    monkeypatch.setattr(discovery, "providers", lambda: places)


def chunk(text: str | None = None, reason: str | None = None, *, kind: type = Chunk, **fields: Any) -> Any:
    choice = SimpleNamespace(index=0, delta=SimpleNamespace(content=text), finish_reason=reason)
    return kind(model="m", choices=[choice], usage=None, **fields)


def test_stream_is_read() -> None:
    with l0.run_sync(lambda: iter([chunk("a"), chunk("b"), chunk(reason="stop")])) as stream:
        assert [event.text for event in stream if event.type is EventType.TOKEN] == ["a", "b"]
    assert stream.state.metadata.finish_reasons == ("stop",)


def test_stream_without_its_end_is_an_error() -> None:
    with pytest.raises(ConnectionError, match="truncated"):
        l0.run_sync(lambda: iter([chunk("a"), chunk("b")]), retry=QUICK).read()


def test_complete_answer_is_read() -> None:
    message = SimpleNamespace(role="assistant", content="whole")
    answer = Chunk(model="m", choices=[SimpleNamespace(index=0, message=message, finish_reason="stop")], usage=None)
    assert l0.run_sync(lambda: answer).read() == "whole"


class Port(BaseModel):
    ferries: int


def test_structured_output_is_checked() -> None:
    texts = iter(['{"ferries": "many"}', '{"ferries": 2}'])
    asked = []

    def source() -> Iterator[Any]:
        asked.append(1)
        return iter([chunk(next(texts)), chunk(reason="stop")])

    result = asyncio.run(l0.structured(Port, stream=source, retry=QUICK))
    assert result.value == Port(ferries=2)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "item",
    [
        chunk("a", kind=Neighbour),
        Chunk(type="response.output_text.delta", delta="a"),  # an API that the class does not declare
        Chunk(text="a"),
    ],
)
def test_other_objects_are_not_read(item: Any) -> None:
    with pytest.raises(UnknownStreamError, match="which no adapter recognizes"):
        l0.run_sync(lambda: iter([item]), retry=Retry(max_retries=0)).read()


def test_responses_are_read_if_the_class_declares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnInstrumentor, "paths", ("/v1/responses",))
    done = SimpleNamespace(status="completed", output=[], usage=None, model="m", id="1", error=None)
    items = [
        Chunk(type="response.output_text.delta", delta="a", output_index=0, content_index=0, item_id="1"),
        Chunk(type="response.completed", response=done),
    ]
    assert l0.run_sync(lambda: iter(items)).read() == "a"
    with pytest.raises(UnknownStreamError):
        l0.run_sync(lambda: iter([chunk("a")])).read()

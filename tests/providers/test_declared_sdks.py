"""Each declared SDK keeps its own objects and errors, and its calls are repeated and reported like those of openai."""

from typing import Any

import pytest
from faults_kit import body_of, difference, sync_and_async
from tried_sdks import ProviderStage

import l0
from l0.simulator.faults import Fault

QUICK = l0.Retry(base_delay=0.0, max_delay=0.0)
DIALECTS = ("chat", "completions")
dialects = pytest.mark.parametrize("dialect", DIALECTS)


def _skip_without(stage: ProviderStage, dialect: str) -> None:
    if dialect not in stage.tried.dialects:
        pytest.skip(f"{stage.tried} has no {dialect}: there is nothing to test")


@sync_and_async
@dialects
def test_objects_are_those_of_the_sdk(stage: ProviderStage, dialect: str, sync: bool) -> None:
    _skip_without(stage, dialect)
    bare = stage.call(body_of(dialect), sync=sync)
    stage.on()
    seen = stage.call(body_of(dialect), sync=sync)
    l0.uninstrument()
    assert bare.chunks
    assert (bare.error, seen.error) == (None, None)
    assert difference(seen.chunks, bare.chunks) is None
    assert seen.span is not None
    assert seen.span["gen_ai.provider.name"] == stage.tried.instrumentor.provider_name


@sync_and_async
@dialects
def test_failure_before_content_is_retried(stage: ProviderStage, dialect: str, sync: bool) -> None:
    _skip_without(stage, dialect)
    whole = stage.call(body_of(dialect), sync=sync)
    stage.on()
    seen = stage.call(body_of(dialect), Fault.reset(at_event=0), sync=sync)
    l0.uninstrument()
    assert seen.error is None
    assert (seen.requests, seen.spans) == (2, 1)
    assert difference(seen.chunks, whole.chunks) is None


@sync_and_async
@dialects
def test_stream_cut_after_content_is_an_error_of_the_sdk(stage: ProviderStage, dialect: str, sync: bool) -> None:
    _skip_without(stage, dialect)
    stage.on()
    stage.call(body_of(dialect), sync=sync)  # this origin ends its streams
    seen = stage.call(body_of(dialect), Fault.clean_end(at_event=8), sync=sync)
    l0.uninstrument()
    assert isinstance(seen.error, l0.StreamInterrupted)
    assert isinstance(seen.error, stage.tried.package.APIConnectionError)
    assert seen.chunks


@sync_and_async
@pytest.mark.parametrize("patched", [True, False], ids=["patched", "bare"])
def test_explicit_api_reads_streams_and_complete_answers(stage: ProviderStage, sync: bool, patched: bool) -> None:
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    client = stage.tried.make_client(stage.sim.origin)
    aclient = stage.tried.make_client(stage.sim.origin, sync=False)

    async def read_async(**options: Any) -> str:
        result = await l0.run(lambda: aclient.chat.completions.create(**asked, **options), retry=QUICK)
        return await result.read()

    def read(**options: Any) -> str:
        if not sync:
            return stage.loop.run_until_complete(read_async(**options))
        return l0.run_sync(lambda: client.chat.completions.create(**asked, **options), retry=QUICK).read()

    if patched:
        stage.on()
    stage.sim.reset()
    stage.sim.script("clean-end at_event=0")
    with client:
        text = read(stream=True)
        assert text
        assert len(stage.sim.requests) == 2
        assert read() == text
    stage.loop.run_until_complete(aclient.close())


def test_client_is_wrapped(stage: ProviderStage) -> None:
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    stage.sim.reset()
    stage.sim.script("status 503")
    with stage.tried.make_client(stage.sim.origin, max_retries=0) as client:
        assert list(l0.wrap(client, retry=QUICK).chat.completions.create(**asked))
    paths = [request.path for request in stage.sim.requests if request.method == "POST"]  # one SDK warms connections
    assert len(paths) == 2
    l0.uninstrument()

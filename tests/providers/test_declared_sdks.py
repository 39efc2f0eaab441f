"""Each declared SDK keeps its own objects and errors, and its calls are repeated and reported like those of openai."""

import pytest
from faults_kit import body_of, difference, sync_and_async
from tried_sdks import ProviderStage

import l0
from l0.simulator.faults import Fault

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

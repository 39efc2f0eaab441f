"""The call of an SDK that Stainless did not generate has what the user has set."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest

import l0
from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.ports import CallAdapter
from l0.stainless import usable_fallbacks
from l0.wrapped_sdks.wrapped_call import CallRequest, begin_call

DEFAULT = l0.Policy()


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    l0.uninstrument()


def request(base_url: str, policy: l0.Policy = DEFAULT) -> CallRequest:
    inference = InferenceRequest(
        dialect="generate_content",
        operation="generate_content",
        provider="gcp.gemini",
        model="gemini",
        retry_safety=RetrySafety.SAFE,
        body={},
        attributes={},
        certain=False,
    )
    return CallRequest(
        sdk="google.genai", policy=policy, inference=inference, base_url=base_url,
        streaming=True, max_retries=0, default_retries=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "provider"),
    [
        ({}, "gcp.gemini"),
        ({"llm.example": "mine"}, "mine"),
        ({"llm.example:8080": "mine"}, "mine"),
        ({"a": "b"}, "gcp.gemini"),
    ],
)
def test_provider_has_the_name_that_the_user_gives_its_host(names: dict[str, str], provider: str) -> None:
    l0.instrument(provider_names=names)
    adapter = Mock(spec=CallAdapter)
    runtime = begin_call(request("http://llm.example:8080/v1"), lambda _: adapter)
    assert runtime.call.provider == provider


def test_fallback_to_another_client_is_skipped_with_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy for all calls may have a fallback for another SDK, and must not fail the healthy calls of this one."""
    monkeypatch.setattr(usable_fallbacks, "_logged", set())
    other = Mock(base_url="http://other.example")
    adapter = Mock(spec=CallAdapter)
    policy = l0.Policy(fallback=[l0.Fallback(client=other), l0.Fallback(model="second")])
    runtimes = [begin_call(request("http://llm.example/v1", policy), lambda _: adapter) for _ in range(2)]
    assert [runtime.call.policy.legs for runtime in runtimes] == [(l0.Fallback(model="second"),)] * 2
    (record,) = caplog.records
    allowed = "None, because a fallback of google.genai is a model"
    assert record.getMessage() == f"Fallback.client: got <Mock>, allowed: {allowed}; other calls skip this fallback"

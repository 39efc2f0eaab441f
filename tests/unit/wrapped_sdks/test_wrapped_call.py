"""The call of an SDK that Stainless did not generate has what the user has set."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest

import l0
from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.ports import CallAdapter
from l0.wrapped_sdks.wrapped_call import CallRequest, begin_call


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    l0.uninstrument()


def request(base_url: str) -> CallRequest:
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
        sdk="google.genai", policy=l0.Policy(), inference=inference, base_url=base_url,
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

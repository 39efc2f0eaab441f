"""A provider package for an API of OpenAI's kind needs its paths and its name, and nothing else."""

from typing import Any, ClassVar

import openai
import pytest
from installed import httpx
from openai._models import FinalRequestOptions

from l0.stainless.openai_provider import OpenAiApiProvider
from l0.stainless.openai_requests import Operations
from l0.stainless.sdk import Sdk


class CompatibleProvider(OpenAiApiProvider):
    """As a third party declares it."""

    provider_name = "groq"
    operations: ClassVar[Operations] = {"/openai/v1/chat/completions": ("chat", "chat")}


@pytest.mark.parametrize(
    ("method", "url", "described"),
    [
        ("post", "/openai/v1/chat/completions", True),
        ("get", "/openai/v1/chat/completions", False),
        ("post", "/chat/completions", False),
        ("post", "/openai/v1/files", False),
    ],
)
def test_only_declared_paths_are_described(method: str, url: str, described: bool) -> None:
    client: Any = None
    options = FinalRequestOptions.construct(method=method, url=url, json_data={"model": "m", "n": 2})
    inference = CompatibleProvider(Sdk("openai")).describe(client, options, stream=True)
    assert (inference is not None) is described
    if inference is not None:
        found = (inference.provider, inference.dialect, inference.model, inference.choices, inference.certain)
        assert found == ("groq", "chat", "m", 2, False)


def test_error_inside_a_stream_is_of_the_class_of_the_sdk() -> None:
    request = httpx.Request("POST", "http://origin.invalid/")
    error = CompatibleProvider(Sdk("openai"))._error(request, "m", {"code": "c"})
    assert isinstance(error, openai.APIError)

"""A declared provider needs its paths and its name, and nothing else."""

from types import SimpleNamespace
from typing import Any

import openai
import pytest
from installed import httpx
from openai._models import FinalRequestOptions

from l0.stainless.openai_provider import DeclaredProvider
from l0.stainless.sdk import Sdk

PATHS = ("/openai/v1/chat/completions", "/v1/completions", "https://host.invalid/v1/responses")


def _provider(host: str | None = None, paths: tuple[str, ...] = PATHS) -> DeclaredProvider:
    return DeclaredProvider(Sdk("openai"), "groq", paths, host)


def _client(url: str) -> Any:
    return SimpleNamespace(base_url=httpx.URL(url))


def _options(url: str, method: str = "post") -> Any:
    return FinalRequestOptions.construct(method=method, url=url, json_data={"model": "m", "n": 2})


@pytest.mark.parametrize(
    ("method", "url", "dialect"),
    [
        ("post", "/openai/v1/chat/completions", "chat"),
        ("post", "/v1/completions", "completions"),
        ("post", "https://host.invalid/v1/responses", "responses"),
        ("get", "/openai/v1/chat/completions", None),
        ("post", "/chat/completions", None),
        ("post", "/openai/v1/files", None),
    ],
)
def test_only_declared_paths_are_described(method: str, url: str, dialect: str | None) -> None:
    inference = _provider().describe(_client("http://origin.invalid"), _options(url, method), stream=True)
    assert (inference and inference.dialect) == dialect
    if inference is not None:
        assert (inference.provider, inference.model, inference.choices) == ("groq", "m", 2)


@pytest.mark.parametrize(("url", "certain"), [("https://api.groq.com", True), ("http://127.0.0.1:1", False)])
def test_only_the_own_host_certainly_ends_its_streams(url: str, certain: bool) -> None:
    inference = _provider("api.groq.com").describe(_client(url), _options(PATHS[0]), stream=True)
    assert inference is not None
    assert inference.certain is certain


def test_path_of_no_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="/v1/rerank: a path ends with /chat/completions"):
        _provider(paths=("/v1/rerank",))


@pytest.mark.parametrize("status_errors", [False, True])
def test_error_inside_a_stream_is_of_the_class_of_the_sdk(status_errors: bool) -> None:
    request = httpx.Request("POST", "http://origin.invalid/")
    client = openai.OpenAI(api_key="k")
    loop = SimpleNamespace(status_errors=status_errors)
    response = httpx.Response(200, request=request)
    reading: Any = SimpleNamespace(loop=loop, client=client, request=request, response=response)
    error = _provider()._error(reading, "m", {"code": "c"})
    client.close()
    assert type(error) is (openai.APIStatusError if status_errors else openai.APIError)

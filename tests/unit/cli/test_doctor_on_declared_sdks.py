"""`l0 doctor` on an SDK that a third party declares: how its client is constructed, and whether l0 sees its calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import openai
import pytest

from l0.cli.main import main
from l0.stainless import discovery
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor

CONSTRUCTED_WITH_API_KEY = (
    "  ! could not construct KeyedClient(api_key=..., base_url=...): "
    "TypeError: KeyedClient.__init__() got an unexpected keyword argument 'api_key'. "
    "Declare the arguments that it needs as client_options of DeclaredInstrumentor"
)
UNSEEN = (
    "  ! one streamed answer, chat: whole, but l0 does not see the call: "
    "/chat/completions is not one of the paths of DeclaredInstrumentor"
)

WHOLE_URL = "https://inference.example.com/v1/chat/completions"
UNSEEN_WITHOUT_BASE_URL = (
    "  ! chat without a base_url: l0 does not see the call: "
    f"{WHOLE_URL} is not one of the paths of DeclaredInstrumentor"
)


class KeyedClient(openai.OpenAI):
    """A client whose key has another name than in most SDKs."""

    def __init__(self, *, model_access_key: str, base_url: str) -> None:
        super().__init__(api_key=model_access_key, base_url=base_url)


class WholeUrlClient(openai.OpenAI):
    """A client that requests whole URLs unless its base URL is changed."""

    def __init__(self, *, api_key: str, base_url: str | None = None) -> None:
        super().__init__(api_key=api_key, base_url=base_url)
        self._prefix = "" if base_url else WHOLE_URL.removesuffix("/chat/completions")

    def post(self, path: str, **options: Any) -> Any:
        return super().post(f"{self._prefix}{path}", **options)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return the lines of the report on openai's SDK, declared as a third party does, with these class variables."""

    def lines(**declared: Any) -> list[str]:
        variables = {"sdk_name": "openai", "supported": ">= 1", "provider_name": "own", **declared}
        module = ModuleType("l0_declared")
        vars(module)["DeclaredInstrumentor"] = type("DeclaredInstrumentor", (OpenAiApiInstrumentor,), variables)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(discovery, "providers", lambda: {module.__name__: "l0_declared:DeclaredInstrumentor"})
        code = main(["doctor"])
        found = capsys.readouterr().out.splitlines()
        assert code == any(line.startswith("  !") for line in found)
        return found

    return lines


def test_calls_that_l0_sees_are_no_problem(report: Callable[..., list[str]]) -> None:
    lines = report(paths=("/chat/completions", "/completions", "/embeddings"))
    assert "    one streamed answer, chat: whole" in lines
    assert "    one streamed answer, completions: whole" in lines
    assert not any(line.startswith("  !") for line in lines)


def test_call_to_a_path_that_is_not_declared_is_a_problem(report: Callable[..., list[str]]) -> None:
    lines = report(paths=("/v1/chat/completions", "/completions"))
    assert UNSEEN in lines
    assert "    one streamed answer, completions: whole" in lines


def test_client_that_cannot_be_constructed_is_a_problem_and_the_report_goes_on(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", KeyedClient)
    lines = report(paths=("/chat/completions",))
    assert CONSTRUCTED_WITH_API_KEY in lines
    assert any(line.startswith("    compiled constructors: ") for line in lines)


def test_client_is_constructed_with_the_declared_options(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", KeyedClient)
    lines = report(paths=("/chat/completions",), client_options={"model_access_key": "any"})
    assert "    one streamed answer, chat: whole" in lines


def test_whole_url_that_is_not_declared_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", WholeUrlClient)
    lines = report(paths=("/chat/completions",))
    assert "    one streamed answer, chat: whole" in lines
    assert UNSEEN_WITHOUT_BASE_URL in lines


def test_whole_url_that_is_declared_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", WholeUrlClient)
    lines = report(paths=("/chat/completions", WHOLE_URL))
    assert not any(line.startswith("  !") for line in lines)

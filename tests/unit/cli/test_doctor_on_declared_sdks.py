"""`l0 doctor` on an SDK that a third party declares: how its client is constructed, and whether l0 sees its calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Annotated, Any, Literal

import openai
import pytest
from openai.types import Completion
from pydantic import AfterValidator, create_model

from l0.cli.main import main
from l0.fastpath.constructors.compiled_constructors import CompilationReport
from l0.stainless import discovery
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor

CONSTRUCTED_WITH_API_KEY = (
    "  ! could not construct KeyedClient(api_key=..., base_url=...): "
    "TypeError: KeyedClient.__init__() got an unexpected keyword argument 'api_key'. "
    "Declare the arguments that it needs as client_options of DeclaredInstrumentor"
)
UNSEEN_EMBEDDINGS = (
    "  ! one answer, embeddings: whole, but l0 does not see the call: "
    "/embeddings is not one of the paths of DeclaredInstrumentor"
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
    """Return the lines of the report on openai's SDK, declared as a third party does, with these class variables.

    ``more``: other entry points.
    """

    def lines(more: Mapping[str, str] = MappingProxyType({}), **declared: Any) -> list[str]:
        variables = {"sdk_name": "openai", "supported_versions": ">= 1", "provider_name": "own", **declared}
        module = ModuleType("l0_declared")
        vars(module)["DeclaredInstrumentor"] = type("DeclaredInstrumentor", (OpenAiApiInstrumentor,), variables)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        places = {module.__name__: "l0_declared:DeclaredInstrumentor", **more}
        monkeypatch.setattr(discovery, "providers", lambda: places)
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


def test_embeddings_are_checked_if_the_class_declares_them(report: Callable[..., list[str]]) -> None:
    assert "    one answer, embeddings: whole" in report(paths=("/chat/completions", "/embeddings"))
    assert UNSEEN_EMBEDDINGS in report(paths=("/chat/completions", "/v1/embeddings"))
    assert not any("embeddings" in line for line in report(paths=("/chat/completions",)))


def test_host_that_is_not_declared_is_mentioned_and_no_problem(report: Callable[..., list[str]]) -> None:
    lines = report(paths=("/chat/completions",))
    (line,) = (line for line in lines if "declares no terminal_event_host" in line)
    assert line.startswith("    DeclaredInstrumentor declares no terminal_event_host: a truncated stream")
    lines = report(paths=("/chat/completions",), terminal_event_host="api.example.com")
    assert not any("declares no" in line for line in lines)


def test_distribution_that_is_not_declared_is_a_problem(report: Callable[..., list[str]]) -> None:
    lines = report(paths=("/chat/completions",), distribution="open-ai")
    problem = (
        "  ! the package openai is of the distribution openai, not of open-ai: "
        "declare the right name as distribution of DeclaredInstrumentor"
    )
    assert problem in lines
    assert not any("a copy without metadata" in line for line in lines)


def test_class_with_an_attribute_that_is_not_allowed_is_a_problem(report: Callable[..., list[str]]) -> None:
    lines = report(paths="/chat/completions")
    (problem,) = (line for line in lines if "entry point" in line)
    assert problem.startswith("  ! l0 ignores the entry point l0_declared: PolicyError: ")
    assert "DeclaredInstrumentor.paths: got '/chat/completions', allowed: a tuple of paths" in problem
    assert "Policy" in lines


def test_package_that_fails_at_import_is_a_problem_and_the_report_goes_on(report: Callable[..., list[str]]) -> None:
    lines = report({"l0_broken": "l0_no_such_module:Broken"}, paths=("/chat/completions",))
    problem = lines[lines.index("Provider packages") + 1]
    assert problem.startswith("  ! l0 ignores the entry point l0_broken: ModuleNotFoundError: No module named")
    assert "    one streamed answer, chat: whole" in lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_entry_point_with_another_name_is_a_problem(report: Callable[..., list[str]], folder: Path) -> None:
    for module, source in (
        ("declared_package", "from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor\n"),
        ("other_package", "import l0\n"),
    ):
        (folder / f"{module}.py").write_text(source, "utf-8")
        metadata = folder / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {module}\nVersion: 1.0\n", "utf-8")
        point = f"[opentelemetry_instrumentor]\n{module}_point = {module}:Instrumentor\n"
        (metadata / "entry_points.txt").write_text(point, "utf-8")
    lines = report(paths=("/chat/completions",))
    ignored = "the entry point declared_package_point of declared_package 1.0"
    assert f"  ! l0 ignores {ignored}: its name does not begin with l0_" in lines
    assert not any("other_package_point" in line for line in lines)
    assert "declared_package" not in sys.modules


class WithoutCompletions(openai.OpenAI):
    """A client with the completions API at another place."""

    @property
    def completions(self) -> Any:
        raise AttributeError("'WithoutCompletions' object has no attribute 'completions'")


class WithNestedCompletions(WithoutCompletions):
    """A client whose path ``/fim/completions`` has a method of the same name."""

    def __getattr__(self, name: str) -> Any:
        post = self.post
        if name != "fim":
            raise AttributeError(name)

        def create(*, prompt: str, model: str, **options: Any) -> Any:
            body, headers = {"model": model, "prompt": prompt, "stream": True}, options["extra_headers"]
            return post(
                "/fim/completions",
                body=body,
                options={"headers": headers},
                cast_to=Completion,
                stream=True,
                stream_cls=openai.Stream[Completion],
            )

        return SimpleNamespace(completions=SimpleNamespace(create=create))


def test_method_is_found_by_the_path(monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]) -> None:
    monkeypatch.setattr(openai, "Client", WithNestedCompletions)
    lines = report(paths=("/chat/completions", "/fim/completions"))
    assert "    one streamed answer, completions: whole" in lines
    assert not any(line.startswith("  !") for line in lines)


def test_path_whose_method_is_not_found_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", WithoutCompletions)
    lines = report(paths=("/chat/completions", "/fim/completions"))
    (line,) = (line for line in lines if "completions: cannot" in line)
    assert line.startswith("    one streamed answer, completions: cannot try /fim/completions: the SDK sent no request")
    assert "AttributeError: 'WithoutCompletions' object has no attribute 'completions' at " in line
    assert not any(line.startswith("  !") for line in lines)


class Validating(openai.OpenAI):
    """A client whose embeddings accept some models only."""

    @property
    def embeddings(self) -> Any:
        def create(**_: Any) -> Any:
            raise ValueError("1 validation error\n  input_value='simulated'")

        return SimpleNamespace(create=create)


def test_model_that_the_sdk_does_not_accept_is_no_problem_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", Validating)
    lines = report(paths=("/chat/completions", "/embeddings"))
    (line,) = (line for line in lines if "embeddings" in line)
    reason = "cannot try /embeddings: the SDK sent no request (ValueError at "
    assert line.startswith(f"    one answer, embeddings: {reason}")
    assert not any("input_value" in line for line in lines)


def _refuse(headers: object) -> object:
    raise ValueError(f"not allowed: {headers}")


EMBEDDING_PARAMETERS = create_model(
    "EmbeddingParameters",
    model=(Literal["embed-1"], ...),
    extra_headers=(Annotated[Any, AfterValidator(_refuse)], None),
)


class Typed(openai.OpenAI):
    """A client that checks its parameters with pydantic."""

    @property
    def embeddings(self) -> Any:
        return SimpleNamespace(create=lambda **options: EMBEDDING_PARAMETERS.model_validate(options))


def test_parameters_that_the_sdk_does_not_accept_are_named_without_their_values(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", Typed)
    lines = report(paths=("/chat/completions", "/embeddings"))
    (line,) = (line for line in lines if "embeddings" in line)
    assert line == (
        "    one answer, embeddings: cannot try /embeddings: the SDK does not accept the report's arguments "
        "(model: Input should be 'embed-1'; extra_headers: value_error)"
    )


@pytest.mark.parametrize("second", ["/v9/nonsense/chat/completions", "https://api.example.com/v1/chat/completions"])
def test_second_path_of_an_api_is_mentioned_and_no_problem(report: Callable[..., list[str]], second: str) -> None:
    lines = report(paths=("/chat/completions", second))
    assert "    one streamed answer, chat: whole" in lines
    assert f"    chat: cannot try {second}: the SDK requested /chat/completions" in lines
    assert not any(line.startswith("  !") for line in lines)


def test_path_without_its_first_slash_is_the_one_that_was_requested(report: Callable[..., list[str]]) -> None:
    assert not any("cannot try" in line for line in report(paths=("chat/completions", "/completions")))


class Unstreamed(openai.OpenAI):
    """A client that sends ``stream`` to the server and reads one object."""

    def post(self, path: str, **options: Any) -> Any:
        return super().post(path, **{**options, "stream": False, "stream_cls": None})


def test_sdk_that_does_not_read_a_stream_is_no_problem_and_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openai, "Client", Unstreamed)
    lines = report(paths=("/chat/completions",))
    reason = "cannot try a stream: the SDK reads the answer as one object, even with stream=True"
    assert f"    one streamed answer, chat: {reason}" in lines
    assert not caplog.records


def test_objects_of_another_format_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr("l0.cli.demo.load.content_of", lambda _, event: event.delta.text)
    lines = report(paths=("/chat/completions",))
    (line,) = (line for line in lines if ", chat: " in line)
    assert line == (
        "  ! one streamed answer, chat: not OpenAI's format: the SDK's ChatCompletionChunk has other fields. "
        "Leave out /chat/completions"
    )


def test_options_are_not_judged_if_no_call_was_made(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(openai, "Client", KeyedClient)
    lines = report(paths=("/chat/completions",))
    assert "    options of requests: not checked, because no call was made" in lines


def test_wrong_import_name_of_an_installed_distribution_is_a_problem(report: Callable[..., list[str]]) -> None:
    lines = report(sdk_name="open_ai", distribution="openai", paths=("/chat/completions",))
    assert (
        f"  ! openai {openai.__version__} is installed, but it has no module open_ai: "
        "sdk_name of DeclaredInstrumentor is the name by which programs import it, such as openai"
    ) in lines
    assert not any("pip install openai" in line for line in lines)


def test_sdk_that_stainless_did_not_generate_is_a_problem(report: Callable[..., list[str]]) -> None:
    lines = report(sdk_name="anyio", paths=("/chat/completions",))
    (line,) = (line for line in lines if "anyio._base_client" in line)
    assert line.startswith("  ! anyio ")
    assert line.endswith("it has no module anyio._base_client, so Stainless did not generate it)")


def test_objects_that_the_sdk_builds_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    found = CompilationReport(
        shapes=0,
        classes=0,
        switched_off={},
        unsupported={"Union": "of other types"},
        values_left_to_sdk=0,
        objects_left_to_sdk=0,
    )
    monkeypatch.setattr("l0.fastpath.constructors.compiled_constructors.Constructors.report", lambda _: found)
    lines = report(paths=("/chat/completions",))
    assert "    compiled constructors: none; left to the SDK: 0 objects, 0 parts" in lines
    assert "    built by the SDK's own code, which is correct but slower: Union: of other types" in lines

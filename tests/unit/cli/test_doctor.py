"""`l0 doctor`: what it finds, and what it calls a problem."""

import logging
from importlib.util import find_spec

import anthropic
import openai
import pytest

from l0.cli import doctor
from l0.cli.demo import load
from l0.cli.main import main
from l0.fastpath.parameters import UNKNOWN, Parameters
from l0.stainless.sdk import Sdk


def test_a_healthy_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    assert f"openai {openai.__version__}: patched; l0's own loop" in report
    assert f"anthropic {anthropic.__version__}: patched; l0's own loop" in report
    for api in ("chat", "responses", "completions", "messages"):
        assert f"one streamed answer, {api}: whole" in report
    assert "compiled constructors:" in report
    assert "parameters of requests: transformed by compiled functions" in report
    assert "opentelemetry-api" in report
    assert report.endswith("No problems found.\n")


def test_the_sdks_are_restored(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert not hasattr(openai.OpenAI.request, "__wrapped__")


def test_a_version_that_is_not_supported_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from l0_openai import OpenAIInstrumentor

    monkeypatch.setattr(OpenAIInstrumentor, "supported", ">= 99")
    with caplog.at_level(logging.CRITICAL):
        assert main(["doctor"]) == 1
    assert f"! openai {openai.__version__}: not patched" in capsys.readouterr().out


def test_an_unknown_loop_is_a_problem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Sdk, "_probe", lambda _: None)
    assert main(["doctor"]) == 1
    assert "through the SDK's own loop" in capsys.readouterr().out


def test_a_type_of_parameters_that_is_switched_off_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def differs(self: Parameters, *_: object) -> object:
        self.switched_off["Asked"] = "a key more"
        return UNKNOWN

    monkeypatch.setattr(Parameters, "_compare", differs)
    assert main(["doctor"]) == 1
    assert "! switched off: Asked: a key more" in capsys.readouterr().out


def test_an_sdk_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name == "anthropic" else real(name))
    assert main(["doctor"]) == 0
    assert "not installed (pip install 'l0-otel[anthropic]')" in capsys.readouterr().out


def test_no_sdk_at_all_is_a_problem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "installed_version", lambda _: None)
    assert main(["doctor"]) == 1
    assert "! no supported SDK is installed" in capsys.readouterr().out


@pytest.mark.parametrize("owners", [[], ["l0-otel", "reliable-ai-streams-py"]])
def test_another_package_of_the_same_name_is_a_problem(monkeypatch: pytest.MonkeyPatch, owners: list[str]) -> None:
    versions = {"reliable-ai-streams-py": "0.15.2", "l0-otel": "0.1.0"}
    monkeypatch.setattr(doctor, "installed", versions.get)
    (finding,) = doctor.namesakes(owners)
    assert finding.problem
    assert "reliable-ai-streams-py 0.15.2 also installs a package 'l0'" in finding.text


def test_an_unknown_distribution_with_a_package_of_that_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", {"elsewhere": "3.0"}.get)
    assert [finding.problem for finding in doctor.namesakes(["elsewhere", "l0-otel"])] == [True]


def test_an_sdk_without_responses_is_not_asked_for_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(name: str) -> object:
        return None if name.endswith(".responses") else find_spec(name)

    monkeypatch.setattr(load, "find_spec", found)
    assert main(["doctor"]) == 0
    assert "one streamed answer, responses" not in capsys.readouterr().out

"""`l0 doctor`: what it finds, and what it calls a problem."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import wraps
from importlib.metadata import metadata
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import anthropic
import openai
import pytest

import l0
from l0.cli import doctor
from l0.cli.demo import load
from l0.cli.main import main
from l0.config import CONFIG
from l0.fastpath import request_options
from l0.fastpath.parameters import UNKNOWN, Parameters
from l0.fastpath.request_inputs import UntraceableError
from l0.fastpath.request_options import RequestOptions
from l0.model import policy
from l0.model.failure import RetryableErrorType
from l0.model.policy_from_environment import EnvironmentSettings
from l0.stainless import direct_proof
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
    assert report.count("options of requests: constructed from known defaults") == 2
    assert "direct reading (on), httpx" in report
    assert ": proven for sync, asyncio" in report
    assert "opentelemetry-api" in report
    assert report.endswith("No problems found.\n")


def test_the_sdks_are_restored(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    assert not hasattr(openai.OpenAI.request, "__wrapped__")


def test_a_version_that_is_not_supported_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from l0_openai import OpenAIInstrumentor

    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 99")
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


def test_options_of_requests_that_differ_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RequestOptions, "_difference", lambda *_: "method: 'post' instead of 'PUT'")
    assert main(["doctor"]) == 1
    text = "options of requests: left to the SDK (method: 'post' instead of 'PUT')"
    assert capsys.readouterr().out.count(f"  ! {text}\n") == 2


def test_options_of_an_unknown_kind_are_left_to_the_sdk_and_no_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    def unknown(_: object) -> bool:
        raise UntraceableError

    monkeypatch.setattr(request_options, "_is_copied", unknown)
    assert "    options of requests: left to the SDK (UntraceableError)" in report("openai, supported >= 1.60, < 4")


def test_options_that_another_library_constructs_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    kind = openai._models.FinalRequestOptions
    own = kind.construct
    monkeypatch.setattr(kind, "construct", classmethod(lambda _, **values: own(**values)))
    lines = report("openai, supported >= 1.60, < 4")
    assert "    options of requests: left to the SDK (another function replaces the SDK's)" in lines


def test_a_transport_that_is_not_read_directly_is_reported_with_the_reason_and_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(direct_proof, "read_body", lambda connection: iter([b"abc"]))
    monkeypatch.setitem(direct_proof._KINDS, "asyncio", ("Unknown", *direct_proof._KINDS["asyncio"][1:]))
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    difference = "chunks: content b'abc' instead of b'abcdefg'"
    assert f"    sync streams are read through the transport: {difference}\n" in report
    assert re.search(r"\n    asyncio streams are read through the transport: httpx2? and httpcore2? have other", report)
    assert report.endswith("No problems found.\n")


def test_an_sdk_that_is_missing_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name == "anthropic" else real(name))
    assert main(["doctor"]) == 0
    assert "  anthropic: pip install 'l0-otel[anthropic]'\n" in capsys.readouterr().out


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


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return the lines of one section of the report, with the L0_ variables that are given."""

    def lines(section: str, **environment: str) -> list[str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(["doctor"])
        text = capsys.readouterr().out
        found = text.partition(f"{section}\n")[2].splitlines()
        own = list(takewhile(lambda line: line.startswith("  "), found))
        assert code == any(line.startswith("  !") for line in text.splitlines())
        return own

    return lines


def test_policy_of_the_process_without_variables(report: Callable[..., list[str]]) -> None:
    assert report("Policy") == ["    all fields: default"]


def test_policy_names_the_source_of_each_field(report: Callable[..., list[str]]) -> None:
    lines = report("Policy", L0_POLICY="Interactive", L0_RETRY_ATTEMPTS="5", L0_HOLD="message", L0_BUDGET="1")
    assert lines == [
        "    timeout.initial_token = 5000 (preset interactive)",
        "    timeout.inter_token = 10000 (preset interactive)",
        "    timeout.liveness = None (preset interactive)",
        "    timeout.total = None (preset interactive)",
        "    retry.attempts = 5 (variable L0_RETRY_ATTEMPTS)",
        "    retry.max_retries = 3 (preset interactive)",
        "    retry.base_delay = 0.5 (preset interactive)",
        "    retry.max_delay = 4.0 (preset interactive)",
        "    retry.network_max_delay = 30.0 (preset interactive)",
        "    retry.strategy = fixed_jitter (preset interactive)",
        f"    retry.retry_on = {', '.join(RetryableErrorType)} (preset interactive)",
        "    retry.should_retry = None (preset interactive)",
        "    retry.error_type_delays = None (preset interactive)",
        "    hold.until = message (variable L0_HOLD)",
        "    budget = True (variable L0_BUDGET)",
        "    all other fields: default",
    ]


def test_each_bad_variable_is_a_problem_and_ends_nothing(report: Callable[..., list[str]]) -> None:
    lines = report("Policy", L0_POLICY="quick", L0_RETRY_ATEMPTS="3", L0_TIMEOUT_TOTAL="60", L0_DIRECT="perhaps")
    assert lines == [
        lines[0],
        "  ! L0_DIRECT: got 'perhaps', allowed: true or false; it is ignored",
        "  ! L0_RETRY_ATEMPTS: got '3', allowed: no such variable; did you mean L0_RETRY_ATTEMPTS?; it is ignored",
        lines[3],
        "    timeout.total = 60.0 (variable L0_TIMEOUT_TOTAL)",
        "    all other fields: default",
    ]
    assert lines[0].startswith("  ! L0_POLICY: got 'quick', allowed: one of interactive, reasoning, batch")
    assert lines[3].startswith(
        "  ! L0_TIMEOUT_TOTAL: Timeout.total=60 means 60 ms. If you mean seconds, write 60000 or"
    )


def test_policy_in_code_is_in_force_and_stays_so(report: Callable[..., list[str]]) -> None:
    l0.instrument(l0.Policy(hedge=True, structured=True))
    try:
        assert report("Policy", L0_POLICY="batch") == [
            "    the policy in code replaces that of the environment: L0_POLICY",
            "    hedge.after = None (code)",
            "    structured = True (code)",
            "    all other fields: default",
        ]
        assert report("Policy", L0_MODE="off", L0_TRUNCATION="strict") == [
            "    the policy in code replaces that of the environment: L0_POLICY, L0_TRUNCATION",
            "    hedge.after = None (code)",
            "    mode = off (variable L0_MODE)",
            "    structured = True (code)",
            "    all other fields: default",
        ]
        assert hasattr(openai.OpenAI.request, "__wrapped__")
    finally:
        l0.uninstrument()


def test_missing_extra_that_the_policy_needs_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(policy, "_importable", lambda _: False)
    lines = report("Policy", L0_STRUCTURED="true")
    assert lines[0] == (
        "  ! L0_STRUCTURED: got 'true', allowed: False, or True after pip install 'l0-otel[structured]'; it is ignored"
    )


def test_extras_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "rich" else real(name))
    texts = [finding.text for finding in doctor._extras()]
    installed = set(texts[0].removeprefix("extras installed: ").split(", "))
    assert installed > {"otlp", "viewer", "structured"}
    assert installed.isdisjoint({"cli", "slo", "all", "test", "lint", "dev", "bench"})
    assert "extra cli is not installed: rich missing" in texts
    assert "extra slo is not installed: rich missing" in texts


def test_extras_that_are_not_reported_exist() -> None:
    assert set(metadata("l0-otel").get_all("Provides-Extra") or ()) > doctor._INNER_EXTRAS


def test_patch_that_another_library_replaces_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    def request(*_: object, **__: object) -> None: ...

    request.__module__ = "elsewhere.patches"
    monkeypatch.setattr(openai.AsyncOpenAI, "request", request, raising=False)
    lines = report("openai, supported >= 1.60, < 4")
    assert "  ! openai.AsyncOpenAI.request is a function of elsewhere.patches: calls through it bypass l0" in lines


def test_wrapper_around_a_patch_is_no_problem(report: Callable[..., list[str]]) -> None:
    l0.instrument()
    try:
        ours = openai.AsyncOpenAI.request

        @wraps(ours)
        def request(*args: object, **kwargs: object) -> object:
            return ours(*args, **kwargs)

        request.__module__ = "elsewhere.patches"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(openai._base_client.AsyncAPIClient, "request", request)
            assert not any("bypass" in line for line in report("openai, supported >= 1.60, < 4"))
    finally:
        l0.uninstrument()


WANTS_GRPC = (
    "opentelemetry-instrument fails, because opentelemetry-distro wants OTLP over gRPC: set "
    "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or pip install opentelemetry-exporter-otlp-proto-grpc"
)


@pytest.mark.parametrize(
    ("environment", "versions", "expected"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"},
            {"opentelemetry-exporter-otlp-proto-http": None},
            ["the environment asks for OTLP export: pip install 'l0-otel[otlp]'"],
        ),
        (
            {},
            {"opentelemetry-distro": "0.66b2"},
            [WANTS_GRPC],
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, {"opentelemetry-distro": "0.66b2"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, {}, []),
    ],
    ids=["no exporter", "distro without gRPC", "distro over HTTP", "complete"],
)
def test_export_that_cannot_work_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], versions: dict[str, str | None], expected: list[str]
) -> None:
    real = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: versions[name] if name in versions else real(name))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [finding.text for finding in doctor._telemetry() if finding.problem] == expected


def test_limits_of_other_libraries_are_listed(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    monkeypatch.setattr(doctor, "library_limits", lambda _: iter([doctor.DoctorFinding("dspy 1.2: no SDK")]))
    assert report("Other libraries") == ["    dspy 1.2: no SDK"]


def test_check_that_fails_is_a_problem(monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]) -> None:
    def fails() -> Iterator[doctor.DoctorFinding]:
        yield doctor.DoctorFinding("before")
        raise KeyError("broken")

    monkeypatch.setattr(doctor, "policy_report", fails)
    before, failed = report("Policy")
    assert before == "    before"
    assert failed.startswith("  ! this check failed: KeyError at ")  # its text may be a secret


def test_sdk_that_cannot_be_imported_is_a_problem_of_its_section(
    monkeypatch: pytest.MonkeyPatch, report: Callable[..., list[str]]
) -> None:
    from l0_openai import OpenAIInstrumentor

    real = doctor.import_module

    def broken(name: str) -> ModuleType:
        if name == "openai":
            raise ModuleNotFoundError("No module named 'httpx'")
        return real(name)

    monkeypatch.setattr(doctor, "import_module", broken)
    (failed,) = report(f"openai, supported {OpenAIInstrumentor.supported_versions}")
    assert failed.startswith("  ! this check failed: ModuleNotFoundError: No module named 'httpx' at ")
    assert report("Policy")


def test_json_has_a_stable_shape(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("L0_RETRY_ATTEMPTS", "5")
    monkeypatch.setenv("L0_RETRY_ATEMPTS", "5")
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["format", "ok", "versions", "policy", "findings"]
    assert (found["format"], found["ok"]) == (1, False)
    assert found["versions"]["openai"] == openai.__version__
    assert {"field": "retry.attempts", "value": "5", "source": "variable L0_RETRY_ATTEMPTS"} in found["policy"]
    assert {"field": "retry.max_retries", "value": "6", "source": "default"} in found["policy"]
    assert {"field": "budget", "value": "False", "source": "default"} in found["policy"]
    (problem,) = [finding for finding in found["findings"] if finding["problem"]]
    assert list(problem) == ["section", "text", "problem"]
    assert problem["section"] == "Policy"


def test_switches_of_the_environment_are_reported(report: Callable[..., list[str]]) -> None:
    assert report("Policy", L0_CONSOLE="1", L0_DIRECT="0", L0_TIMELINE="0") == [
        "    console is on (variable L0_CONSOLE)",
        "    direct is off (variable L0_DIRECT)",
        "    all fields: default",
    ]


def test_the_folder_of_recordings_is_named(report: Callable[..., list[str]], tmp_path: Path) -> None:
    assert report("Policy", L0_LOG="l0.jsonl")[0] == (
        "    failures and recoveries are logged in l0.jsonl (variable L0_LOG)"
    )
    lines = report("Policy", L0_RECORD=str(tmp_path), L0_RECORD_CONTENT="1")
    assert lines[:2] == [
        "    record_content is on (variable L0_RECORD_CONTENT)",
        f"    calls are recorded in {tmp_path} (variable L0_RECORD)",
    ]


def test_redis_of_the_fleet_is_checked(report: Callable[..., list[str]]) -> None:
    pytest.importorskip("redis", reason="redis is not installed: pip install 'l0-otel[redis]'")
    lines = report("Policy", L0_FLEET="redis://:secret@127.0.0.1:1/0")
    assert lines[0] == "  ! fleet: Redis at redis://127.0.0.1:1/0 does not answer (ConnectionError)"


def test_calls_of_the_report_are_not_recorded(report: Callable[..., list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    lines = report("Policy", L0_RECORD=str(folder))
    CONFIG.set_environment(EnvironmentSettings())
    assert f"calls are recorded in {folder}" in lines[0]
    assert list(folder.glob("*")) == []


def test_console_does_not_show_the_calls_of_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CONFIG, "_is_console_on", None)
    CONFIG.set_console(True)
    try:
        doctor.doctor()
        assert CONFIG.console
    finally:
        CONFIG.set_console(None)
    assert capsys.readouterr().err == ""

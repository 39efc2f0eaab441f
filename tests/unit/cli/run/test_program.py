"""The name of a program, the service that telemetry gets from it, and the policy that its environment names."""

import re
import sys
from pathlib import Path

import pytest

from l0.cli.inputs import InputError
from l0.cli.run.program import find_program
from l0.cli.run.run_command import LaunchOptions, run_environment
from l0.model.policy import Policy, Retry
from l0.model.policy_from_environment import read_environment


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (["-m", "shop.worker", "--once"], "shop.worker"),
        ([__file__, "x"], "test_program"),
        ([sys.executable, "-X", "dev", "-m", "shop"], "shop"),
        ([sys.executable, "-u", "folder/app.py"], "app"),
        (["pip", "list"], "pip"),
    ],
)
def test_name_of_a_program(target: list[str], name: str) -> None:
    assert find_program(target).name == name


def test_code_on_the_command_line_has_the_name_of_its_interpreter() -> None:
    assert find_program([sys.executable, "-c", "print()"]).name.startswith("python")


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({}, "shop"),
        ({"OTEL_SERVICE_NAME": ""}, "shop"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=mine"}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b"}, "shop"),
    ],
)
def test_service_is_the_program_unless_another_is_named(environ: dict[str, str], service: str | None) -> None:
    assert run_environment(environ, LaunchOptions(), "shop").get("OTEL_SERVICE_NAME") == service


def test_policy_of_a_file_is_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("import l0\npatient = l0.Policy(retry=l0.Retry(max_retries=4))\n")
    monkeypatch.chdir(tmp_path)
    environment = run_environment({}, LaunchOptions(policy="mine.py:patient"), "shop")
    monkeypatch.chdir("/")
    policy = read_environment(environment).policy
    assert policy is not None
    assert policy.retry == Retry(max_retries=4)


def test_policy_in_code_replaces_the_option_by_its_name() -> None:
    environment = run_environment({}, LaunchOptions(policy="agent"), "shop")
    assert read_environment(environment).replaced_by(Policy()) == "--policy of l0 run"
    inner = {**environment, "L0_POLICY": "interactive"}  # set by a shell that the command started
    assert read_environment(inner).replaced_by(Policy()) == "L0_POLICY"


def test_policy_that_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("patient = 4\n")
    for text, reason in (
        (f"{path}:patient", "patient is a value of type int"),
        (f"{path}:hasty", "hasty is a value of type NoneType"),
        (f"{path}x.py:patient", f"{path}x.py is not a file"),
        ("patient", "FILE.py:NAME"),
    ):
        with pytest.raises(InputError, match=re.escape(reason)):
            run_environment({}, LaunchOptions(policy=text), "shop")

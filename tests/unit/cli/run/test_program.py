"""The name of a program, and the service that telemetry gets from it."""

import sys

import pytest

from l0.cli.run.program import find_program
from l0.cli.run.run_command import LaunchOptions, run_environment


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

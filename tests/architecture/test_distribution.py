"""The interface of an installed copy for tools: types, entry points, extras."""

import runpy
import tomllib
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from l0.stainless import discovery
from l0_compatible import declared_sdks

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [ROOT / package for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
ENVIRONMENT = runpy.run_path(str(ROOT / "scripts" / "environment.py"))
DECLARED = [name for name in vars(declared_sdks) if name.endswith("Instrumentor") and name[:6] != "OpenAi"]
COMPILED = {"ahocorasick-rs", "bpe-openai", "rapidfuzz", "ray", "regex"}


def test_every_import_package_is_in_the_wheel() -> None:
    found = {file.parent for room in ("src", "instrumentation") for file in (ROOT / room).glob("*/__init__.py")}
    assert set(PACKAGES) == found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_ships_its_types(package: Path) -> None:
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_folder_of_modules_is_a_package(package: Path) -> None:
    folders = {file.parent for file in package.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("name", PROJECT["project"]["entry-points"]["opentelemetry_instrumentor"])
def test_instrumentor_has_an_opentelemetry_entry_point(name: str) -> None:
    (found,) = entry_points(group="opentelemetry_instrumentor", name=name)
    assert found.dist is not None
    assert found.dist.name == "l0-otel"
    ranges = [str(Requirement(item)) for item in found.load()().instrumentation_dependencies()]
    declared = PROJECT["project"]["optional-dependencies"]["instruments-any"]
    assert set(ranges) <= {str(Requirement(item)) for item in declared}


def test_entry_points_and_built_in_providers_are_the_same() -> None:
    points = PROJECT["project"]["entry-points"]["opentelemetry_instrumentor"]
    assert points == discovery._BUILT_IN
    declared = {
        f"{declared_sdks.__name__}:{name}"
        for name, kind in vars(declared_sdks).items()
        if isinstance(kind, type) and kind.__module__ == declared_sdks.__name__
    }
    assert declared == {place for place in points.values() if place.startswith(declared_sdks.__name__)}


@pytest.mark.parametrize("name", DECLARED)
def test_declared_sdk_is_tried_with_its_own_package(name: str) -> None:
    tried = (ROOT / "tests" / "providers" / "tried_sdks.py").read_text()
    assert f"instrumentor={name}" in tried, f"add {name} to tests/providers/tried_sdks.py"
    distribution = getattr(declared_sdks, name).distribution
    (targets,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "providers/stainless '" in line]
    assert distribution in targets.split(), f"add {distribution} to `make test-providers`"


def test_command_resolves() -> None:
    (command,) = entry_points(group="console_scripts", name="l0")
    assert callable(command.load())


def test_all_names_every_extra_that_a_user_may_want() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    too_large = {"ray", "bedrock"}  # 200 MB, for backtests on several machines; 30 MB, mostly of other services
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == extras.keys() - {"instruments-any", "all", "test", "lint", "dev", "bench"} - too_large


def test_opentelemetry_checks_either_sdk_and_not_both() -> None:
    assert "instruments-any" in distribution("l0-otel").metadata.get_all("Provides-Extra", [])
    assert "instruments" not in PROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize(("python", "left_out"), [("3.14", set()), ("3.15", COMPILED)])
def test_optional_packages_without_wheels_do_not_stop_an_installation(python: str, left_out: set[str]) -> None:
    items = [Requirement(item) for extra in PROJECT["project"]["optional-dependencies"].values() for item in extra]
    skipped = {item.name for item in items if item.marker and not item.marker.evaluate({"python_version": python})}
    assert skipped - {"gunicorn"} == left_out
    version = tuple(map(int, python.split(".")))
    assert ENVIRONMENT["left_out"](version, (ROOT / "pyproject.toml").read_text()) == sorted(left_out)

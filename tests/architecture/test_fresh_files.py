"""Generated files are what their generator writes, and what names the same versions names the same ones."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "collector-config"
BUILDS = ROOT / "tests" / "backends" / "builds"


def test_what_is_generated_is_fresh() -> None:
    command = [sys.executable, "scripts/collector_config.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stderr}run `python scripts/collector_config.py`"


def test_generated_tables_of_the_docs_are_fresh() -> None:
    stale = runpy.run_path(str(ROOT / "scripts" / "docs_tables.py"))["stale"]
    assert stale() == [], "run `make docs`"


def images() -> dict[str, str]:
    compose = yaml.safe_load((CONFIG / "docker-compose.yml").read_text())
    return dict(service["image"].rsplit(":", 1) for service in compose["services"].values())


def test_images_are_pinned() -> None:
    assert all(re.fullmatch(r"v?\d+\.\d+\.\d+", version) for version in images().values())


def test_the_collector_that_is_tested_is_the_one_that_users_get() -> None:
    versions = {yaml.safe_load(file.read_text())["dist"]["version"] for file in BUILDS.glob("*.yaml")}
    assert versions == {images()["otel/opentelemetry-collector-contrib"]}


@pytest.mark.parametrize("service", ["collector", "prometheus", "alertmanager", "jaeger"])
def test_configurations_name_the_services_of_the_compose_file(service: str) -> None:
    services = yaml.safe_load((CONFIG / "docker-compose.yml").read_text())["services"]
    files = [file for file in CONFIG.rglob("*.y*ml") if file.name != "docker-compose.yml"]
    assert service in services
    assert any(re.search(rf"\b{service}:\d+", file.read_text()) for file in files)

"""Rules, routes and configurations, judged by the programs that will read them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from backends import CONFIG
from found import program

RULES = sorted((CONFIG / "prometheus" / "rules").glob("*.yml"))
TESTS = sorted((CONFIG / "prometheus" / "tests").glob("*.yml"))
COLLECTORS = (("core",), ("contrib",), ("agent",), ("contrib", "gateway"))
QUEUE = {"GATEWAY_CERT": "gateway.pem", "GATEWAY_KEY": "gateway.key"}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment or None)


def said(*command: str) -> str:
    """Return the program's stdout; fail with all of its output if the program fails."""
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def alerts() -> dict[str, Path]:
    return {
        rule["alert"]: file
        for file in RULES
        for group in of(file)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def subjects(test: dict[str, Any]) -> int:
    """Whom an alert could fire for: providers, or parts of Collectors."""
    series = " ".join(one["series"] for one in test["input_series"])
    return len(
        set(re.findall(r'gen_ai_provider_name="[^"]*"', series) or re.findall(r'(?:instance|exporter)="[^"]*"', series))
    )


def test_prometheus_reads_its_configuration_and_rules() -> None:
    assert "rule files found" in said(
        program("promtool"), "check", "config", str(CONFIG / "prometheus" / "prometheus.yml")
    )


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alert_rules_pass_promtool(file: Path) -> None:
    assert "SUCCESS" in said(program("promtool"), "test", "rules", str(file))


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_is_seen_firing_and_quiet(alert: str) -> None:
    checks = [
        (len(check["exp_alerts"]), subjects(test))
        for file in TESTS
        for test in of(file)["tests"]
        for check in test.get("alert_rule_test", ())
        if check["alertname"] == alert
    ]
    assert any(firing for firing, _ in checks)
    # An alert that a test does not expect fails it: whoever is in it and not told of was looked at, and is quiet.
    assert any(firing < subjects for firing, subjects in checks)


def test_alertmanager_routes_pages_and_tickets() -> None:
    amtool, config = program("amtool"), str(CONFIG / "alertmanager" / "alertmanager.yml")
    said(amtool, "check-config", config)
    for severity in ("page", "ticket"):
        told = said(amtool, "config", "routes", "test", f"--config.file={config}", f"severity={severity}")
        assert told.split() == [severity]


@pytest.mark.parametrize("configs", COLLECTORS, ids="+".join)
def test_the_collector_accepts_its_configuration(configs: tuple[str, ...], tmp_path: Path) -> None:
    binary = program("otelcol-core" if configs == ("core",) else "otelcol-contrib")
    files = [word for name in configs for word in ("--config", str(CONFIG / "collector" / f"{name}.yaml"))]
    done = run(binary, "validate", *files, **QUEUE, AGENT_QUEUE=str(tmp_path))
    assert done.returncode == 0, done.stderr

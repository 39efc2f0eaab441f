"""The alerts' own tests, judged by breaking the alerts: none that never fires, or that fires without one of its
conditions, may pass them. The four burn alerts are one text: the one over six hours stands for all."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from backends import CONFIG
from found import program

PROMETHEUS = CONFIG / "prometheus"
COMPARISON = re.compile(r"\s(==|>)\s[\d.]+$")
BURN = re.compile("L0SloBurn(?!6h)")


def of(folder: str, file: str) -> Any:
    return yaml.safe_load((PROMETHEUS / folder / file).read_text())


def alerts() -> Iterator[tuple[str, str, str]]:
    """File, name and expression of every alert that is broken here."""
    for file in sorted(path.name for path in (PROMETHEUS / "rules").glob("*.yml")):
        for group in of("rules", file)["groups"]:
            for rule in group["rules"]:
                if "alert" in rule and not BURN.match(rule["alert"]):
                    yield file, rule["alert"], rule["expr"]


def broken(expression: str) -> Iterator[tuple[str, str]]:
    """The expression as one that is never true, and without each of its conditions; the only one loses its limit."""
    needed = re.split(r"\s+and\s+", expression.strip())
    yield "never", f"({expression}) and on () vector(0) > 0"
    for place, condition in enumerate(needed):
        others = needed[:place] + needed[place + 1 :]
        yield f"without '{condition}'", " and ".join(others) or COMPARISON.sub("", condition)


BROKEN = [
    pytest.param(file, alert, changed, id=f"{alert} {how}")
    for file, alert, expression in alerts()
    for how, changed in broken(expression)
]


@pytest.mark.parametrize(("file", "alert", "changed"), BROKEN)
def test_a_broken_alert_fails_its_tests(tmp_path: Path, file: str, alert: str, changed: str) -> None:
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    rules, tests = of("rules", file), of("tests", file)
    (rule,) = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == alert]
    assert rule["expr"] != changed
    rule["expr"] = changed
    asked = [test for test in tests["tests"] if alert in str(test.get("alert_rule_test"))]
    (tmp_path / "rules" / file).write_text(yaml.safe_dump(rules))
    (tmp_path / "tests" / file).write_text(yaml.safe_dump(tests | {"tests": asked}))
    command = [program("promtool"), "test", "rules", str(tmp_path / "tests" / file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert f"alertname: {alert}," in done.stdout + done.stderr

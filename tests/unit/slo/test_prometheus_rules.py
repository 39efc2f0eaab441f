"""Rules, their tests and the dashboard; checked with promtool if it is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from l0.slo import series
from l0.slo.burn import DAY, PAIRS
from l0.slo.dashboard import dashboard, queries
from l0.slo.objective import DEFAULTS, Indicator, Objective
from l0.slo.prometheus_rules import alert, rules
from l0.slo.prometheus_tests import FIRING, promtests
from l0.slo.yaml_lines import dump, load
from l0.telemetry import names

LAX = Objective(name="lax", indicator=Indicator.CAPACITY, target=0.9, window=7 * DAY)
MADE = rules((*DEFAULTS, LAX))
RECORDING, ALERTS = (group["rules"] for group in MADE["groups"])
RECORDED = {rule["record"] for rule in RECORDING}


def named(expr: str) -> set[str]:
    """Return the recorded series that an expression uses."""
    return set(re.findall(r"(?:provider:)?l0_slo[a-z_]*:[a-z0-9_]+", expr))


def prometheus(metric: names.Metric) -> str:
    """Convert a name by OpenTelemetry's rules for Prometheus."""
    return metric.name.replace(".", "_") + ("_total" if metric.kind == "counter" else "")


def test_series_names_match_telemetry():
    assert prometheus(names.SLO_EVENTS) == series.EVENTS
    labels = (names.SLO, names.SLO_LAYER, names.SLO_GOOD, names.PROVIDER, names.REQUEST_MODEL)
    expected = (series.SLO, series.LAYER, series.GOOD, series.PROVIDER, series.MODEL)
    assert tuple(label.replace(".", "_") for label in labels) == expected


def test_rules_use_series_that_are_recorded_before():
    seen: set[str] = set()
    for rule in RECORDING:
        assert named(rule["expr"]) <= seen, rule
        seen.add(rule["record"])
    for rule in ALERTS:
        assert named(rule["expr"]) <= seen


def test_dashboard_queries_recorded_series():
    for expr in queries((*DEFAULTS, LAX)):
        assert named(expr) <= RECORDED, expr


def test_rules_have_four_alerts():
    assert [rule["alert"] for rule in ALERTS] == ["L0SloBurn1h", "L0SloBurn6h", "L0SloBurn1d", "L0SloBurn3d"]
    assert [rule["labels"]["severity"] for rule in ALERTS] == ["page", "page", "ticket", "ticket"]
    assert all(series.MIN_EVENTS in rule["expr"] for rule in ALERTS)


def test_rules_record_the_budget_of_every_window():
    budgets = [rule["expr"] for rule in RECORDING if rule["record"] == series.BUDGET]
    assert [re.findall(r"rate(\w+)", expr) for expr in budgets] == [["7d"], ["30d"]]


def test_promtests_cover_every_alert_of_every_objective():
    made = promtests(DEFAULTS, "rules.yml")["tests"]
    assert len(made) == len(PAIRS) * len(DEFAULTS)
    singles = 0
    for test in made:
        (checked,) = test["alert_rule_test"]
        providers = {re.findall(rf'{series.PROVIDER}="(\w+)"', one["series"])[0] for one in test["input_series"]}
        assert providers - {"single"} == {FIRING, "below", "scarce", "over", "brief"}
        assert [one["exp_labels"][series.PROVIDER] for one in checked["exp_alerts"]] == [FIRING]
        singles += "single" in providers
    assert singles >= len(DEFAULTS)


def test_an_alert_says_what_is_counted():
    (wanted,) = promtests((DEFAULTS[2],), "rules.yml")["tests"][0]["alert_rule_test"][0]["exp_alerts"]
    assert wanted["exp_annotations"]["description"] == (
        "attempts.first_token within 5 s, target 95 %. In 1h, 51600 of 60000 events were bad: the burn rate is 17.2, "
        "and also above 14.4 in 5m. The model with the most bad events in 5m: m."
    )


def test_dashboard_shows_the_burn_of_every_alert():
    titles = [panel["title"] for panel in json.loads(dashboard(DEFAULTS))["panels"]]
    assert [title for title in titles if title.startswith("Burn rate")] == 2 * [
        f"Burn rate, {window}" for window in ("1h", "6h", "1d", "3d")
    ]


def test_promtests_of_an_alert_that_cannot_fire():
    first = promtests((LAX,), "rules.yml")["tests"][0]
    assert first["alert_rule_test"][0]["exp_alerts"] == []
    assert FIRING not in str(first["input_series"])


def test_series_labels_are_escaped():
    assert series.select("m", a='x"y\\') == 'm{a="x\\"y\\\\"}'


def test_yaml_of_multi_line_text_is_readable():
    text = dump(alert(PAIRS[0]), comment="one\ntwo")
    assert text.startswith("# one\n# two\nalert: L0SloBurn1h\nexpr: |\n  provider:l0_slo_burn:rate1h > 14.4\n")
    assert load(text)[0].plain() == alert(PAIRS[0])


def test_dashboard_text_is_deterministic_with_unique_ids():
    text = dashboard(DEFAULTS)
    assert text == dashboard(DEFAULTS)
    panels = json.loads(text)["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert asked == queries(DEFAULTS)
    assert all(target["refId"] for panel in panels for target in panel.get("targets", ()))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")
def test_promtool_accepts_the_rules_and_their_tests(tmp_path):
    objectives = (DEFAULTS[2],)
    (tmp_path / "rules.yml").write_text(dump(rules(objectives)))
    (tmp_path / "tests.yml").write_text(dump(promtests(objectives, "rules.yml")))
    for what in (["check", "rules", "rules.yml"], ["test", "rules", "tests.yml"]):
        done = subprocess.run(["promtool", *what], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

"""docs/telemetry.md matches the table of names, and recorded metrics match it."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest

import l0
from l0.model.call import Outcome
from l0.telemetry import names
from l0.telemetry.metrics import MetricObserver

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "telemetry.md"
described = runpy.run_path(str(ROOT / "scripts" / "docs_tables.py"))["described"]


def test_every_l0_attribute_is_documented():
    told = dict(described())
    spelled = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    events = {names.VIOLATION_EVENT, names.DRIFT_EVENT, names.RETRY_EVENT, names.RESUME_EVENT, names.HEDGE_EVENT}
    assert {value for value in spelled if value.startswith("l0.")} - events - {names.SHADOW_EVENT} == set(told)
    assert all(told.values())


@pytest.mark.parametrize("switch", ["", "gen_ai_latest_experimental/dup"])
def test_metric_attributes_are_all_documented(metrics, play, retried, ended, overloaded, monkeypatch, switch):
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", switch)
    observer = MetricObserver(metrics.provider)
    play(observer, retried)
    play(observer, [replace(ended, outcome=Outcome.FAILED, failure=overloaded, failures=(overloaded,), leg=1)])
    known = {one.name: one for one in (*names.L0_METRICS, *names.CURRENT.metrics, *names.LATEST.metrics)}
    seen = metrics.collect()
    assert seen
    for name in seen:
        for rest, _, _ in metrics.points(name):
            assert set(rest) <= set(known[name].attributes), name


def test_page_has_every_field_of_log_lines():
    source = Path(l0.__file__).parent
    files = (
        "telemetry/log_lines.py",
        "telemetry/log_rate_limiter.py",
        "telemetry/call_log.py",
        "runtime/observer_guard.py",
    )
    code = "".join((source / file).read_text("utf-8") for file in files)
    fields = set(re.findall(r"\b(l0_[a-z_]+)", code))
    section = PAGE.read_text("utf-8").partition("## Log lines")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(l0_[a-z_]+)`", section)) == fields

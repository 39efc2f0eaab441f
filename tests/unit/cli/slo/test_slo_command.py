"""`l0 slo`, action by action."""

from __future__ import annotations

import json
import sys

import pytest

from l0.cli.main import main
from l0.slo.document import parse
from l0.slo.objective import DEFAULTS
from l0.slo.openslo import from_openslo
from l0.slo.prometheus_rules import rules
from l0.slo.yaml_lines import load

LAX = "objectives:\n  a: {indicator: delivered.success, target: 80%}\n"


@pytest.fixture
def lax(tmp_path):
    path = tmp_path / "lax.yaml"
    path.write_text(LAX)
    return path


def test_init_writes_a_file_that_is_in_order_and_overwrites_none(tmp_path, capsys):
    path = tmp_path / "slo.yaml"
    assert main(["slo", "init", str(path)]) == 0
    assert parse(path.read_text()) == DEFAULTS
    assert main(["slo", "check", str(path)]) == 0
    assert "6 objectives, all valid" in capsys.readouterr().out
    path.write_text(LAX)
    assert main(["slo", "init", str(path)]) == 2
    assert path.read_text() == LAX


def test_init_reports_an_unwritable_path(tmp_path, capsys):
    assert main(["slo", "init", str(tmp_path / "none" / "slo.yaml")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_check_reports_errors_and_warnings(tmp_path, lax, capsys):
    assert main(["slo", "check", str(lax)]) == 0
    assert f"warning: {lax}:2: a: with a target of 80%" in capsys.readouterr().err
    broken = tmp_path / "broken.yaml"
    broken.write_text("objectives:\n  a: {indicator: x, target: 99%}\n")
    assert main(["slo", "check", str(broken)]) == 1
    assert capsys.readouterr().err.startswith(f"{broken}:2: objectives.a.indicator: got 'x', allowed: one of")
    assert main(["slo", "rules", "--file", str(broken)]) == 2


@pytest.mark.parametrize("given", ["nothing.yaml", "."])
def test_a_file_that_cannot_be_read_is_bad_input(given, tmp_path, capsys):
    assert main(["slo", "check", str(tmp_path / given)]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_what_is_no_text_is_bad_input(tmp_path, capsys):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    assert main(["slo", "check", str(tmp_path / "x")]) == 2
    assert "is not a UTF-8 text" in capsys.readouterr().err


def test_rules_of_the_defaults_and_of_a_file(tmp_path, lax, capsys):
    assert main(["slo", "rules"]) == 0
    assert load(capsys.readouterr().out)[0].plain() == rules(DEFAULTS)
    output = tmp_path / "rules.yml"
    assert main(["slo", "rules", "--file", str(lax), "--output", str(output)]) == 0
    assert load(output.read_text())[0].plain() == rules(parse(LAX))
    assert main(["slo", "rules", "--output", str(tmp_path / "no" / "x")]) == 2


@pytest.mark.parametrize("action", ["rules", "dashboard", "export"])
def test_a_file_may_be_given_with_and_without_the_option(action, lax, capsys):
    outputs = []
    for arguments in ([str(lax)], ["--file", str(lax)]):
        assert main(["slo", action, *arguments]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert main(["slo", action, str(lax), "--file", str(lax)]) == 2
    assert "allowed: one file" in capsys.readouterr().err


def test_a_dashboard_is_json(capsys):
    assert main(["slo", "dashboard"]) == 0
    assert json.loads(capsys.readouterr().out)["uid"] == "l0-slo"


def test_openslo_goes_out_and_comes_in(tmp_path, lax, capsys):
    assert main(["slo", "export", "--file", str(lax)]) == 0
    text = capsys.readouterr().out
    assert from_openslo(text) == parse(LAX)
    (tmp_path / "o.yaml").write_text(text)
    assert main(["slo", "import", str(tmp_path / "o.yaml")]) == 0
    assert parse(capsys.readouterr().out) == parse(LAX)
    assert main(["slo", "import", str(lax)]) == 2
    assert "no document of kind SLO" in capsys.readouterr().err


def test_tests_can_be_written_instead_of_run(tmp_path):
    output = tmp_path / "tests.yml"
    assert main(["slo", "test", "--output", str(output), "--rule-file", "r.yml"]) == 0
    assert load(output.read_text())[0].plain()["rule_files"] == ["r.yml"]


def test_missing_promtool_is_reported(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert main(["slo", "test"]) == 2
    assert "promtool is not on the PATH, so nothing was tested" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for promtool")
@pytest.mark.parametrize(("code", "ran"), [(0, 1 + len(DEFAULTS)), (1, 1)])
def test_promtool_decides(code, ran, tmp_path, monkeypatch, capsys):
    log = tmp_path / "log"
    promtool = tmp_path / "promtool"
    promtool.write_text(f'#!/bin/sh\ntest -s "$3" && echo "$1 $2" >> "{log}"\nexit {code}\n')
    promtool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["slo", "test"]) == code
    assert log.read_text().splitlines() == ["check rules", *["test rules"] * len(DEFAULTS)][:ran]
    assert (f"({len(DEFAULTS)} of {len(DEFAULTS)})" in capsys.readouterr().err) is (code == 0)


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert main(["slo", "rules"]) == 2
    assert "pip install 'l0-otel[slo]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    assert main(["slo", "dashboard"]) == 2
    assert "pip install 'l0-otel[slo]'" in capsys.readouterr().err

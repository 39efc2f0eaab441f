"""`l0.slo`, the front door of objectives: one thing by that name, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from l0 import slo
from l0.config import CONFIG
from l0.model.policy import PolicyError
from l0.shared_state.shared import SharedState
from l0.slo.document import ObjectivesError


async def _async_alert(burn: object) -> None: ...


@pytest.fixture(autouse=True)
def _own_tracker(monkeypatch):
    """A tracker that no other test has started and no breaker of another test relies on."""
    monkeypatch.setattr(CONFIG, "shared_state", SharedState())
    yield
    slo.stop()


def test_objectives_come_from_a_list_a_file_or_the_defaults(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text("objectives:\n  a: {indicator: delivered.success, target: 99%}\n")
    watched = CONFIG.shared_state.slos
    for given in (None, slo.DEFAULTS[:1], str(path), path):
        slo.start(given)
        assert watched.wanted
    slo.stop()
    assert not watched.wanted
    assert slo.report().statuses == ()


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"objectives": 3}, PolicyError, "objectives: got 3, allowed: a list of l0.slo.Objective"),
        ({"objectives": []}, PolicyError, "objectives: got"),
        ({"objectives": [1]}, PolicyError, "objectives: got"),
        ({"objectives": "no such file"}, FileNotFoundError, "no such file"),
        ({"store": 3}, PolicyError, "store: got 3, allowed: a writable SQLite file"),
        ({"store": ""}, PolicyError, "store: got '', allowed: a writable SQLite file"),
        ({"store": "a\0b"}, PolicyError, "store: got .* allowed: a writable SQLite file"),
        ({"on_burn": 3}, PolicyError, "on_burn: got 3, allowed: a function"),
        ({"on_burn": lambda: 1}, PolicyError, "a function of an l0.slo.Burn: one that takes one argument"),
        ({"on_burn": _async_alert}, PolicyError, "a function of an l0.slo.Burn without async"),
    ],
)
def test_invalid_slo_arguments_are_named(given, error, says):
    with pytest.raises(error, match=says):
        slo.start(**given)
    assert not CONFIG.shared_state.slos.wanted


def test_unwritable_slo_store_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"store: got .* allowed: a writable SQLite file"):
        slo.start(store=tmp_path / "none" / "slo.db")


def test_a_file_with_mistakes_names_them_with_the_path(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text("objectives:\n  a: {indicator: x, target: 99%}\n")
    with pytest.raises(ObjectivesError, match=r"slo\.yaml:2: objectives\.a\.indicator"):
        slo.start(path)


@pytest.mark.parametrize(
    "first", ["", "import l0.shared_state.slo_tracker", "import l0.slo.prometheus_rules, l0.slo", "from l0 import slo"]
)
def test_l0_slo_is_one_module_in_any_import_order(first):
    script = f"""{first}
import sys
from l0 import slo
import l0
assert l0.slo is slo is sys.modules['l0.slo']
print(l0.slo.report())
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "l0.slo.start()" in done.stdout

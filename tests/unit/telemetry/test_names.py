"""One table of names: nothing else spells one, and what is in it is used."""

import ast
from pathlib import Path

import pytest

import l0
from l0.telemetry import names

ROOT = Path(l0.__file__).parents[2]
TABLE = Path(names.__file__)
SOURCES = [path for top in ("src", "instrumentation") for path in sorted((ROOT / top).rglob("*.py")) if path != TABLE]
PREFIXES = ("gen_ai.", "l0.", "server.", "error.type", "http.response.", "http.request.")
OURS = [path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.py")]
MODULES = {".".join(path.with_suffix("").parts) for path in OURS} | {".".join(path.parent.parts) for path in OURS}


def spelled(tree: ast.AST) -> list[str]:
    """String literals that read like names of telemetry; not modules of our own, and not what has a blank or a call."""
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(PREFIXES)
        and not {" ", "("} & set(node.value)
        and node.value.split(":")[0] not in MODULES
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_spells_a_name(path):
    assert spelled(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "code", ['x = "gen_ai.request.model"', 'f(a="l0.outcome")', '{"error.type": 1}', 'f"l0.gap.{x}"']
)
def test_the_check_can_fail(code):
    assert spelled(ast.parse(code)) != []


@pytest.mark.parametrize("code", ['"l0.telemetry.names:SCOPE"', '"l0.model"', '"l0 is fine"', '"""l0. What it is"""'])
def test_the_check_lets_other_strings_pass(code):
    assert spelled(ast.parse(code)) == []


def table() -> dict[str, object]:
    return {name: value for name, value in vars(names).items() if name.isupper() and not name.startswith("_")}


def test_telemetry_names_are_unique():
    texts = [value for value in table().values() if isinstance(value, str)]
    assert len(texts) == len(set(texts))
    metrics = [metric.name for metric in (*names.L0_METRICS, *names.CURRENT.metrics, *names.LATEST.metrics)]
    assert len(metrics) == len(set(metrics))


def test_l0_names_stay_outside_the_conventions_namespace():
    for metric in names.L0_METRICS:
        assert metric.name.startswith("l0.")
    for value in table().values():
        assert not (isinstance(value, str) and value.startswith("gen_ai.l0"))


def test_histograms_have_buckets_and_counters_none():
    for metric in (*names.L0_METRICS, *names.CURRENT.metrics, *names.LATEST.metrics):
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(metric.buckets)
        assert metric.description

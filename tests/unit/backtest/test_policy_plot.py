"""The plot is well-formed, has a row for each policy, and keeps every value on its axis."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.backtest.call_result import CallResult, Verdict
from l0.backtest.policy_backtest import PolicyResult
from l0.backtest.policy_plot import plot

SVG = "{http://www.w3.org/2000/svg}"
WHOLE, FAILED = Verdict.WHOLE, Verdict.FAILED


def result(name: str, *calls: tuple[Verdict, float | None, int]) -> PolicyResult:
    made = [CallResult(id="", verdict=one, first_token_s=first, requests=sent) for one, first, sent in calls]
    return PolicyResult(name, made)


def texts(svg: str, kind: str) -> list[str]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return [one.text or "" for one in found if kind in (one.get("class") or "").split()]


calls = st.lists(
    st.tuples(st.sampled_from([WHOLE, FAILED]), st.none() | st.floats(1e-4, 1e5), st.integers(1, 9)), min_size=1
)


@given(st.lists(calls, min_size=1, max_size=4))
def test_every_value_is_on_its_axis(policies: list[list[tuple[Verdict, float | None, int]]]) -> None:
    svg = plot([result(f"policy {place}", *made) for place, made in enumerate(policies)])
    root = ElementTree.fromstring(svg)
    width, axes = float(root.get("width", 0)), [float(one.get("x1", -1)) for one in root.iter(f"{SVG}line")]
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < min(axes) - 0.1 <= float(circle.get("cx", -1)) <= max(axes) + 0.1 < width
    for tick in texts(svg, "tick"):
        assert float(tick) >= 0


def test_row_shows_the_figures_of_its_policy() -> None:
    one = result("recorded", *[(WHOLE, 0.5, 1)] * 8, *[(FAILED, None, 1)] * 2)
    two = result("a <b> & c", *[(WHOLE, 1.25, 2)] * 10)
    svg = plot([one, two])
    assert texts(svg, "label") == ["recorded", "a <b> & c"]
    assert texts(svg, "figure") == ["80.0", "100.0", "0.5", "1.25", "0.000", "1.000"]
    assert texts(svg, "title") == ["Backtest of 10 recorded calls"]
    root = ElementTree.fromstring(svg)
    assert [one.get("class") for one in root.iter(f"{SVG}g")] == ["recorded", "policy"] * 3
    assert len(list(root.iter(f"{SVG}circle"))) == 6


def test_figure_without_whole_answers_is_unknown() -> None:
    svg = plot([result("recorded", (FAILED, None, 1)), result("p", (FAILED, None, 1))])
    assert texts(svg, "figure") == ["0.0", "0.0", "unknown", "unknown", "0.000", "0.000"]


@pytest.mark.parametrize("name", ["short", "a policy with a long name " * 4])
def test_labels_end_before_the_first_axis(name: str) -> None:
    root = ElementTree.fromstring(plot([result(name, (WHOLE, 0.5, 1))]))
    axis = min(float(one.get("x1", -1)) for one in root.iter(f"{SVG}line"))
    assert axis >= 20 + 7 * len(name)


def test_colours_follow_the_theme_of_the_reader() -> None:
    svg = plot([result("recorded", (WHOLE, 0.5, 1))])
    light, dark = svg.split("@media (prefers-color-scheme: dark)")
    assert "background: #ffffff" in light
    assert "background: #0d1117" in dark
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")

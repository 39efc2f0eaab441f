"""The page and the picture of `make bench`, from made-up results."""

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from benchmarks.__main__ import REFERENCE, paths_of
from benchmarks.cases import CASES, GROUPS, Case
from benchmarks.conductor import compiled_environment
from benchmarks.page import page, summary
from benchmarks.peers import PEERS
from benchmarks.plot import LETTER, plot
from benchmarks.report import ratio, spread, summarise
from benchmarks.targets import targets
from benchmarks.variants import BARE, FULL, GUARDED, OWN, TITLES

SVG = "{http://www.w3.org/2000/svg}"
RATIOS = {BARE: 1.0, FULL: 0.07, GUARDED: 0.1, "litellm": 31.0, "l0-python": 1.3, "otel-genai": 1.3001}
"""Two variants that are equal in the picture, and two that are far from all others."""
ROUNDS = 5
"""Rounds of the made-up run. L0's costs vary from one to the next, those of the bare SDK as well."""


def result(case: Case, variant: str, number: int) -> dict[str, Any]:
    """The made-up result of one round."""
    bare_ms = case.calls * (1.0 + number / 10)
    cost = bare_ms * RATIOS.get(variant, 1.2) * (1 if variant == BARE else 1 + number / 100)
    return {
        "events": case.calls * case.tokens,
        "cpu_ms": cost,
        "process_cpu_ms": cost,
        "memory_mb": cost,
        "first_ms": 1.0,
        "switch_on_ms": 20.0 + number,
        **({"idle_us": 0.3} if case.how == "idle" else {}),
    }


def report(cases: tuple[Case, ...] = CASES, **failed: str) -> dict[str, Any]:
    """A whole report of made-up results. ``failed``: the reason why a variant has none."""
    samples: dict[str, Any] = {
        case.name: {
            name: [{"failed": failed[name]}] if name in failed else [result(case, name, n) for n in range(ROUNDS)]
            for name in TITLES
            if case.quick or name in OWN
        }
        for case in cases
    }
    made: dict[str, Any] = json.loads(json.dumps(summarise(cases, samples, ROUNDS, {"Other": "not installed"})))
    return made


class Box(NamedTuple):
    """The place of a text in the picture."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


def boxes(root: ElementTree.Element) -> list[Box]:
    found = []
    for text in root.iter(f"{SVG}text"):
        x, y, said = float(text.attrib["x"]), float(text.attrib["y"]), text.text or ""
        width = len(said) * (LETTER if "title" not in text.attrib["class"] else LETTER * 16 / 13)
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.attrib["text-anchor"]]
        found.append(Box(said, left, y - 12, left + width, y + 4))
    return found


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # our own text


@pytest.mark.parametrize("spread_factor", [1.0, 1e-4, 1e4])
def test_labels_of_the_plot_do_not_overlap_and_nothing_is_cut(
    spread_factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RATIOS, FULL, RATIOS[FULL] * spread_factor)
    root = drawn(plot(report()))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    places = boxes(root)
    assert [(one.text, other.text) for one, other in combinations(places, 2) if one.overlaps(other)] == []
    assert all(box.left >= 0 and box.right <= width and box.bottom <= height for box in places), places
    ticks = [float(text.attrib["x"]) for text in root.iter(f"{SVG}text") if "tick" in text.attrib["class"]]
    for line in root.iter(f"{SVG}line"):
        if line.attrib["class"] == "range":
            assert min(ticks) <= float(line.attrib["x1"]) <= float(line.attrib["x2"]) <= max(ticks)


def test_marks_of_the_plot_do_not_overlap() -> None:
    root = drawn(plot(report()))
    marks = [dot.attrib for dot in root.iter(f"{SVG}circle") if dot.get("class") == "value"]
    for one, other in combinations(marks, 2):
        apart = sum((float(one[axis]) - float(other[axis])) ** 2 for axis in ("cx", "cy")) ** 0.5
        assert apart >= 0.8 * (float(one["r"]) + float(other["r"])), (one, other)


def test_plot_has_a_row_per_compared_case_and_a_lane_per_variant() -> None:
    root = drawn(plot(report()))
    rows = [group for group in root.iter(f"{SVG}g") if group.get("class") == "row"]
    named = [row.findtext(f"{SVG}title") for row in rows]
    assert sorted(map(str, named)) == sorted(case.name for case in CASES if case.quick)
    for row in rows:
        titles = [lane.findtext(f"{SVG}title") or "" for lane in row.iter(f"{SVG}g") if lane.get("class") == "lane"]
        assert [title.partition(":")[0] for title in titles] == [TITLES[FULL], *(peer.title for peer in PEERS.values())]


def test_dots_are_the_medians_and_lines_the_ranges() -> None:
    made = report()
    root = drawn(plot(made))
    lane = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "lane")
    dot, line = lane.find(f"{SVG}circle"), lane.find(f"{SVG}line")
    assert dot is not None
    assert line is not None
    at = [float(line.attrib["x1"]), float(dot.attrib["cx"]), float(line.attrib["x2"])]
    found = ratio(made["cases"][0], FULL)
    assert found is not None
    assert (lane.findtext(f"{SVG}title") or "").endswith(str(found))
    assert at == sorted(at)
    assert len(set(at)) == 3


def test_ratio_is_that_of_each_round() -> None:
    """Bare SDK and L0 alike take 40 % longer in the last round than in the first: that is the machine."""
    found = ratio(report()["cases"][0], FULL)
    assert found is not None
    assert found == pytest.approx((0.0714, 0.07, 0.0728), rel=1e-3)
    assert spread([3.0, 1.0, 2.0, 10.0, 2.5]) == (2.5, 1.0, 10.0)
    assert spread([]) is None
    assert str(found) == "0.071 (0.070-0.073)"


def test_page_has_a_row_for_each_case_in_its_group() -> None:
    text = page(report(), "made", "made.svg")
    for group, title in GROUPS.items():
        section = text.partition(f"### {title}\n")[2].partition("\n#")[0]
        for case in CASES:
            assert (f"\n| {case.label} " in section) >= (case.group == group), case.name
    assert {case.group for case in CASES} == set(GROUPS)


def test_tables_of_the_page_are_whole() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", page(report(), "made", "made.svg"), re.MULTILINE):
        lines = block.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert len({line.count("|") for line in lines}) == 1


def test_targets_are_met_or_missed() -> None:
    verdicts = {target.what: (target.most, target.verdict) for target in targets(report())}
    assert verdicts["chat sync, 25 x 200"] == (0.12, "met")
    assert verdicts["l0.instrument()"] == (30.0, "met")
    assert verdicts["recommended guardrails, worst stream"][1] == "met"
    slow = [replace(case, target=0.05) for case in CASES if case.group == "streams"]
    assert {target.verdict for target in targets(report((*slow,))) if target.unit == "x bare"} == {"MISSED"}
    failed = {target.what: target.verdict for target in targets(report(l0="ended"))}
    assert failed["chat sync, 25 x 200"] == "not measured"


def test_targets_are_printed_with_the_verdict() -> None:
    text = summary(report())
    for target in targets(report()):
        assert re.search(rf"^\| {re.escape(target.what)} .* {target.verdict} \|$", text, re.MULTILINE)


def test_near_miss_shows_as_a_miss() -> None:
    found = spread([0.1331])
    assert found is not None
    assert (str(found), found.text(1)) == ("0.13 (0.13-0.13)", "0.133 (0.133-0.133)")
    near = [replace(case, target=0.0713) for case in CASES if case.name == "chat sync, 25 x 200"]
    assert re.search(r"x bare +\| +0.0713 \| +0.0714 \| MISSED", summary(report((*near,))))


def test_page_says_what_was_not_measured() -> None:
    text = page(report(litellm="no such call"), "made", "made.svg")
    assert "- Other: not installed" in text
    assert "- LiteLLM: no such call: chat sync, 25 x 200, " in text


def test_page_without_other_libraries_shows_no_plot() -> None:
    alone = tuple(case for case in CASES if not case.quick)
    assert "made.svg" not in page(report(alone), "made", "made.svg")
    assert "made.svg" in page(report(), "made", "made.svg")


def test_page_and_plot_of_the_documentation_are_those_of_the_reference() -> None:
    page_path, plot_path = paths_of(REFERENCE)
    reference = json.loads(Path(page_path.parents[1], "benchmarks/results/reference.json").read_text("utf-8"))
    assert page_path.read_text("utf-8") == page(reference, REFERENCE, "images/benchmarks.svg"), "use --draw"
    assert plot_path.read_text("utf-8") == plot(reference), "use --draw"


def test_measured_processes_keep_their_compiled_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the start of L0 would be measured with the compilation of its modules."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "yes")
    assert "PYTHONDONTWRITEBYTECODE" not in compiled_environment()
    assert compiled_environment()["KEPT"] == "yes"

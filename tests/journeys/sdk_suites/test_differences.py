"""The list of meant differences is held to what happens, in both directions."""

from pathlib import Path

import pytest
from differences import ListError, compare, covers, read

PARTS = ["tests/test_a.py"]
ENTRY = '[[difference]]\nsdk = "openai"\nversions = ">=3"\nreason = "meant"\ntests = ["tests/test_a.py::test_one"]\n'


def test_equal_runs_are_good() -> None:
    outcomes = {"tests/test_a.py::test_one": "passed", "tests/test_a.py::test_two": "failed"}
    verdict = compare(outcomes, outcomes, [], PARTS)
    assert verdict.good
    assert (verdict.bare, verdict.equal) == (1, 1)


@pytest.mark.parametrize("outcome", ["failed", "skipped", None])
def test_added_test_is_reported(outcome: str | None) -> None:
    instrumented = {} if outcome is None else {"tests/test_a.py::test_one": outcome}
    verdict = compare({"tests/test_a.py::test_one": "passed"}, instrumented, [], PARTS)
    assert verdict.unmeant == ("tests/test_a.py::test_one",)
    assert not verdict.good


def test_what_fails_bare_is_not_compared() -> None:
    verdict = compare({"tests/test_a.py::test_one": "failed"}, {"tests/test_a.py::test_one": "failed"}, [], PARTS)
    assert verdict.good
    assert verdict.bare == 0


def test_a_listed_difference_is_meant() -> None:
    runs = {"tests/test_a.py::test_one": "passed"}, {"tests/test_a.py::test_one": "failed"}
    verdict = compare(*runs, ["tests/test_a.py::test_one"], PARTS)
    assert verdict.good
    assert verdict.meant == ("tests/test_a.py::test_one",)


def test_a_listed_test_that_passes_again_is_stale() -> None:
    outcomes = {"tests/test_a.py::test_one": "passed"}
    assert compare(outcomes, outcomes, ["tests/test_a.py::test_one"], PARTS).stale


@pytest.mark.parametrize(
    "bare", [{}, {"tests/test_a.py::test_one": "failed"}, {"tests/test_a.py::test_one": "skipped"}]
)
def test_a_listed_test_that_does_not_pass_bare_is_stale(bare: dict[str, str]) -> None:
    assert compare(bare, bare, ["tests/test_a.py::test_one"], PARTS).stale


def test_all_tests_under_a_stem_must_differ() -> None:
    bare = {"tests/test_a.py::test_one[x]": "passed", "tests/test_a.py::test_one[y]": "passed"}
    verdict = compare(bare, {**bare, "tests/test_a.py::test_one[x]": "failed"}, ["tests/test_a.py::test_one"], PARTS)
    assert verdict.meant == ("tests/test_a.py::test_one[x]",)
    assert verdict.stale == ("tests/test_a.py::test_one[y]: listed, but it passes instrumented as well",)


def test_entries_of_skipped_parts_are_ignored() -> None:
    assert compare({}, {}, ["tests/test_b.py::test_one"], PARTS).good


@pytest.mark.parametrize(
    ("stem", "test", "expected"),
    [
        ("tests/lib", "tests/lib/test_a.py::test_one", True),
        ("tests/test_a.py", "tests/test_a.py::test_one", True),
        ("tests/test_a.py::test_one", "tests/test_a.py::test_one[x]", True),
        ("tests/test_a.py::test_one", "tests/test_a.py::test_one_more", False),
        ("tests/test_a.py::test_one[x]", "tests/test_a.py::test_one", False),
    ],
)
def test_prefix_entry_covers_the_tests_below_it(stem: str, test: str, expected: bool) -> None:
    assert covers(stem, test) is expected


def test_the_list_in_the_tree_is_sound() -> None:
    assert all(len(one.reason) > 20 for one in read())


def test_an_entry_is_about_its_versions_only(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text(ENTRY)
    [one] = read(path)
    assert one.applies("openai", "3.52.0")
    assert not one.applies("openai", "2.54.0")
    assert not one.applies("anthropic", "3.52.0")


@pytest.mark.parametrize("field", ["sdk", "versions", "reason", "tests"])
def test_an_entry_that_lacks_a_field_is_refused(field: str, tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text("".join(line for line in ENTRY.splitlines(keepends=True) if not line.startswith(field)))
    with pytest.raises(ListError, match=field):
        read(path)


def test_a_test_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text(ENTRY + ENTRY)
    with pytest.raises(ListError, match="twice"):
        read(path)

"""The lists are held to what happens, in both directions."""

import sys
from pathlib import Path

import pytest

# pytest's importlib mode leaves the folder off the path
sys.path.append(str(Path(__file__).parent))

from lists import PASSES, ListError, Suite, read

ONE = "tests/test_a.py::test_one"
SUITE = Suite(entries={ONE: PASSES, "tests/test_b.py": "it asks for their insides"})
AS_LISTED = {ONE: "passed", "tests/test_b.py::test_two[x]": "aside", "tests/test_b.py::test_three": "failed"}


def test_a_run_as_listed_is_good() -> None:
    assert list(SUITE.problems(AS_LISTED)) == []
    assert SUITE.reason("tests/test_b.py::test_two[x]") == "it asks for their insides"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({ONE: "failed"}, f"{ONE}: failed, listed as: passes"),
        ({ONE: "skipped"}, f"{ONE}: skipped, listed as: passes"),
        ({"tests/test_b.py::test_three": "passed"}, "test_three: passed, listed as: it asks"),
        ({"tests/test_c.py::test_new": "passed"}, "tests/test_c.py::test_new: passed, and 0 entries"),
    ],
)
def test_difference_from_the_list_is_reported(changed: dict[str, str], told: str) -> None:
    (problem,) = SUITE.problems(AS_LISTED | changed)
    assert told in problem


def test_duplicate_list_entry_is_reported() -> None:
    twice = Suite(entries={**SUITE.entries, "tests/test_a.py": PASSES})
    assert list(twice.problems(AS_LISTED)) == [f"{ONE}: passed, and 2 entries"]


def test_list_entry_without_a_test_is_reported() -> None:
    assert list(SUITE.problems({ONE: "passed"})) == ["tests/test_b.py: there is no such test"]


@pytest.mark.parametrize("reason", ["", "again"])
def test_a_list_that_is_not_as_it_should_be_is_refused(tmp_path: Path, reason: str) -> None:
    (tmp_path / "x.toml").write_text(f'passes = ["a"]\n[[cannot]]\nreason = "{reason}"\ntests = ["a"]\n')
    with pytest.raises(ListError, match=r"x\.toml: a "):
        read("x", tmp_path)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_the_lists_can_be_read(sdk: str) -> None:
    reasons = set(read(sdk).entries.values())
    assert PASSES in reasons
    assert len(reasons) > 3

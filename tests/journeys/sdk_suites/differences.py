"""The list of the tests that are meant to end differently, and what a pair of runs says about it."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

LIST = Path(__file__).with_name("differences.toml")


class ListError(Exception):
    """An entry of the list is not as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Tests of ``sdk`` in ``versions`` that pass bare and fail instrumented, all for one ``reason``.

    Each of ``tests`` is a node id, or the stem of one (a file, a class, a test without its parameters): then all tests
    under it that pass bare must fail instrumented.
    """

    sdk: str
    versions: SpecifierSet
    reason: str
    tests: tuple[str, ...]

    def applies(self, sdk: str, version: str) -> bool:
        """Return True if the entry applies to this version."""
        return sdk == self.sdk and version in self.versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Two runs of the same tests, compared. ``bare``: tests that passed bare; ``equal``: those that passed both times.

    ``meant``: the listed ones. ``unmeant``: those that fail only instrumented. ``stale``: entries of the list that are
    wrong, each with why.
    """

    bare: int
    equal: int
    meant: tuple[str, ...]
    unmeant: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Return True if the list equals the results."""
        return not self.unmeant and not self.stale


def read(path: Path = LIST) -> list[Difference]:
    """The list. Raises `ListError` for an entry that lacks a field, or names a test twice."""
    differences = [_entry(number, raw) for number, raw in enumerate(tomllib.loads(path.read_text())["difference"], 1)]
    seen: set[tuple[str, str, str]] = set()
    for one in differences:
        for test in one.tests:
            key = (one.sdk, str(one.versions), test)
            if key in seen:
                raise ListError(f"{test} of {one.sdk} {one.versions} is listed twice")
            seen.add(key)
    return differences


def _entry(number: int, raw: Mapping[str, object]) -> Difference:
    tests = raw.get("tests")
    texts = {field: str(raw.get(field) or "").strip() for field in ("sdk", "versions", "reason")}
    missing = [field for field, text in texts.items() if not text]
    if missing or not isinstance(tests, list) or not tests:
        raise ListError(f"entry {number} of the list lacks {', '.join(missing) or 'tests'}")
    return Difference(
        sdk=texts["sdk"],
        versions=SpecifierSet(texts["versions"]),
        reason=texts["reason"],
        tests=tuple(str(test) for test in tests),
    )


def compare(
    bare: Mapping[str, str], instrumented: Mapping[str, str], listed: Iterable[str], parts: Sequence[str]
) -> Verdict:
    """Compare two runs of ``parts`` (files, folders, ids); entries of ``listed`` for other parts are not looked at."""
    passing = [test for test, outcome in bare.items() if outcome == "passed"]
    broken = [test for test in passing if instrumented.get(test) != "passed"]
    entries = [entry for entry in listed if any(covers(part, entry) for part in parts)]
    stale = []
    for entry in entries:
        under = [test for test in passing if covers(entry, test)]
        recovered = [test for test in under if test not in broken]
        if not under:
            stale.append(f"{entry}: no such test passes bare")
        stale += [f"{test}: listed, but it passes instrumented as well" for test in recovered]
    meant = [test for test in broken if any(covers(entry, test) for entry in entries)]
    return Verdict(
        bare=len(passing),
        equal=len(passing) - len(broken),
        meant=tuple(meant),
        unmeant=tuple(test for test in broken if test not in meant),
        stale=tuple(stale),
    )


def covers(stem: str, test: str) -> bool:
    """Return True if ``test`` is ``stem``, or is below it."""
    return test == stem or (test.startswith(stem) and test[len(stem) :].startswith(("::", "[", "/")))

"""The list of one suite: which of its tests pass with l0, and for each other one the reason why it cannot.

An entry is a node id or the stem of one (a file, a test without its parameters), and stands for all tests under it.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "sdk_suites"))

from differences import covers  # noqa: E402 - it stands in the folder beside

PASSES = "passes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """``entries``: from each entry to its reason, which is `PASSES` for those that pass."""

    entries: Mapping[str, str]

    def problems(self, outcomes: Mapping[str, str]) -> Iterator[str]:
        """Return the differences of list and run. Every test must have exactly one entry, and end as it says."""
        used: set[str] = set()
        for test, outcome in outcomes.items():
            over = [entry for entry in self.entries if covers(entry, test)]
            used.update(over)
            if len(over) != 1:
                yield f"{test}: {outcome}, and {len(over)} entries"
                continue
            reason = self.entries[over[0]]
            if (outcome == "passed") is not (reason == PASSES):
                yield f"{test}: {outcome}, listed as: {reason}"
        yield from (f"{entry}: there is no such test" for entry in self.entries if entry not in used)

    def reason(self, test: str) -> str:
        """Return the reason why a test cannot pass; `PASSES` if it does."""
        return next((reason for entry, reason in self.entries.items() if covers(entry, test)), "no entry")


class ListError(Exception):
    """A list is not as it should be."""


def read(sdk: str, folder: Path = HERE) -> Suite:
    """The list of an SDK's suite. Raises `ListError` for an entry that stands twice, or has no reason."""
    told = tomllib.loads((folder / f"{sdk}.toml").read_text())
    entries: dict[str, str] = {}
    for group in [{"reason": PASSES, "tests": told[PASSES]}, *told["cannot"]]:
        reason = str(group.get("reason", "")).strip()
        for test in group["tests"]:
            if test in entries or not reason:
                raise ListError(f"{sdk}.toml: {test} {'stands twice' if reason else 'has no reason'}")
            entries[test] = reason
    return Suite(entries=entries)

"""Run frameworks over l0, each in its own environment, against the simulator: `make test-frameworks`.

    python tests/frameworks/run_frameworks.py [NAME ...]

Prints every check that failed, and at the end a table of the frameworks. Status 0: all were run, and all checks passed
except the known limits; 1: something failed or was not run.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from catalogue import FRAMEWORKS, Framework

ROOT = Path(__file__).resolve().parents[2]
PREPARE = (sys.executable, "scripts/environment.py")
LONGEST_RUN_S = 900
"""Only a hang takes as long."""
Check = tuple[str, str | None]


@dataclass(slots=True)
class Outcome:
    """The result of one framework's checks. ``not_run``: the reasons why some or all of them were not run."""

    framework: Framework
    versions: str = ""
    passed: int = 0
    known: int = 0
    failed: int = 0
    not_run: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True if all checks were run, and none failed."""
        return self.passed > 0 and not self.failed and not self.not_run

    def take(self, order: Sequence[str], checks: Sequence[Check]) -> None:
        """Count the checks of one order of tracers, and print those that did not pass."""
        limits = self.framework.limits if order else {}
        for name, problem in checks:
            shown = " ".join((*order, name))
            self.passed += problem is None
            if problem is not None and name in limits:
                self.known += 1
                print(f"  known {shown}: {limits[name]}", flush=True)
            elif problem is not None or name in limits:
                self.failed += 1
                print(f"  WRONG {shown}: {problem or 'it passes, so it is not a limit'}", flush=True)


def run(framework: Framework) -> Outcome:
    """Check one framework, alone and beside its tracers."""
    outcome = Outcome(framework)
    print(framework.name, flush=True)
    reason = _prepare(framework)
    if reason is not None:
        outcome.not_run.append(reason)
        return outcome
    for order in [(), *((tracer, place) for tracer in framework.tracers for place in ("before", "after"))]:
        _check(outcome, order)
    return outcome


def _prepare(framework: Framework) -> str | None:
    """Make the environment of a framework. Return the reason if that fails."""
    folder = f".venv-frameworks/{framework.name}"
    command = [*PREPARE, folder, "[openai,otlp]", *framework.requirements]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if not ended.returncode:
        return None
    errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or ended.stderr.splitlines()
    return f"no environment: {' '.join(errors)[:300]}"


def _check(outcome: Outcome, order: Sequence[str]) -> None:
    """Run the checks of one framework beside one tracer, in its own process."""
    name = outcome.framework.name
    python = ROOT / ".venv-frameworks" / name / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.json"
        command = [python, Path(__file__).with_name("check_framework.py"), name, results, *order]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LONGEST_RUN_S, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            outcome.not_run.append(" ".join((*order, f"no end after {LONGEST_RUN_S} s")))
            return
        if not results.is_file():
            print(ended.stderr[-2000:], flush=True)
            outcome.not_run.append(" ".join((*order, f"status {ended.returncode}")))
            return
        found = json.loads(results.read_text())
    outcome.versions = ", ".join(found["versions"])
    outcome.take(order, [(name, problem) for name, problem in found["checks"]])
    if found["broken"] is not None:
        print(found["broken"], flush=True)
        outcome.not_run.append(" ".join((*order, found["broken"].splitlines()[-1])))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a table of all frameworks, in Markdown."""
    rows = ["| framework | versions | passed | failed | known limits | not run |", "|---|---|---|---|---|---|"]
    for one in outcomes:
        reasons = " ".join("; ".join(one.not_run).split()).replace("|", "/")
        rows.append(
            f"| {one.framework.name} | {one.versions} | {one.passed} | {one.failed} | {one.known} | {reasons or '-'} |"
        )
    return "\n".join(rows)


def main(names: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    unknown = set(names) - {framework.name for framework in FRAMEWORKS}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    outcomes = [run(framework) for framework in FRAMEWORKS if not names or framework.name in names]
    print(table(outcomes))
    bad = [one.framework.name for one in outcomes if not one.good]
    print(f"not all is well: {', '.join(bad)}" if bad else f"all {len(outcomes)} frameworks were run, and all is well")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
